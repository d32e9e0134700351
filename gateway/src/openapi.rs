//! The description of the API, `/api/openapi.json`, put into a form that does not change by accident.

use bytes::Bytes;
use utoipa::{
    Modify,
    openapi::{
        self, Info, OpenApiBuilder, RefOr, Schema,
        security::{
            ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
        },
        server::Server,
    },
};

/// Completes what the handlers say with the title, the address and the ways of signing in.
pub(crate) fn describe(paths: openapi::OpenApi) -> openapi::OpenApi {
    let mut info = Info::new("Cairn", "1");
    info.description = Some(
        "Everything that Cairn's app and command line do. Send a token as `Authorization: Bearer …`. Lists are \
         `{items, next}`, newest first; pass `next` as `cursor`. Every error has the same envelope."
            .to_owned(),
    );
    let mut whole = OpenApiBuilder::new().info(info).build();
    whole.merge(paths);
    whole.servers = Some(vec![Server::new("/api/v1")]);
    Credentials.modify(&mut whole);
    require_what_is_sent(&mut whole);
    require_credentials(&mut whole);
    whole
}

/// The description as it is served and committed: indented, so that a change can be read.
pub(crate) fn text(description: &openapi::OpenApi) -> Bytes {
    let text = description.to_pretty_json();
    Bytes::from(text.expect("the description is plain data") + "\n")
}

/// Makes the properties of answers required: all of them are always sent, some as null. Bodies of requests stay as they are.
fn require_what_is_sent(whole: &mut openapi::OpenApi) {
    let Some(components) = &mut whole.components else {
        return;
    };
    for (name, schema) in &mut components.schemas {
        let is_request =
            name.starts_with("New") || name.starts_with("Update") || name.ends_with("Request");
        if let (RefOr::T(Schema::Object(object)), false) = (schema, is_request) {
            object.required = object.properties.keys().cloned().collect();
        }
    }
}

/// An operation that does not say otherwise takes a token or a session.
fn require_credentials(whole: &mut openapi::OpenApi) {
    let none: [&str; 0] = [];
    for item in whole.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.head,
            &mut item.patch,
        ];
        for operation in operations.into_iter().flatten() {
            operation.security.get_or_insert_with(|| {
                ["token", "session"]
                    .map(|way| SecurityRequirement::new(way, none))
                    .into()
            });
        }
    }
}

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, whole: &mut openapi::OpenApi) {
        let components = whole.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("cairn_session"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

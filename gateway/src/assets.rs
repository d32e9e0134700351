//! The front end, embedded: hashed assets cached for ever, everything else checked by `ETag`, unknown places answered with the app itself.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../frontend/app/dist"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";

/// What a browser sees when the binary was built without the front end.
const NO_FRONT_END: &str = "<!doctype html><meta charset=utf-8><title>Cairn</title>\
    <p>This server was built without its web app. The API is at <a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>";

/// Answers `path` from the embedded files.
///
/// A navigation to a place that is no file gets `index.html`, whose router takes it from there; anything else is 404.
pub(crate) fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Only GET works here.",
        )
        .into_response();
    }
    let name = path.trim_start_matches('/');
    let name = if name.is_empty() { INDEX } else { name };
    if let Some(response) = file(name, headers) {
        return response;
    }
    let is_asset = name.starts_with("assets/") || name.starts_with("api/");
    if is_asset || !accepts_html(headers) {
        return ApiError::not_found("page").into_response();
    }
    file(INDEX, headers).unwrap_or_else(|| page(StatusCode::OK, NO_FRONT_END))
}

fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = Dist::get(name)?;
    let (body, encoding) = encoded(name, headers).unwrap_or((plain, None));
    let etag = format!("\"{}\"", hex::encode(&body.metadata.sha256_hash()[..16]));
    let mut response = if matches_etag(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body.data.into_owned().into_response()
    };
    let out = response.headers_mut();
    out.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content_type(name)),
    );
    out.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        out.insert(header::ETAG, etag);
    }
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let caching = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    Some(response)
}

/// The smallest precompressed form that the client takes, where the build left one.
fn encoded(name: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let takes = |encoding: &str| {
        accepted.split(',').any(|part| {
            let mut words = part.trim().split(';');
            words.next() == Some(encoding)
                && !words.any(|word| matches!(word.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    };
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(encoding, _)| takes(encoding))
        .find_map(|(encoding, suffix)| {
            Dist::get(&format!("{name}.{suffix}")).map(|file| (file, Some(encoding)))
        })
}

/// Whether `If-None-Match` names `etag`.
pub(crate) fn matches_etag(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == etag || tag == "*")
}

/// Whether the client is a browser that goes to a page.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn page(status: StatusCode, html: &'static str) -> Response {
    (status, axum::response::Html(html)).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, accept: &'static str) -> Response {
        let headers = [(header::ACCEPT, HeaderValue::from_static(accept))];
        serve(&Method::GET, path, &headers.into_iter().collect())
    }

    #[test]
    fn a_navigation_gets_the_app_and_a_missing_asset_does_not() {
        let response = get("/p/vision/jobs/12", "text/html,*/*;q=0.8");
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["content-type"],
            "text/html; charset=utf-8"
        );
        assert_eq!(get("/assets/none-abc.js", "text/html").status(), 404);
        assert_eq!(get("/p/vision", "application/json").status(), 404);
        assert_eq!(get("/../../etc/passwd", "*/*").status(), 404);
    }

    #[test]
    fn writing_to_a_page_is_refused() {
        let response = serve(&Method::POST, "/", &HeaderMap::new());
        assert_eq!(response.status(), 405);
    }

    #[test]
    fn an_etag_matches_in_lists_and_weak_forms() {
        let headers = [(
            header::IF_NONE_MATCH,
            HeaderValue::from_static("\"a\", W/\"b\""),
        )];
        let headers: HeaderMap = headers.into_iter().collect();
        assert!(matches_etag(&headers, "\"b\""));
        assert!(!matches_etag(&headers, "\"c\""));
    }
}

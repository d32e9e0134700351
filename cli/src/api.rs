//! The client of Cairn's REST API: addresses, sign-in, retries, and errors that say what to do. It prints nothing.
//!
//! Answers stay the JSON that the API gave, so that `--json` can print exactly that; `types` reads what tables need out of it.

mod error;
pub(crate) mod events;
mod retry;
pub(crate) mod types;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Method, RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::{Host, Url};

pub(crate) use error::{Error, is_passing, snapshot_of, status_of};

use crate::home::{Home, Server};

/// How long one call of the API may take. Streams have no such limit.
const CALL_LIMIT: Duration = Duration::from_mins(1);
/// How long a stream may be silent: servers send a sign of life every 15 s.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);
/// What one page of a list holds at most.
const PAGE: usize = 200;

/// A connection to one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    server: Server,
}

/// One call, before it is sent.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    may_repeat: bool,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a [&'a str]) -> Self {
        let may_repeat = method.is_idempotent();
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            may_repeat,
        }
    }

    /// A read.
    pub(crate) fn get(path: &'a [&'a str]) -> Self {
        Self::new(Method::GET, path)
    }

    /// An action. It is sent again only where it cannot have arrived, unless it [repeats](Self::repeats).
    pub(crate) fn post(path: &'a [&'a str]) -> Self {
        Self::new(Method::POST, path)
    }

    /// A replacement.
    pub(crate) fn put(path: &'a [&'a str]) -> Self {
        Self::new(Method::PUT, path)
    }

    /// A change of some of its fields, to what the body says.
    pub(crate) fn patch(path: &'a [&'a str]) -> Self {
        Self::new(Method::PATCH, path).repeats()
    }

    /// A removal.
    pub(crate) fn delete(path: &'a [&'a str]) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Sends this body.
    pub(crate) fn body(mut self, body: impl Serialize) -> anyhow::Result<Self> {
        self.body = Some(serde_json::to_value(body)?);
        Ok(self)
    }

    /// Says that doing it twice is as doing it once.
    pub(crate) fn repeats(mut self) -> Self {
        self.may_repeat = true;
        self
    }
}

impl Client {
    /// A client for the server that this person uses.
    ///
    /// # Errors
    /// When there is none, or no token for it.
    pub(crate) fn for_home(home: &Home) -> anyhow::Result<Self> {
        let server = home.server()?;
        anyhow::ensure!(
            server.token.is_some(),
            "not signed in to {}: run `cairn login {0}`",
            crate::home::key(&server.url)
        );
        Self::new(server)
    }

    /// A client for a server, signed in or not. No connection is made yet.
    pub(crate) fn new(server: Server) -> anyhow::Result<Self> {
        let http = http(&server.url, server.ca_file.as_deref())?.read_timeout(SILENCE_LIMIT);
        Ok(Self {
            http: http.build().context("cannot prepare TLS")?,
            server,
        })
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> &Url {
        &self.server.url
    }

    /// The URL of a page of the app.
    pub(crate) fn page(&self, path: &[&str]) -> String {
        join(&self.server.url, path).to_string()
    }

    /// Makes a call and returns the JSON of its answer, `null` when it has no body.
    ///
    /// # Errors
    /// [`Error`], within `anyhow`.
    pub(crate) async fn call(&self, call: Call<'_>) -> anyhow::Result<Value> {
        let response = self.send(&call).await?;
        let text = response
            .bytes()
            .await
            .map_err(|error| Error::unreachable(&self.server.url, error))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&text).map_err(|_| {
            Error::NotCairn {
                url: crate::home::key(&self.server.url),
            }
            .into()
        })
    }

    /// Makes a call and reads its answer as a `T`.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: Call<'_>) -> anyhow::Result<T> {
        types::read(&self.call(call).await?)
    }

    /// A list, following its pages up to `limit` items: `{"items":[…],"next":…}` where `next` is null unless the limit cut it.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&'static str, String)],
        limit: usize,
    ) -> anyhow::Result<Value> {
        let mut items = Vec::new();
        let mut next = None::<String>;
        loop {
            let mut call = Call::get(path).query("limit", &(limit - items.len()).min(PAGE));
            call.query.extend(query.iter().cloned());
            call.query
                .extend(next.take().map(|cursor| ("cursor", cursor)));
            let page: types::Page = self.fetch(call).await?;
            // A page without items ends the list, whatever its cursor says: this loop must end.
            let is_last = page.items.is_empty() || page.next.is_none();
            items.extend(page.items);
            next = page.next;
            if is_last || items.len() >= limit {
                items.truncate(limit);
                return Ok(json!({ "items": items, "next": if is_last { None } else { next } }));
            }
        }
    }

    /// Sends a call, again where that is safe, and returns the answer once it is a success.
    async fn send(&self, call: &Call<'_>) -> anyhow::Result<Response> {
        retry::run(call.may_repeat, || async {
            let mut request = self
                .request(call.method.clone(), call.path)
                .query(&call.query)
                .timeout(CALL_LIMIT);
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            self.checked(request).await
        })
        .await
    }

    /// Sends a request once, for those who stream: no retry, no limit on the whole.
    ///
    /// # Errors
    /// [`Error`], within `anyhow`, for an answer that is no success.
    pub(crate) async fn checked(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request
            .send()
            .await
            .map_err(|error| Error::unreachable(&self.server.url, error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Error::of(&self.server.url, response).await.into())
        }
    }

    /// A request under `/api/v1`, with who we are.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let url = join(&join(&self.server.url, &["api", "v1"]), path);
        let mut request = self
            .http
            .request(method, url)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.server.token {
            let bearer = format!("Bearer {}", token.expose());
            if let Ok(mut value) = HeaderValue::from_str(&bearer) {
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
        }
        request
    }
}

/// The URL with these segments added, each encoded. Callers have refused dot segments (`reference::name`), which a URL cannot hold.
fn join(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.path_segments_mut()
        .expect("http URLs have a path")
        .pop_if_empty()
        .extend(segments);
    url
}

/// Prepares a client for one server: no redirects, no proxy for this machine's own, the system's certificates and those of `ca_file`.
pub(crate) fn http(url: &Url, ca_file: Option<&Path>) -> anyhow::Result<reqwest::ClientBuilder> {
    // A second call finds a provider installed, and that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // Reading the system's certificates takes longer than a call, and nothing here needs them.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = ca_file {
        let pem = std::fs::read(path)
            .with_context(|| format!("cannot read the certificates in {}", path.display()))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .with_context(|| format!("{} holds no certificates", path.display()))?;
        builder = builder.tls_certs_merge(certificates);
    }
    Ok(builder)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded_and_a_path_before_them_is_kept() {
        let join =
            |base: &str, segments: &[&str]| join(&Url::parse(base).unwrap(), segments).to_string();
        assert_eq!(join("http://h:1", &["api", "a b"]), "http://h:1/api/a%20b");
        assert_eq!(
            join("https://h/cairn", &["x", "a/../b?c#d"]),
            "https://h/cairn/x/a%2F..%2Fb%3Fc%23d"
        );
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let is = |text: &str| is_loopback(&Url::parse(text).unwrap());
        assert!(
            is("http://localhost:8000")
                && is("http://127.9.0.1")
                && is("http://[::1]:1")
                && is("http://a.localhost")
        );
        assert!(
            !is("http://localhost.example.org")
                && !is("http://10.0.0.1")
                && !is("http://notlocalhost")
        );
    }
}

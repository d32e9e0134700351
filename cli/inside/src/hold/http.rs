//! Plain requests to the API: HTTP/1.1, with TLS where the address says so, from parts that are in this small program anyway.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

/// How long one request may take: the service answers a question after 25 s at the latest.
const LIMIT: Duration = Duration::from_mins(1);
/// An answer holds a notebook at most, of which the service takes 64 MiB.
const ANSWER_BYTES: usize = 72 << 20;

/// Requests about one job, with its token.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The job's address.
    job: String,
    bearer: String,
}

/// Why a request brought nothing.
pub(crate) enum Failure {
    /// The service is away, or busy, as the text says; it may answer later.
    Passing(String),
    /// The service said no, and will again.
    Refused {
        /// Its words.
        message: String,
        /// Whether that is because of how things stand.
        is_conflict: bool,
    },
}

#[derive(Deserialize)]
struct Envelope {
    message: String,
}

impl Http {
    /// Requests about the job that this process works for, as its environment tells.
    pub(crate) fn given() -> Result<Self, String> {
        let base = variable("CAIRN_API_URL")?;
        let project = variable("CAIRN_PROJECT_ID")?;
        let job = variable("CAIRN_JOB")?;
        let number = job.rsplit('#').next().unwrap_or_default();
        let token = match variable("CAIRN_TOKEN_FILE") {
            Ok(path) => std::fs::read_to_string(&path)
                .map_err(|error| format!("the job's token cannot be read: {error}"))?,
            Err(_) => variable("CAIRN_TOKEN")?,
        };
        let base = base.trim_end_matches('/');
        Ok(Self {
            client: client(base.starts_with("https:"))?,
            job: format!("{base}/api/v1/projects/{project}/jobs/{number}"),
            bearer: format!("Bearer {}", token.trim()),
        })
    }

    /// Sends one request about the job and gives the body of its answer, empty where it has none.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, Failure> {
        let exchange = async {
            let mut bearer = header::HeaderValue::from_str(&self.bearer).map_err(passing)?;
            bearer.set_sensitive(true);
            let text = body.map(Value::to_string).unwrap_or_default();
            let request = Request::builder()
                .method(method)
                .uri(format!("{}/{path}", self.job))
                .header(header::AUTHORIZATION, bearer)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::from(text))
                .map_err(passing)?;
            let response = self.client.request(request).await.map_err(passing)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES);
            let body = body.collect().await;
            let body = body.map_err(|error| passing(&*error))?.to_bytes();
            judged(status, body)
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .map_err(passing)?
    }
}

/// Only what the service itself has decided is final. Anything else may be something in between, or a service that is on its way up.
fn judged(status: StatusCode, body: Bytes) -> Result<Bytes, Failure> {
    if status.is_success() {
        return Ok(body);
    }
    let envelope = serde_json::from_slice::<Envelope>(&body);
    match (status.as_u16(), envelope) {
        (400 | 401 | 403 | 409 | 413, Ok(Envelope { message })) => Err(Failure::Refused {
            message,
            is_conflict: status == StatusCode::CONFLICT,
        }),
        _ => Err(Failure::Passing(format!("it answers with status {status}"))),
    }
}

fn client(with_tls: bool) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, String> {
    let mut roots = rustls::RootCertStore::empty();
    if with_tls {
        for certificate in rustls_native_certs::load_native_certs().certs {
            // Systems keep some that are of no use; the others do.
            let _ = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err("there are no certificates of authorities here to trust the service by: install ca-certificates, or set SSL_CERT_FILE".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// What goes wrong on the way: the run can only try again.
fn passing(error: impl std::error::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Failure::Passing(text)
}

fn variable(name: &str) -> Result<String, String> {
    let text = std::env::var_os(name).and_then(|text| text.into_string().ok());
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| format!("{name} is not set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_service_says_no() {
        let no = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            judged(status, Bytes::from(body.to_owned())).err()
        };
        let envelope = r#"{"code":"conflict","message":"No.","request_id":"x"}"#;
        assert!(matches!(
            no(409, envelope),
            Some(Failure::Refused {
                is_conflict: true,
                ..
            })
        ));
        for (status, body) in [(409, "busy"), (502, envelope), (404, envelope), (429, "")] {
            assert!(matches!(no(status, body), Some(Failure::Passing(_))));
        }
        assert!(no(204, "").is_none());
    }
}

//! The proxy's own answers: JSON for programs, a calm page for people, redirects to the app. Everything that came from outside is
//! escaped, and nothing secret is in them. A server that is not there is 503, never 502 or 504: JupyterLab then keeps trying.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::body::Body;

/// Why a request gets no answer from a workspace's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request is malformed or ambiguous.
    Bad(&'static str),
    /// An upgrade to something that is not a WebSocket.
    Upgrade,
    /// There is nothing here.
    Missing,
    /// No credential that opens this workspace.
    Stranger,
    /// A page elsewhere caused it.
    Forged,
    /// The server does not run.
    Stopped,
    /// The server is on its way up.
    Starting,
    /// The server should run but hung up, or said no HTTP.
    Unreachable,
    /// Too many requests or tunnels at the same time.
    Busy,
    /// The records cannot be read now.
    Unanswered,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Bad(_) | Self::Upgrade => StatusCode::BAD_REQUEST,
            Self::Missing => StatusCode::NOT_FOUND,
            Self::Stranger | Self::Forged => StatusCode::FORBIDDEN,
            Self::Stopped | Self::Starting | Self::Unreachable | Self::Busy | Self::Unanswered => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Bad(_) => "invalid",
            Self::Upgrade => "unsupported_upgrade",
            Self::Missing => "not_found",
            Self::Stranger => "forbidden",
            Self::Forged => "cross_site_request",
            Self::Stopped => "server_stopped",
            Self::Starting => "server_starting",
            Self::Unreachable => "server_unreachable",
            Self::Busy => "too_busy",
            Self::Unanswered => "unavailable",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Bad(message) => message,
            Self::Upgrade => "Only WebSocket connections can be opened here.",
            Self::Missing => "There is nothing at this address.",
            Self::Stranger => "Sign in, or send a token that opens this workspace.",
            Self::Forged => "This request came from a page of another site.",
            Self::Stopped => "The server of this workspace is not running.",
            Self::Starting => "The server of this workspace is starting.",
            Self::Unreachable => "The server of this workspace does not answer at the moment.",
            Self::Busy => "Too many connections to this workspace at the same time.",
            Self::Unanswered => "The service cannot answer at the moment. Try again.",
        }
    }

    fn retry_after_s(self) -> Option<&'static str> {
        match self {
            Self::Starting | Self::Busy | Self::Unanswered => Some("2"),
            Self::Stopped | Self::Unreachable => Some("10"),
            _ => None,
        }
    }
}

/// Whether a request is a person's browser opening a page, as opposed to a program.
pub(super) fn is_page_visit(method: &Method, headers: &HeaderMap, api: bool) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) || api {
        return false;
    }
    if let Some(mode) = headers.get("sec-fetch-mode") {
        return mode == "navigate";
    }
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// A refusal as `{"code","message","request_id"}`.
pub(super) fn json(refusal: Refusal, request_id: &str) -> Response<Body> {
    let body = serde_json::json!({"code": refusal.code(), "message": refusal.message(), "request_id": request_id});
    let mut response = answer(refusal, body.to_string(), "application/json");
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// A refusal as a page. `app` is where its button leads; `label` is what the button says.
pub(super) fn page(refusal: Refusal, app: &str, request_id: &str) -> Response<Body> {
    const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:20vh auto 0;max-width:28rem;padding:0 1.5rem;color:#1f2328;background:#fff}\
        a{display:inline-block;margin-top:1rem;padding:.55rem 1.1rem;border-radius:.4rem;background:#2357c5;color:#fff;text-decoration:none}\
        a:focus-visible{outline:3px solid #9bbcff;outline-offset:2px}small{display:block;margin-top:2rem;color:#656d76}\
        @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}small{color:#8d96a0}}";
    let label = match refusal {
        Refusal::Stopped => "Start",
        _ => "Open in Cairn",
    };
    let refresh = if refusal == Refusal::Starting {
        "<meta http-equiv=\"refresh\" content=\"2\">"
    } else {
        ""
    };
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">{refresh}\
         <title>Cairn</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{message}</p>\
         <a href=\"{app}\">{label}</a><small>{request_id}</small></main></body></html>",
        title = "Workspace",
        message = escape(refusal.message()),
        app = escape(app),
        request_id = escape(request_id),
    );
    let mut response = answer(refusal, body, "text/html; charset=utf-8");
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(policy),
    );
    response.headers_mut().insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// A redirect that is never stored. An address that no header can carry becomes a plain 404.
pub(super) fn redirect(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(to) {
        Ok(to) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, to);
        }
        Err(_) => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// Text for HTML, also inside quotes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' | '`' => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

fn answer(refusal: Refusal, body: String, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Some(seconds) = refusal.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_escapes_what_it_shows() {
        assert_eq!(escape("a&<b>\"'`"), "a&#38;&#60;b&#62;&#34;&#39;&#96;");
    }

    #[test]
    fn a_header_that_cannot_be_is_no_redirect() {
        assert_eq!(
            redirect("http://a/\r\nx: y").status(),
            StatusCode::NOT_FOUND
        );
    }
}

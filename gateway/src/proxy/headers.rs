//! Headers on their way through, both ways. What is named here never crosses: RFC 9110 section 7.6.1 (hop-by-hop), identity that a
//! client claims, our credentials, and what a workspace could use to weaken its neighbours.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::{cookies, credentials, wire::field};
use crate::text;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What we say of a request to the workspace's server.
pub(super) struct Said<'a> {
    pub(super) client: IpAddr,
    pub(super) secure: bool,
    pub(super) authorization: &'a HeaderValue,
    /// A WebSocket handshake, whose upgrade is ours to ask for again.
    pub(super) upgrade: bool,
}

/// Writes a client's headers as the workspace's server gets them, without those that frame the body.
pub(super) fn to_upstream(headers: &HeaderMap, said: &Said<'_>, line: &mut Vec<u8>) {
    let named = named_by_connection(headers);
    for (name, value) in headers {
        match *name {
            _ if named.contains(name) => {}
            header::COOKIE => cookies::write_without_ours(value, line),
            header::REFERER => write_referer(value, line),
            // They frame the message; trailers of requests do not go on.
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::TRAILER => {}
            _ if is_hop_by_hop(name.as_str()) || is_claim(name.as_str()) => {}
            _ => field(line, name.as_str(), value.as_bytes()),
        }
    }
    field(line, "authorization", said.authorization.as_bytes());
    write_forwarded(headers, said, line);
    if said.upgrade {
        field(line, "connection", b"Upgrade");
        field(line, "upgrade", b"websocket");
    } else if names(headers, &header::TE, "trailers") {
        field(line, "connection", b"te");
        field(line, "te", b"trailers");
    }
}

/// Where an answer goes.
pub(super) struct Towards<'a> {
    /// `/w/{id}/`.
    pub(super) base: &'a str,
    /// The app's own origin, where nothing of a workspace may be shown or stored.
    pub(super) app: bool,
    /// The request had its token in the address.
    pub(super) token_in_query: bool,
}

/// Turns the headers of a workspace's server into those that the client gets.
pub(super) fn to_client(headers: &mut HeaderMap, towards: &Towards<'_>) {
    drop_fields(headers, is_unwanted);
    if headers.contains_key(header::SET_COOKIE) {
        confine_cookies(headers, towards);
    }
    confine_worker(headers, towards.base);
    headers
        .entry(RESOURCE_POLICY)
        .or_insert(HeaderValue::from_static("same-origin"));
    if towards.app {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox"),
        );
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
    }
    if towards.token_in_query {
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
    }
}

/// What a request asks its connection to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// Nothing.
    No,
    /// A WebSocket.
    WebSocket,
    /// Something else, or a WebSocket in a form that none may have.
    Refused,
}

/// Reads `Upgrade` and `Connection` of a request.
pub(super) fn upgrade(request: &http::request::Parts) -> Upgrade {
    let mut wanted = request.headers.get_all(header::UPGRADE).iter();
    let Some(first) = wanted.next() else {
        return Upgrade::No;
    };
    let sound = wanted.next().is_none()
        && first.as_bytes().eq_ignore_ascii_case(b"websocket")
        && names(&request.headers, &header::CONNECTION, "upgrade")
        && request.method == http::Method::GET
        && request.version == Version::HTTP_11
        && !request.headers.contains_key(header::CONTENT_LENGTH)
        && !request.headers.contains_key(header::TRANSFER_ENCODING);
    if sound {
        Upgrade::WebSocket
    } else {
        Upgrade::Refused
    }
}

/// Whether the comma-separated lists of header `name` hold `token`.
pub(super) fn names(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|found| found.trim().eq_ignore_ascii_case(token))
}

/// The fields present that `Connection` names.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        // Nobody must be able to make these vanish: they frame the message or name its host.
        .filter(|name| !matches!(*name, header::CONTENT_LENGTH | header::HOST))
        .filter(|name| headers.contains_key(name))
        .collect()
}

/// Takes out hop-by-hop fields, those that `Connection` names, and those that `unwanted` says.
fn drop_fields(headers: &mut HeaderMap, unwanted: fn(&str) -> bool) {
    let mut dropped = named_by_connection(headers);
    let always = |name: &&HeaderName| is_hop_by_hop(name.as_str()) || unwanted(name.as_str());
    dropped.extend(headers.keys().filter(always).cloned());
    for name in dropped {
        headers.remove(name);
    }
}

/// Hop-by-hop fields besides those that `Connection` names.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "proxy-connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a client's header claims something that only we may say. Servers behind a WSGI bridge read `_` as `-`.
fn is_claim(name: &str) -> bool {
    const EXACT: [&str; 17] = [
        "authorization",
        "client-ip",
        "cf-connecting-ip",
        "expect",
        "forwarded",
        "http2-settings",
        "proxy",
        "proxy-authorization",
        "remote-user",
        "true-client-ip",
        "x-client-ip",
        "x-original-url",
        "x-real-ip",
        "x-remote-user",
        "x-rewrite-url",
        "x-scheme",
        "x-cluster-client-ip",
    ];
    const PREFIXES: [&str; 10] = [
        "x-forwarded",
        "x-user",
        "x-jupyterhub-",
        "x-cairn-",
        "x-auth-",
        "x-remote-",
        "x-webauth-",
        "x-authenticated-",
        "x-ssl-",
        "x-client-cert",
    ];
    let normal;
    let name = if name.contains('_') {
        normal = name.replace('_', "-");
        &normal
    } else {
        name
    };
    match name.as_bytes().first() {
        Some(b'x') => {
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || EXACT.contains(&name)
        }
        Some(b'a' | b'c' | b'e' | b'f' | b'h' | b'p' | b'r' | b't') => EXACT.contains(&name),
        _ => false,
    }
}

/// Whether a header of a workspace's server could open the workspace to other origins, or act on origins besides its own.
fn is_unwanted(name: &str) -> bool {
    name.starts_with("access-control-")
        || matches!(
            name,
            "clear-site-data"
                | "strict-transport-security"
                | "alt-svc"
                | "public-key-pins"
                | "nel"
                | "report-to"
                | "proxy-authenticate"
        )
}

fn write_referer(referer: &HeaderValue, line: &mut Vec<u8>) {
    let all = referer.as_bytes();
    let page = all.iter().position(|byte| *byte == b'?');
    let shown = match page.map(|at| all.split_at(at)) {
        // Bytes beyond ASCII, which browsers do not send but others do, tell nothing of what is looked for.
        Some((page, query)) if is_secret(&String::from_utf8_lossy(&query[1..])) => page,
        _ => all,
    };
    field(line, "referer", shown);
}

/// Whether a query has what lets its holder in.
fn is_secret(query: &str) -> bool {
    credentials::has_token(query) || query.contains("code=")
}

fn write_forwarded(headers: &HeaderMap, said: &Said<'_>, line: &mut Vec<u8>) {
    field(
        line,
        "x-forwarded-for",
        text::address(said.client).as_bytes(),
    );
    let proto = if said.secure { "https" } else { "http" };
    field(line, "x-forwarded-proto", proto.as_bytes());
    if let Some(host) = headers.get(header::HOST) {
        field(line, "x-forwarded-host", host.as_bytes());
    }
}

fn confine_cookies(headers: &mut HeaderMap, towards: &Towards<'_>) {
    let kept: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter(|_| !towards.app)
        .filter_map(|value| cookies::confined(value, towards.base))
        .collect();
    headers.remove(header::SET_COOKIE);
    for value in kept {
        headers.append(header::SET_COOKIE, value);
    }
}

/// A service worker may not reach beyond the workspace that it came from.
fn confine_worker(headers: &mut HeaderMap, base: &str) {
    const ALLOWED: HeaderName = HeaderName::from_static("service-worker-allowed");
    if headers
        .get(&ALLOWED)
        .is_some_and(|scope| !scope.as_bytes().starts_with(base.as_bytes()))
    {
        headers.remove(&ALLOWED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let authorization = HeaderValue::from_static("token server");
        let said = Said {
            client: [192, 0, 2, 1].into(),
            secure: true,
            authorization: &authorization,
            upgrade: false,
        };
        let mut written = Vec::new();
        to_upstream(&headers, &said, &mut written);
        let mut places = [httparse::EMPTY_HEADER; 16];
        written.extend_from_slice(b"\r\n");
        let parsed = httparse::parse_headers(&written, &mut places).unwrap();
        let mut headers = HeaderMap::new();
        for one in parsed.unwrap().1 {
            let name = HeaderName::from_bytes(one.name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(one.value).unwrap());
        }
        headers
    }

    #[test]
    fn only_our_word_of_the_client_is_passed_on() {
        let headers = sent(&[
            ("host", "a.localhost"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x_forwarded_host", "evil"),
            ("X-User", "root"),
            ("x-jupyterhub-user", "root"),
            ("forwarded", "for=1"),
            ("authorization", "Bearer mine"),
            ("x-xsrftoken", "kept"),
        ]);
        let mut found: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "authorization: token server",
                "host: a.localhost",
                "x-forwarded-for: 192.0.2.1",
                "x-forwarded-host: a.localhost",
                "x-forwarded-proto: https",
                "x-xsrftoken: kept",
            ]
        );
    }

    #[test]
    fn a_connection_header_cannot_take_away_what_frames_a_message() {
        let headers = sent(&[
            ("host", "a"),
            ("connection", "close, x-a, content-length, host"),
            ("x-a", "1"),
            ("content-length", "3"),
        ]);
        assert!(!headers.contains_key("x-a") && !headers.contains_key("connection"));
        assert_eq!(headers["host"], "a");
        assert!(named_by_connection(&headers).is_empty());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "content-length, x-a"),
            ("content-length", "3"),
            ("x-a", "1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        drop_fields(&mut headers, is_unwanted);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["content-length"]);
    }

    #[test]
    fn a_token_in_a_referer_is_taken_out() {
        let headers = sent(&[
            ("host", "a"),
            ("referer", "http://a/w/1/lab?token=secret&x=1"),
        ]);
        assert_eq!(headers["referer"], "http://a/w/1/lab");
        let headers = sent(&[("host", "a"), ("referer", "http://a/w/1/lab?x=1")]);
        assert_eq!(headers["referer"], "http://a/w/1/lab?x=1");
    }

    #[test]
    fn bytes_beyond_ascii_pass_and_hide_no_token() {
        let headers = sent(&[
            ("host", "a"),
            ("referer", "http://a/w/1/ü?token=secret&x=ü"),
            ("x-name", "Jörg"),
        ]);
        assert_eq!(headers["referer"], "http://a/w/1/ü".as_bytes());
        assert_eq!(headers["x-name"], "Jörg".as_bytes());
        let headers = sent(&[("host", "a"), ("referer", "http://a/ü?x=ü")]);
        assert_eq!(headers["referer"], "http://a/ü?x=ü".as_bytes());
    }
}

//! jupyter.md section 4.4, "AuthN/Z": the cases that concern the proxy.

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering},
};

use gateway::proxy::Upstream;
use http::{Method, StatusCode};

use super::proxy_fixture::{A, B, Gateway};

const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];
const PATHS: [&str; 12] = [
    "",
    "lab",
    "api",
    "api/kernels",
    "api/contents/x.ipynb",
    "files/x.html",
    "static/x.js",
    "metrics",
    "proxy/8080/",
    "api/events/subscribe",
    "terminals/websocket/1",
    "login",
];

#[tokio::test(flavor = "multi_thread")]
async fn case_10_every_path_and_method_is_authorised() {
    let (gateway, echo) = Gateway::with_echo().await;
    for path in PATHS {
        for method in METHODS {
            for (header, value) in [
                ("x-nothing", "1"),
                ("cookie", "cairn_workspace=bob"),
                ("cookie", "cairn_workspace=revoked"),
                ("cookie", "cairn_session=alice"),
                ("cookie", "cairn_workspace="),
                ("authorization", "Bearer wrong"),
                ("authorization", "token wrong"),
                ("authorization", "Bearer "),
                ("authorization", "Basic tok"),
                ("authorization", "Bearer server-token"),
            ] {
                let reply = gateway
                    .ask(&format!("/w/{A}/{path}"), |request| {
                        *request.method_mut() = method.clone();
                        request.headers_mut().remove("cookie");
                        request.headers_mut().insert(header, value.parse().unwrap());
                        request
                            .headers_mut()
                            .insert("origin", gateway.origin(A).parse().unwrap());
                    })
                    .await;
                assert_eq!(
                    reply.status,
                    StatusCode::FORBIDDEN,
                    "{method} {path} {header}: {value}"
                );
                if method != Method::HEAD {
                    assert_eq!(reply.json()["code"], "forbidden");
                    assert!(!reply.json()["request_id"].as_str().unwrap().is_empty());
                }
            }
        }
        let status = gateway
            .refused(&format!("/w/{A}/{path}"), |headers| {
                drop(headers.remove("cookie"));
            })
            .await;
        assert_eq!(
            status,
            StatusCode::FORBIDDEN,
            "an upgrade is never redirected: {path}"
        );
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_10_a_token_opens_on_either_origin() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let app = format!("localhost:{}", gateway.port);
    for host in [gateway.host(A), app.clone()] {
        for scheme in ["Bearer", "bearer", "token", "Token"] {
            let reply = gateway
                .ask(&format!("/w/{A}/api"), |request| {
                    let headers = request.headers_mut();
                    headers.remove("cookie");
                    headers.insert("host", host.parse().unwrap());
                    headers.insert("authorization", format!("{scheme} tok").parse().unwrap());
                })
                .await;
            assert_eq!(reply.status, StatusCode::OK, "{host} {scheme}");
            assert_eq!(
                reply.seen("authorization").as_deref(),
                Some("token server-token")
            );
        }
    }
    // The workspace's cookie is worth nothing on the app's origin.
    let reply = gateway
        .ask(&format!("/w/{A}/api"), |request| {
            drop(request.headers_mut().insert("host", app.parse().unwrap()));
        })
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_10_a_token_in_the_address_is_taken_out() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let reply = gateway
        .ask(
            &format!("/w/{A}/api?a=1&token=tok&b=2&%74oken=tok"),
            |request| drop(request.headers_mut().remove("cookie")),
        )
        .await;
    assert_eq!(reply.json()["target"], format!("/w/{A}/api?a=1&b=2"));
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    let reply = gateway
        .ask(&format!("/w/{A}/api?token=tok"), |request| {
            drop(request.headers_mut().remove("cookie"));
        })
        .await;
    assert_eq!(reply.json()["target"], format!("/w/{A}/api"));
}

/// A page of a workspace must never be a page of the app: not even with a token that an attacker put into the address.
#[tokio::test(flavor = "multi_thread")]
async fn case_12_the_apps_origin_shows_no_workspace() {
    let (gateway, echo) = Gateway::with_echo().await;
    let app = format!("localhost:{}", gateway.port);
    for (name, value) in [("accept", "text/html"), ("sec-fetch-mode", "navigate")] {
        let reply = gateway
            .ask(&format!("/w/{A}/files/x.html?token=tok&a=1"), |request| {
                request.headers_mut().insert("host", app.parse().unwrap());
                request.headers_mut().insert(name, value.parse().unwrap());
            })
            .await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        assert_eq!(
            reply.header("location"),
            format!("{}/w/{A}/files/x.html?a=1", gateway.origin(A))
        );
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
    let reply = gateway
        .ask(
            &format!("/w/{A}/headers?set-cookie=a%3D1&content-type=text/html"),
            |request| {
                request.headers_mut().insert("host", app.parse().unwrap());
                request
                    .headers_mut()
                    .insert("authorization", "Bearer tok".parse().unwrap());
            },
        )
        .await;
    assert_eq!(reply.header("content-security-policy"), "sandbox");
    assert_eq!(reply.header("set-cookie"), "");
    let reply = gateway
        .ask("/", |request| {
            drop(request.headers_mut().insert("host", app.parse().unwrap()));
        })
        .await;
    assert_eq!(&reply.body[..], b"the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_12_one_persons_cookie_opens_no_other_workspace() {
    let (gateway, _a) = Gateway::with_echo().await;
    let bobs = gateway.run_echo(B);
    for path in [format!("/w/{B}/api"), format!("/w/{B}/files/x")] {
        let reply = gateway
            .ask(&path, |request| {
                drop(
                    request
                        .headers_mut()
                        .insert("host", gateway.host(B).parse().unwrap()),
                );
            })
            .await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    // Bob's page uses Alice's browser.
    let reply = gateway
        .ask(&format!("/w/{A}/api/contents"), |request| {
            request
                .headers_mut()
                .insert("origin", gateway.origin(B).parse().unwrap());
            request
                .headers_mut()
                .insert("sec-fetch-site", "same-site".parse().unwrap());
            request
                .headers_mut()
                .insert("sec-fetch-mode", "cors".parse().unwrap());
        })
        .await;
    assert_eq!(reply.json()["code"], "cross_site_request");
    assert_eq!(bobs.requests.load(Ordering::Relaxed), 0);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn case_24_and_25_the_log_has_no_secrets_and_no_made_up_lines() {
    let sink = Log::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (gateway, _echo) = Gateway::with_echo().await;
    gateway.records.add_code("s3cret-code", A);
    gateway
        .ask(&format!("/w/{A}/.cairn/enter?code=s3cret-code"), |_| ())
        .await;
    gateway.records.set_upstream(B, Upstream::Stopped);
    for path in [
        format!("/w/{A}/api?token=s3cret-token"),
        format!("/w/{B}/api?token=s3cret-token"),
        format!("/w/{A}/status/500?token=tok"),
    ] {
        gateway
            .ask(&path, |request| {
                let headers = request.headers_mut();
                headers.insert("cookie", "cairn_workspace=s3cret-cookie".parse().unwrap());
                headers.insert("referer", "http://x/?token=s3cret-referer".parse().unwrap());
            })
            .await;
    }
    let long = "a".repeat(20_000);
    let raw = format!(
        "GET /w/{A}/{long}%1b[0m HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        gateway.host(A)
    );
    gateway.raw(raw).await;
    let raw = format!(
        "GET /w/{A}/\x7f\u{9b}x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        gateway.host(A)
    );
    gateway.raw(raw).await;
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("cairn::access"))
        .collect();
    assert!(lines.len() >= 5, "{text}");
    assert!(lines.iter().all(|line| line.len() < 1200), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    assert!(!text.contains("server-token"), "{text}");
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{9b}') && !text.contains('\u{7f}'),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_26_and_27_a_stopped_server_has_a_page_that_starts_nothing_by_itself() {
    let gateway = Gateway::start().await;
    gateway.records.set_upstream(A, Upstream::Stopped);
    let path = format!("/w/{A}/lab/tree/%3Cscript%3E?x='%3E%3Cscript%3E&y='");
    let raw = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nCookie: cairn_workspace=alice\r\nAccept: text/html\r\nConnection: close\r\n\r\n",
        path,
        gateway.host(A)
    );
    let answer = gateway.raw(raw).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains("text/html") && answer.contains(">Start<"),
        "{answer}"
    );
    assert!(
        answer.contains(&format!("http://localhost:{}/open/{A}?next=", gateway.port)),
        "{answer}"
    );
    assert!(
        !answer.contains("<script") && !answer.contains("alice"),
        "{answer}"
    );
    assert!(
        answer
            .to_lowercase()
            .contains("content-security-policy: default-src 'none'"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_a_session_is_sent_to_the_app() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let reply = gateway
        .ask(
            &format!("/w/{A}/lab/tree/a%20b?x=1&token=wrong"),
            |request| {
                request.headers_mut().remove("cookie");
                request
                    .headers_mut()
                    .insert("sec-fetch-mode", "navigate".parse().unwrap());
            },
        )
        .await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    let next: String =
        url::form_urlencoded::byte_serialize(format!("/w/{A}/lab/tree/a%20b?x=1").as_bytes())
            .collect();
    assert_eq!(
        reply.header("location"),
        format!("http://localhost:{}/open/{A}?next={next}", gateway.port)
    );
    // An API path is never redirected, whatever the browser accepts.
    let reply = gateway
        .ask(&format!("/w/{A}/api/kernels"), |request| {
            request.headers_mut().remove("cookie");
            request
                .headers_mut()
                .insert("accept", "text/html".parse().unwrap());
        })
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

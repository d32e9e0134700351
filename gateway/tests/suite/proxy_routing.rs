//! jupyter.md section 4.4, "Routing/parsing": cases 1 to 6.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http::{StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::proxy_fixture::{A, B, Gateway};

pub(crate) fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn case_01_ambiguous_paths_are_refused_and_others_arrive_as_sent() {
    let (gateway, echo) = Gateway::with_echo().await;
    for tail in [
        "../b/",
        "%2e%2e/b",
        "%2E%2e/",
        ".%2e/",
        "./x",
        "a/..",
        "a%2f..%2fb",
        "..%2f",
        "..;/x",
        "a\\b",
        "..%5cx",
        "%00",
        "a%0d%0ab",
        "%",
        "%4",
        "%zz",
        "%c0%ae%c0%ae/",
        "%ff",
        "%ed%a0%80",
    ] {
        let request = format!(
            "GET /w/{A}/{tail} HTTP/1.1\r\nHost: {}\r\nCookie: cairn_workspace=alice\r\nConnection: close\r\n\r\n",
            gateway.host(A)
        );
        let answer = gateway.raw(request).await;
        assert_eq!(status(&answer), 400, "{tail}: {answer}");
    }
    for path in [
        "//w/{A}/x",
        "/w//{A}/x",
        "/%77/{A}/x",
        "/w/{A};x/y",
        "/w%2f{A}/x",
    ] {
        let path = path.replace("{A}", A);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: cairn_workspace=alice\r\nConnection: close\r\n\r\n",
            gateway.host(A)
        );
        let code = status(&gateway.raw(request).await);
        assert!(code == 400 || code == 404, "{path}: {code}");
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
    for tail in [
        "a%20b",
        "x;y=1",
        "a%2Fb",
        "a%5Cb",
        "x//y",
        "%E2%82%AC",
        "@jupyterlab/x:y",
        "a'(b)*!$&,=+",
        "x?y=/../z&token2=%00",
    ] {
        let reply = gateway.ask(&format!("/w/{A}/{tail}"), |_| ()).await;
        assert_eq!(reply.json()["target"], format!("/w/{A}/{tail}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_02_an_id_that_begins_like_another_is_another() {
    let (gateway, echo) = Gateway::with_echo().await;
    for other in [&A[..35], &format!("{A}0"), B, &A.to_uppercase()] {
        let reply = gateway.ask(&format!("/w/{other}/api"), |_| ()).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{other}");
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_03_the_host_is_read_strictly() {
    let (gateway, echo) = Gateway::with_echo().await;
    let port = gateway.port;
    let ours = gateway.host(A);
    let get = |hosts: &str| {
        format!(
            "GET /w/{A}/x HTTP/1.1\r\n{hosts}Cookie: cairn_workspace=alice\r\nConnection: close\r\n\r\n"
        )
    };
    for hosts in [
        format!("Host: {A}.localhost.evil.com:{port}\r\n"),
        format!("Host: x{A}.localhost:{port}\r\n"),
        format!("Host: {A}.localhost.:{port}\r\n"),
        format!("Host: {A}.localhost:1\r\n"),
        format!("Host: {A}.evil.localhost:{port}\r\n"),
        "Host: [::2]:80\r\n".to_owned(),
        format!("Host: {A}.localhost\r\n"),
        format!("Host: evil\r\nX: {ours}\r\n"),
    ] {
        let answer = gateway.raw(get(&hosts)).await;
        assert_eq!(status(&answer), 421, "{hosts}: {answer}");
        assert!(answer.contains("\r\nx-request-id: "), "{answer}");
        assert!(!answer.contains(r#""request_id":"""#), "{answer}");
    }
    for hosts in [
        String::new(),
        format!("Host: {ours}\r\nHost: {ours}\r\n"),
        format!("Host: {ours}\r\nHost: evil\r\n"),
        "Host: \r\n".to_owned(),
        format!("Host: {ours}:1\r\n"),
        format!("Host: a@{ours}\r\n"),
        "Host: [::1\r\n".to_owned(),
        format!("Host: {ours}, evil\r\n"),
    ] {
        let answer = gateway.raw(get(&hosts)).await;
        assert_eq!(status(&answer), 400, "{hosts}: {answer}");
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
    let upper = format!("Host: {}\r\n", ours.to_uppercase());
    // The id itself is compared after lower-casing: host names have no case.
    assert_eq!(status(&gateway.raw(get(&upper)).await), 200);
    let absolute = |target: &str| {
        format!(
            "GET http://{target}/w/{A}/x HTTP/1.1\r\nHost: {ours}\r\nCookie: cairn_workspace=alice\r\nConnection: close\r\n\r\n"
        )
    };
    assert_eq!(status(&gateway.raw(absolute("evil")).await), 400);
    assert_eq!(status(&gateway.raw(absolute(&gateway.host(B))).await), 400);
    let answer = gateway.raw(absolute(&ours)).await;
    assert!(
        answer.contains(&format!("\"target\":\"/w/{A}/x\"")),
        "{answer}"
    );
}

/// What a raw server saw, connection by connection, and how many requests that looks like.
fn recording(gateway: &Gateway) -> (Arc<Mutex<String>>, Arc<AtomicUsize>) {
    let seen = Arc::new(Mutex::new(String::new()));
    let answered = Arc::new(AtomicUsize::new(0));
    let (log, count) = (seen.clone(), answered.clone());
    gateway.run_script(A, move |mut stream| {
        let (log, count) = (log.clone(), count.clone());
        async move {
            let mut buffer = vec![0; 64 * 1024];
            let mut got = String::new();
            while let Ok(read) = stream.read(&mut buffer).await {
                if read == 0 {
                    return;
                }
                let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                log.lock().unwrap().push_str(&text);
                got.push_str(&text);
                let complete = got.contains("\r\n\r\n")
                    && (!got.contains("chunked") || got.contains("0\r\n\r\n"));
                if complete {
                    got.clear();
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        .await;
                }
            }
        }
    });
    (seen, answered)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn case_04_requests_cannot_be_smuggled_in() {
    let gateway = Gateway::start().await;
    let (seen, _) = recording(&gateway);
    let host = gateway.host(A);
    let origin = gateway.origin(A);
    let smuggled = format!("GET /w/{A}/smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let post = |framing: &str, body: &str| {
        format!(
            "POST /w/{A}/x HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: cairn_workspace=alice\r\n{framing}\r\n{body}"
        )
    };
    let length = smuggled.len() + 5;
    for (framing, body) in [
        (
            format!(
                "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            ),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            format!(
                "Transfer-Encoding: chunked\r\nContent-Length: {length}\r\nConnection: close\r\n"
            ),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "Content-Length: 0\r\nContent-Length: 5\r\n".to_owned(),
            smuggled.clone(),
        ),
        ("Content-Length: 0, 5\r\n".to_owned(), smuggled.clone()),
        ("Content-Length: +0\r\n".to_owned(), smuggled.clone()),
        ("Content-Length: -1\r\n".to_owned(), smuggled.clone()),
        (
            "Transfer-Encoding: xchunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "Transfer-Encoding: chunked, identity\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "Transfer-Encoding:\x0bchunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "Transfer-Encoding : chunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "X: a\r\n Transfer-Encoding: chunked\r\n".to_owned(),
            format!("0\r\n\r\n{smuggled}"),
        ),
        (
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("0x0\r\n\r\n{smuggled}"),
        ),
        (
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("fffffffffffffffff\r\n{smuggled}"),
        ),
        ("X: a\0b\r\n".to_owned(), smuggled.clone()),
    ] {
        seen.lock().unwrap().clear();
        let answer = gateway.raw(post(&framing, &body)).await;
        let seen = seen.lock().unwrap().clone();
        assert!(!seen.contains("smuggled"), "{framing:?}: {seen}");
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1,
            "{framing:?}: {answer}"
        );
        // Whatever went on was framed in one way only. Of a length beside `Transfer-Encoding` hyper lets go while it reads the head and
        // tells nobody, so such a request is not refused with 400 but sent on as chunked, as RFC 9112 section 6.3 allows.
        assert!(
            !(seen.to_lowercase().contains("content-length")
                && seen.to_lowercase().contains("transfer-encoding")),
            "{framing:?}: {seen}"
        );
    }
}

/// What follows the answer to CONNECT is no HTTP: its connection must never serve another request.
#[tokio::test(flavor = "multi_thread")]
async fn case_04_connect_is_refused() {
    let gateway = Gateway::start().await;
    let (seen, _) = recording(&gateway);
    let (host, origin) = (gateway.host(A), gateway.origin(A));
    let connect = format!(
        "CONNECT /w/{A}/x HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: cairn_workspace=alice\r\nConnection: close\r\n\r\n"
    );
    let answer = gateway.raw(connect).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_04_bare_line_feeds_and_chunk_extensions_do_not_travel() {
    let gateway = Gateway::start().await;
    let (seen, _) = recording(&gateway);
    let (host, origin) = (gateway.host(A), gateway.origin(A));
    let request = format!(
        "POST /w/{A}/x HTTP/1.1\nHost: {host}\nOrigin: {origin}\nCookie: cairn_workspace=alice\nTransfer-Encoding: chunked\nConnection: close\n\n5;ext=\"a\"\r\nhello\r\n0\r\n\r\n"
    );
    let answer = gateway.raw(request).await;
    let seen = seen.lock().unwrap().clone();
    if status(&answer) == 200 {
        assert!(
            seen.contains("\r\n5\r\nhello\r\n0\r\n\r\n") && !seen.contains("ext"),
            "{seen:?}"
        );
        assert_eq!(
            seen.matches('\n').count(),
            seen.matches("\r\n").count(),
            "{seen:?}"
        );
    } else {
        assert_eq!(status(&answer), 400, "{answer}");
    }
}

/// A server that says more than was asked must not have its surplus taken for the next client's answer.
#[tokio::test(flavor = "multi_thread")]
async fn case_04_a_surplus_answer_never_reaches_the_next_client() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |mut stream| async move {
        let mut buffer = vec![0; 64 * 1024];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
            let surplus = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
            if stream.write_all(surplus.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    for _ in 0..20 {
        let reply = gateway.ask(&format!("/w/{A}/x"), |_| ()).await;
        assert_eq!(&reply.body[..], b"ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_05_hop_by_hop_headers_are_stripped() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let reply = gateway
        .ask(&format!("/w/{A}/x"), |request| {
            for (name, value) in [
                ("connection", "keep-alive, x-secret, X-Other"),
                ("x-secret", "1"),
                ("x-other", "2"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("proxy-authorization", "Basic x"),
                ("te", "gzip"),
                ("x-kept", "3"),
            ] {
                request.headers_mut().append(name, value.parse().unwrap());
            }
        })
        .await;
    for name in [
        "connection",
        "x-secret",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "transfer-encoding",
        "upgrade",
    ] {
        assert_eq!(reply.seen(name), None, "{name}");
    }
    assert_eq!(reply.seen("x-kept").as_deref(), Some("3"));
    let back =
        "connection=x-mine&x-mine=1&keep-alive=timeout%3D5&proxy-authenticate=Basic&x-kept=2";
    let reply = gateway.ask(&format!("/w/{A}/headers?{back}"), |_| ()).await;
    for name in ["x-mine", "keep-alive", "proxy-authenticate"] {
        assert_eq!(reply.header(name), "", "{name}");
    }
    assert_eq!(reply.header("x-kept"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_claims_of_the_client_never_reach_the_server() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let reply = gateway
        .ask(&format!("/w/{A}/x"), |request| {
            for name in [
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-forwarded-user",
                "x-forwarded-prefix",
                "forwarded",
                "x-real-ip",
                "x-user",
                "x-user-id",
                "x-jupyterhub-user",
                "x-jupyterhub-version",
                "remote-user",
                "x_forwarded_for",
                "x-scheme",
                "x-auth-request-user",
                "x-remote-user",
                "proxy",
            ] {
                request.headers_mut().insert(name, "evil".parse().unwrap());
            }
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, "Basic ZXZpbA==".parse().unwrap());
        })
        .await;
    assert!(
        !String::from_utf8_lossy(&reply.body).contains("evil"),
        "{reply:?}"
    );
    assert!(
        !String::from_utf8_lossy(&reply.body).contains("ZXZpbA"),
        "{reply:?}"
    );
    assert_eq!(
        reply.seen("authorization").as_deref(),
        Some("token server-token")
    );
    assert_eq!(reply.seen("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(reply.seen("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(reply.seen("x-forwarded-host"), Some(gateway.host(A)));
    assert_eq!(reply.seen("host"), Some(gateway.host(A)));
}

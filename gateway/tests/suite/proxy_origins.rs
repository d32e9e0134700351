//! jupyter.md section 4.4, "AuthN/Z": cases 13 to 16, what other sites and the servers themselves may do.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode, header};

use super::proxy_fixture::{A, B, Gateway, until};

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn case_13_only_the_workspaces_own_origin_may_change_things_or_open_sockets() {
    let (gateway, echo) = Gateway::with_echo().await;
    let ours = gateway.origin(A);
    let wrong = [
        "null".to_owned(),
        String::new(),
        ours.replace("http:", "https:"),
        format!("{ours}.evil.com"),
        ours.replace("http://", "http://x"),
        gateway.origin(B),
        format!("http://localhost:{}", gateway.port),
        format!("http://{A}.localhost"),
        format!("{ours}0"),
        "file://".to_owned(),
    ];
    for origin in wrong {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let reply = gateway
                .ask(&format!("/w/{A}/api/kernels"), |request| {
                    *request.method_mut() = method;
                    request
                        .headers_mut()
                        .insert("origin", origin.parse().unwrap());
                })
                .await;
            assert_eq!(reply.json()["code"], "cross_site_request", "{origin}");
        }
        let status = gateway
            .refused(&format!("/w/{A}/ws"), |headers| {
                drop(headers.insert("origin", origin.parse().unwrap()));
            })
            .await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(
        gateway
            .refused(&format!("/w/{A}/ws"), |headers| drop(
                headers.remove("origin")
            ))
            .await,
        StatusCode::FORBIDDEN
    );
    let reply = gateway
        .ask(&format!("/w/{A}/x"), |request| {
            *request.method_mut() = Method::POST;
        })
        .await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
    let reply = gateway
        .ask(&format!("/w/{A}/x"), |request| {
            *request.method_mut() = Method::POST;
            request
                .headers_mut()
                .insert("origin", ours.parse().unwrap());
        })
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    // A program with a token is not a browser.
    let socket = gateway
        .websocket(&format!("/w/{A}/ws?token=tok"), |headers| {
            headers.remove("origin");
            headers.remove("cookie");
        })
        .await;
    assert!(socket.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn case_14_no_fetch_mode_excuses_another_site() {
    let (gateway, echo) = Gateway::with_echo().await;
    for mode in ["no-cors", "navigate", "websocket", "cors"] {
        for site in ["cross-site", "same-site", "none"] {
            let reply = gateway
                .ask(&format!("/w/{A}/api/terminals"), |request| {
                    *request.method_mut() = Method::POST;
                    request
                        .headers_mut()
                        .insert("sec-fetch-mode", mode.parse().unwrap());
                    request
                        .headers_mut()
                        .insert("sec-fetch-site", site.parse().unwrap());
                })
                .await;
            assert_eq!(reply.json()["code"], "cross_site_request", "{mode} {site}");
        }
    }
    // CVE-2023-40170: a file is not opened from elsewhere, nor embedded. Nor is what may write one.
    let paths = [
        "files/x.html",
        "scheduler/jobs/x/download_files",
        ".cairn/api/v1/info",
    ];
    let ways = [
        ("navigate", "document"),
        ("navigate", "iframe"),
        ("no-cors", "script"),
        ("no-cors", "image"),
    ];
    for (path, (mode, dest)) in paths.iter().flat_map(|path| ways.map(|way| (path, way))) {
        let reply = gateway
            .ask(&format!("/w/{A}/{path}"), |request| {
                for (name, value) in [
                    ("sec-fetch-mode", mode),
                    ("sec-fetch-dest", dest),
                    ("sec-fetch-site", "cross-site"),
                ] {
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
            })
            .await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path} {mode} {dest}");
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
}

/// A server that was given its token reflects any origin; that must not get out.
#[tokio::test(flavor = "multi_thread")]
async fn case_14_no_answer_opens_the_workspace_to_other_origins() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let query = "access-control-allow-origin=http%3A%2F%2Fevil&access-control-allow-credentials=true&access-control-allow-headers=x&access-control-expose-headers=y\
                 &clear-site-data=%22cookies%22&strict-transport-security=max-age%3D1&service-worker-allowed=%2F";
    let reply = gateway
        .ask(&format!("/w/{A}/headers?{query}"), |_| ())
        .await;
    assert!(
        reply
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control-")),
        "{reply:?}"
    );
    for name in [
        "clear-site-data",
        "strict-transport-security",
        "service-worker-allowed",
    ] {
        assert_eq!(reply.header(name), "", "{name}");
    }
    assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_tossed_and_duplicated_cookies_do_no_harm() {
    let (gateway, _echo) = Gateway::with_echo().await;
    // A sibling tossed one in front of ours, and Bob's own does not open Alice's workspace.
    for (cookie, status) in [
        (
            "cairn_workspace=evil; cairn_workspace=alice",
            StatusCode::OK,
        ),
        (
            "cairn_workspace=bob; cairn_workspace=evil",
            StatusCode::FORBIDDEN,
        ),
        ("cairn_workspace=\"alice\"", StatusCode::FORBIDDEN),
        ("Cairn_workspace=alice", StatusCode::FORBIDDEN),
    ] {
        let reply = gateway
            .ask(&format!("/w/{A}/api"), |request| {
                drop(
                    request
                        .headers_mut()
                        .insert("cookie", cookie.parse().unwrap()),
                );
            })
            .await;
        assert_eq!(reply.status, status, "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_what_a_server_sets_stays_below_its_path() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let cookies = [
        "_xsrf=2%7Ca; Path=/; expires=Mon",
        "a=1; Domain=localhost; HttpOnly",
        "cairn_session=evil; Path=/",
        "cairn_workspace=evil",
        "__Host-cairn_session=evil; Secure; Path=/",
        "=cairn_workspace=evil",
    ];
    let query: Vec<String> = cookies
        .iter()
        .map(|cookie| {
            format!(
                "set-cookie={}&",
                url::form_urlencoded::byte_serialize(cookie.as_bytes()).collect::<String>()
            )
        })
        .collect();
    let reply = gateway
        .ask(
            &format!("/w/{A}/headers?{}", query.concat().trim_end_matches('&')),
            |_| (),
        )
        .await;
    let set: Vec<_> = reply
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(
        set,
        [
            format!("_xsrf=2%7Ca; expires=Mon; Path=/w/{A}/"),
            format!("a=1; HttpOnly; Path=/w/{A}/")
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_16_our_cookies_and_tokens_never_reach_the_server() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let reply = gateway
        .ask(&format!("/w/{A}/x"), |request| {
            let headers = request.headers_mut();
            headers.insert(
                "cookie",
                "a=1; cairn_session=s3cret; cairn_workspace=alice; _xsrf=x"
                    .parse()
                    .unwrap(),
            );
            headers.append("cookie", "__Host-cairn_session=s3cret".parse().unwrap());
            headers.insert(
                "referer",
                format!("{}/w/{A}/lab?token=s3cret", gateway.origin(A))
                    .parse()
                    .unwrap(),
            );
        })
        .await;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(
        !text.contains("s3cret") && !text.contains("alice"),
        "{text}"
    );
    assert_eq!(reply.seen("cookie").as_deref(), Some("a=1; _xsrf=x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_a_tunnel_is_judged_by_the_cookie_that_opened_it() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let tossed = |headers: &mut http::HeaderMap| {
        let cookies = "cairn_workspace=evil; cairn_workspace=alice";
        headers.insert("cookie", cookies.parse().unwrap());
    };
    let opened = gateway.websocket(&format!("/w/{A}/ws"), tossed).await;
    let (_socket, _) = opened.unwrap();
    let asked = gateway.records.asked.load(Ordering::Relaxed);
    until("two reviews", || {
        gateway.records.asked.load(Ordering::Relaxed) >= asked + 2
    })
    .await;
    assert_eq!(gateway.proxy.tunnels(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_12_without_a_domain_workspaces_share_the_second_listener() {
    let gateway = Gateway::start_shared().await;
    gateway.run_echo(A);
    let host = format!("localhost:{}", gateway.port);
    let origin = format!("http://{host}");
    let ask = async |path: String, method: Method, origin: &str| {
        gateway
            .ask(&path, |request| {
                *request.method_mut() = method;
                request.headers_mut().insert("host", host.parse().unwrap());
                request
                    .headers_mut()
                    .insert("origin", origin.parse().unwrap());
            })
            .await
    };
    let reply = ask(format!("/w/{A}/api"), Method::POST, &origin).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.seen("cookie"), None);
    // The app's origin differs in its port alone, and is another one all the same.
    let reply = ask(format!("/w/{A}/api"), Method::POST, "http://localhost:1").await;
    assert_eq!(reply.json()["code"], "cross_site_request");
    let reply = ask(format!("/w/{B}/api"), Method::POST, &origin).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let reply = ask("/".to_owned(), Method::GET, &origin).await;
    assert_eq!(reply.header("location"), "http://localhost:1");
    let reply = ask("/api/v1/info".to_owned(), Method::GET, &origin).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    // Its other names are not served.
    let reply = gateway.ask(&format!("/w/{A}/api"), |_| ()).await;
    assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST);
}

//! jupyter.md section 4.4, "AuthN/Z": cases 17 and 21, coming in and leaving.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};

use super::proxy_fixture::{A, B, Gateway};

#[tokio::test(flavor = "multi_thread")]
async fn jupyters_sign_out_leads_to_the_apps() {
    let (gateway, echo) = Gateway::with_echo().await;
    let reply = gateway.ask(&format!("/w/{A}/logout"), |_| ()).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(
        reply.header("location"),
        format!("http://localhost:{}/hub/logout", gateway.port)
    );
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn case_17_a_code_opens_once_and_leads_nowhere_else() {
    let (gateway, echo) = Gateway::with_echo().await;
    let enter = |code: &str, next: &str| {
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        format!("/w/{A}/.cairn/enter?code={code}&next={next}")
    };
    for (number, next) in [
        "//e",
        "/\\e",
        "///e",
        "https:e",
        "https:///e",
        "http://localhost//e",
        "/\r\nx: y",
        "%0d%0a",
        "javascript:alert(1)",
        "/\t/e",
        "\n//e",
        "",
        &format!("/w/{B}/lab"),
        &format!("/w/{A}/..//e"),
        &format!("/w/{A}//e"),
        "http://evil/w/",
    ]
    .iter()
    .enumerate()
    {
        let code = format!("code-{number}");
        gateway.records.add_code(&code, A);
        let reply = gateway
            .ask(&enter(&code, next), |request| {
                drop(request.headers_mut().remove("cookie"));
            })
            .await;
        assert_eq!(reply.header("location"), format!("/w/{A}/lab"), "{next:?}");
    }
    gateway.records.add_code("once", A);
    gateway.records.add_code("bobs", B);
    let path = enter("once", &format!("/w/{A}/lab/tree/x.ipynb?a=1"));
    let reply = gateway
        .ask(&path, |request| {
            drop(request.headers_mut().remove("cookie"));
        })
        .await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (
            StatusCode::SEE_OTHER,
            &*format!("/w/{A}/lab/tree/x.ipynb?a=1")
        )
    );
    let cookie = reply.header("set-cookie").to_owned();
    assert_eq!(
        cookie,
        format!("cairn_workspace=entered; Path=/w/{A}/; Max-Age=60; HttpOnly; SameSite=Lax")
    );
    for code in ["once", "bobs", "", "unknown"] {
        let reply = gateway
            .ask(&enter(code, ""), |request| {
                drop(request.headers_mut().remove("cookie"));
            })
            .await;
        assert_eq!(reply.header("set-cookie"), "", "{code}");
        assert!(
            reply
                .header("location")
                .starts_with(&format!("http://localhost:{}/open/{A}?next=", gateway.port)),
            "{reply:?}"
        );
    }
    // Nothing below `.cairn` is ever sent on, however it is spelt.
    for path in [".cairn/x", "%2ecairn/enter", ".cairn", "/.cairn/enter"] {
        gateway.ask(&format!("/w/{A}/{path}"), |_| ()).await;
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_21_leaving_ends_the_session_for_every_tab() {
    let (gateway, _echo) = Gateway::with_echo().await;
    gateway.records.allow("cookie tab", A);
    let with_cookie = |request: &mut http::Request<_>| {
        drop(
            request
                .headers_mut()
                .insert("cookie", "cairn_workspace=tab".parse().unwrap()),
        );
    };
    assert_eq!(
        gateway
            .ask(&format!("/w/{A}/api"), with_cookie)
            .await
            .status,
        StatusCode::OK
    );
    let forged = gateway
        .ask(&format!("/w/{A}/.cairn/leave"), |request| {
            with_cookie(request);
            *request.method_mut() = Method::POST;
            request
                .headers_mut()
                .insert("origin", "http://evil".parse().unwrap());
        })
        .await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let reply = gateway
        .ask(&format!("/w/{A}/.cairn/leave"), |request| {
            with_cookie(request);
            *request.method_mut() = Method::POST;
            request
                .headers_mut()
                .insert("origin", gateway.origin(A).parse().unwrap());
        })
        .await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert!(reply.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        gateway
            .ask(&format!("/w/{A}/api"), with_cookie)
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}

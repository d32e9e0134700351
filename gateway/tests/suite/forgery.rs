//! Cross-site forgery, tossed cookies and ways to smuggle credentials.

use http::Method;
use serde_json::json;

use super::app::TestApp;

#[tokio::test]
async fn a_cookie_changes_something_only_from_our_own_page() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await.without("origin");
    let port = app.origin.rsplit(':').next().unwrap().to_owned();
    let foreign = [
        "null".to_owned(),
        format!("https://localhost:{port}"),
        "http://localhost".to_owned(),
        format!("http://localhost.evil.org:{port}"),
        format!("http://evil.localhost:{port}"),
        format!("http://01900000-0000-7000-8000-000000000000.localhost:{port}"),
    ];
    for origin in &foreign {
        let reply = ada.clone().header("origin", origin);
        let reply = reply.post("/api/v1/projects", json!({"name": "x"})).await;
        assert_eq!(reply.refused(403), "cross_site", "{origin}");
    }
    for site in ["cross-site", "same-site", "none"] {
        for mode in ["cors", "no-cors", "navigate", "websocket"] {
            let client = ada
                .clone()
                .header("sec-fetch-site", site)
                .header("sec-fetch-mode", mode);
            let reply = client.post("/api/v1/projects", json!({"name": "x"})).await;
            assert_eq!(reply.refused(403), "cross_site", "{site} {mode}");
            let client = client.header("origin", &app.origin);
            let reply = client.post("/api/v1/projects", json!({"name": "x"})).await;
            assert_eq!(reply.refused(403), "cross_site", "{site} {mode}");
        }
    }
    assert_eq!(
        ada.post("/api/v1/projects", json!({"name": "x"}))
            .await
            .refused(403),
        "cross_site"
    );
    assert_eq!(
        ada.delete("/api/v1/sessions").await.refused(403),
        "cross_site"
    );
    ada.get("/api/v1/me").await.expect(200);
    let own = ada.clone().header("sec-fetch-site", "same-origin");
    own.post("/api/v1/projects", json!({"name": "x"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_token_needs_no_origin_and_never_falls_back_to_a_cookie() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let token = app.token(user.id, &["read", "write"]).await;
    let evil = app.with_token(&token).header("origin", "http://evil.org");
    evil.post("/api/v1/projects", json!({"name": "x"}))
        .await
        .expect(201);
    let lower = app
        .anonymous()
        .header("authorization", &format!("token {token}"));
    lower.get("/api/v1/me").await.expect(200);
    for value in ["Bearer nonsense", "Bearer ", "Basic YTpi", "cairn_x"] {
        let both = app.signed_in(user.id).await.header("authorization", value);
        assert_eq!(both.get("/api/v1/me").await.status, 401, "{value}");
    }
    let twice = app
        .with_token(&token)
        .header("authorization", "Bearer nonsense");
    assert_eq!(
        twice.get("/api/v1/me").await.refused(401),
        "unauthenticated"
    );
    let in_query = format!("/api/v1/me?token={token}");
    assert_eq!(
        app.anonymous().get(&in_query).await.refused(401),
        "unauthenticated"
    );
}

#[tokio::test]
async fn another_site_can_sign_nobody_in() {
    let app = TestApp::start().await;
    let body = json!({"name": "mallory", "password": "whatever it is"});
    let evil = app.anonymous().header("origin", "http://evil.org");
    assert_eq!(
        evil.post("/api/v1/session", body.clone())
            .await
            .refused(403),
        "forbidden"
    );
    let evil = app.anonymous().header("sec-fetch-site", "cross-site");
    assert_eq!(
        evil.post("/api/v1/session", body.clone())
            .await
            .refused(403),
        "forbidden"
    );
    let text = app.anonymous().header("content-type", "text/plain");
    let reply = text
        .bytes(
            Method::POST,
            "/api/v1/session",
            body.to_string().into_bytes(),
        )
        .await;
    assert_eq!(reply.refused(415), "unsupported_media_type");
}

#[tokio::test]
async fn a_tossed_cookie_signs_nobody_in_as_somebody_else() {
    let app = TestApp::start().await;
    let (ada, mallory) = (
        app.user("ada", false).await,
        app.user("mallory", false).await,
    );
    let (own, tossed) = (app.session(ada.id).await, app.session(mallory.id).await);
    let both = app.anonymous().header(
        "cookie",
        &format!("cairn_session={tossed}; cairn_session={own}"),
    );
    assert_eq!(both.get("/api/v1/me").await.refused(401), "unauthenticated");
    let other_name = app
        .anonymous()
        .header("cookie", &format!("__Host-cairn_session={own}"));
    assert_eq!(
        other_name.get("/api/v1/me").await.refused(401),
        "unauthenticated"
    );
}

//! What surrounds the API: pages, headers, health, metrics, limits, errors.

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::json;

use super::app::TestApp;

#[tokio::test]
async fn pages_may_load_nothing_from_elsewhere_and_are_framed_by_nobody() {
    let app = TestApp::start().await;
    let reply = app
        .anonymous()
        .header("accept", "text/html")
        .get("/p/vision/jobs")
        .await;
    assert_eq!(reply.status, 200);
    let policy = reply.headers["content-security-policy"].to_str().unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http"));
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    assert_eq!(reply.headers["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn monitors_get_answers_without_credentials_and_metrics_take_an_administrator() {
    let app = TestApp::start().await;
    let admin = app.user("ada", true).await;
    let user = app.user("bob", false).await;
    assert_eq!(app.anonymous().get("/health/live").await.text(), "ok\n");
    assert_eq!(app.anonymous().get("/health/ready").await.text(), "ok\n");
    assert_eq!(
        app.anonymous().get("/metrics").await.refused(401),
        "unauthenticated"
    );
    let of_user = app.with_token(&app.token(user.id, &["read", "admin"]).await);
    assert_eq!(of_user.get("/metrics").await.refused(403), "forbidden");
    let limited = app.with_token(&app.token(admin.id, &["read"]).await);
    assert_eq!(limited.get("/metrics").await.refused(403), "forbidden");
    let of_admin = app.with_token(&app.token(admin.id, &["admin"]).await);
    let reply = of_admin.get("/metrics").await;
    assert_eq!(
        reply.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(
        reply
            .text()
            .contains("cairn_http_requests_total{area=\"api\",status=\"4xx\"}")
    );
}

#[tokio::test]
async fn every_failure_has_the_one_envelope() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await;
    assert_eq!(ada.get("/api/v1/nothing").await.refused(404), "not_found");
    assert_eq!(
        ada.delete("/api/v1/me").await.refused(405),
        "method_not_allowed"
    );
    assert_eq!(
        ada.get("/api/v1/projects?limit=0").await.refused(400),
        "invalid"
    );
    assert_eq!(
        ada.get("/api/v1/projects?limit=many").await.refused(400),
        "invalid"
    );
    assert_eq!(
        ada.get("/api/v1/projects?cursor=%25%25").await.refused(400),
        "invalid"
    );
    let reply = ada.clone().header("content-type", "application/json");
    let reply = reply
        .bytes(Method::POST, "/api/v1/projects", b"{".to_vec())
        .await;
    assert_eq!(reply.refused(400), "invalid");
    let form = ada
        .clone()
        .header("content-type", "application/x-www-form-urlencoded");
    let reply = form
        .bytes(Method::POST, "/api/v1/projects", b"name=x".to_vec())
        .await;
    assert_eq!(reply.refused(415), "unsupported_media_type");
    let reply = ada
        .post("/api/v1/projects", json!({"name": "x".repeat(9 << 20)}))
        .await;
    assert_eq!(reply.refused(413), "too_large");
    let reply = ada
        .post("/api/v1/projects", json!({"name": "x", "nmae": "y"}))
        .await;
    assert_eq!(reply.refused(400), "invalid");
}

#[tokio::test]
async fn no_path_trick_reaches_another_operation() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", true).await.id).await;
    ada.post("/api/v1/projects", json!({"name": "vision"}))
        .await
        .expect(201);
    for path in [
        "/api/v1/projects/..%2fusers",
        "/api/v1/projects/%2e%2e/users",
        "/api/v1/projects/vision/../../users",
        "/api/v1//users",
        "/api/v1/projects/vision%00",
        "/api/v1/projects/vision/jobs/-1",
        "/api/v1/projects/vision/jobs/01",
        "/api/v1/projects/vision/jobs/1e3",
        "/api/v1/projects/vision/jobs/99999999999999999999999",
        "/api/v1/projects/VISION",
        "/api/v1/workspaces/../users",
        "/api/v1/workspaces/%ff",
        "/api/v1/projects/vision/jobs/1%2flog",
    ] {
        let reply = ada.get(path).await;
        assert!(
            [400, 404].contains(&reply.status.as_u16()),
            "{path}: {} {}",
            reply.status,
            reply.text()
        );
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_503_and_tells_nothing() {
    let app = TestApp::start().await;
    let token = app.token(app.user("ada", false).await.id, &["read"]).await;
    app.db().close().await;
    let reply = app.with_token(&token).get("/api/v1/me").await;
    assert_eq!(reply.refused(503), "unavailable");
    assert!(!reply.text().contains("pool") && !reply.text().contains("sql"));
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(
        app.anonymous().get("/health/ready").await.refused(503),
        "unavailable"
    );
    assert_eq!(app.anonymous().get("/health/live").await.status, 200);
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_and_no_endless_or_forged_line_reaches_a_log() {
    let kept = Kept::default();
    let sink = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || sink.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let (token, session) = (
        app.token(user.id, &["read"]).await,
        app.session(user.id).await,
    );
    let password =
        json!({"name": "a\r\nb\u{1b}[2J".repeat(100_000), "password": "hunter2 hunter2"});
    app.anonymous().post("/api/v1/session", password).await;
    app.anonymous()
        .post("/api/v1/session", json!({"link": "c0de-of-a-link"}))
        .await;
    app.anonymous()
        .get(&format!("/{}", "x".repeat(50_000)))
        .await;
    app.db().close().await;
    let client = app
        .browser(&session)
        .header("referer", &format!("{}/?token={token}", app.origin));
    client
        .get(&format!("/api/v1/me?token={token}"))
        .await
        .refused(503);
    let reply = app.with_token(&token).get("/api/v1/me").await;
    reply.refused(503);
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let id = reply.headers["x-request-id"].to_str().unwrap();
    assert!(log.contains(id), "a failure is found by its request id");
    for secret in [token.as_str(), &session, "hunter2", "c0de-of-a-link"] {
        assert!(!log.contains(secret), "{secret} was logged");
    }
    assert!(!log.contains('\u{1b}'));
    assert!(log.lines().all(|line| line.len() < 4096));
}

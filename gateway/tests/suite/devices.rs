//! `cairn login`: a program signs in by a code that a person approves.

use serde_json::{Value, json};

use super::app::TestApp;

async fn begin(app: &TestApp) -> Value {
    let body = json!({"name": "cairn on laptop"});
    app.anonymous()
        .post("/api/v1/devices", body)
        .await
        .expect(201)
}

async fn poll(app: &TestApp, codes: &Value) -> super::client::Reply {
    let body = json!({"device_code": codes["device_code"]});
    app.anonymous().post("/api/v1/devices/token", body).await
}

#[tokio::test]
async fn an_approved_program_gets_its_token_once() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let codes = begin(&app).await;
    assert!(
        codes["verification_url"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{}/device", app.origin))
    );
    poll(&app, &codes).await.expect(202);
    let typed = codes["user_code"]
        .as_str()
        .unwrap()
        .replace('-', "")
        .to_lowercase();
    let shown = ada
        .get(&format!("/api/v1/devices/{typed}"))
        .await
        .expect(200);
    assert_eq!(shown["name"], "cairn on laptop");
    ada.post(&format!("/api/v1/devices/{typed}/approve"), Value::Null)
        .await
        .expect(204);
    let made = poll(&app, &codes).await.expect(200);
    let token = app.with_token(made["token"].as_str().unwrap());
    assert_eq!(token.get("/api/v1/me").await.expect(200)["name"], "ada");
    assert_eq!(made["info"]["name"], "cairn on laptop");
    assert_eq!(poll(&app, &codes).await.refused(401), "sign_in_refused");
    let again = ada
        .post(&format!("/api/v1/devices/{typed}/approve"), Value::Null)
        .await;
    assert_eq!(again.refused(404), "not_found");
}

#[tokio::test]
async fn a_denied_or_late_program_gets_nothing() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let (denied, late) = (begin(&app).await, begin(&app).await);
    let code = denied["user_code"].as_str().unwrap();
    ada.post(&format!("/api/v1/devices/{code}/deny"), Value::Null)
        .await
        .expect(204);
    assert_eq!(poll(&app, &denied).await.refused(401), "sign_in_refused");
    app.clock.advance(600_001);
    let code = late["user_code"].as_str().unwrap();
    assert_eq!(
        ada.get(&format!("/api/v1/devices/{code}"))
            .await
            .refused(404),
        "not_found"
    );
    assert_eq!(poll(&app, &late).await.refused(401), "sign_in_refused");
}

#[tokio::test]
async fn only_a_person_at_a_browser_approves_and_nobody_guesses_codes() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let code = begin(&app).await["user_code"].as_str().unwrap().to_owned();
    let token = app.with_token(&app.token(user.id, &["account"]).await);
    let reply = token
        .post(&format!("/api/v1/devices/{code}/approve"), Value::Null)
        .await;
    assert_eq!(reply.refused(403), "forbidden");
    let ada = app.signed_in(user.id).await;
    for _ in 0..20 {
        assert_eq!(
            ada.get("/api/v1/devices/XXXX-XXXX").await.refused(404),
            "not_found"
        );
    }
    assert_eq!(
        ada.get("/api/v1/devices/XXXX-XXXX").await.refused(429),
        "too_many_requests"
    );
}

#[tokio::test]
async fn one_address_cannot_begin_sign_ins_without_end() {
    let app = TestApp::start().await;
    for _ in 0..30 {
        begin(&app).await;
    }
    let reply = app
        .anonymous()
        .post("/api/v1/devices", json!({"name": "x"}))
        .await;
    assert_eq!(reply.refused(429), "too_many_requests");
}

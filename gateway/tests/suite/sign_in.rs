//! Signing in and out: links, passwords, sessions, tokens.

use serde_json::{Value, json};
use storage::{ids::UserId, links};

use super::{
    app::{DAY_MS, TestApp},
    client::Client,
};

const SESSION: &str = "/api/v1/session";
const PASSWORD: &str = "correct horse battery";

async fn link(app: &TestApp, user: UserId) -> String {
    let made =
        app.write(move |mut tx| async move { links::create_sign_in(&mut tx, user, 900_000).await });
    made.await.expose().to_owned()
}

async fn set_password(ada: &Client, current: Value, new: &str) -> super::client::Reply {
    let body = json!({"password": {"current": current, "new": new}});
    ada.patch("/api/v1/me", body).await
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let app = TestApp::start().await;
    let user = app.user("ada", true).await;
    let code = link(&app, user.id).await;
    let reply = app.anonymous().post(SESSION, json!({"link": code})).await;
    assert_eq!(reply.expect(201)["user"]["name"], "ada");
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax") && cookie.contains("; Path=/;"));
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert_eq!(
        app.browser(secret).get("/api/v1/me").await.expect(200)["name"],
        "ada"
    );
    let again = app.anonymous().post(SESSION, json!({"link": code})).await;
    assert_eq!(again.refused(401), "sign_in_refused");
    let as_token = json!({"link": code, "name": "laptop"});
    assert_eq!(
        app.anonymous()
            .post("/api/v1/link-tokens", as_token)
            .await
            .refused(401),
        "sign_in_refused"
    );
}

#[tokio::test]
async fn a_link_that_is_too_old_or_of_a_disabled_person_is_refused() {
    let app = TestApp::start().await;
    let admin = app.user("ada", true).await;
    let user = app.user("bob", false).await;
    let (old, held) = (link(&app, user.id).await, link(&app, user.id).await);
    let ada = app.signed_in(admin.id).await;
    ada.patch("/api/v1/users/bob", json!({"disabled": true}))
        .await
        .expect(200);
    let reply = app.anonymous().post(SESSION, json!({"link": held})).await;
    assert_eq!(reply.refused(401), "sign_in_refused");
    ada.patch("/api/v1/users/bob", json!({"disabled": false}))
        .await
        .expect(200);
    app.clock.advance(900_001);
    let reply = app.anonymous().post(SESSION, json!({"link": old})).await;
    assert_eq!(reply.refused(401), "sign_in_refused");
}

#[tokio::test]
async fn a_link_can_be_exchanged_for_a_token() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let body = json!({"link": link(&app, user.id).await, "name": "laptop"});
    let made = app
        .anonymous()
        .post("/api/v1/link-tokens", body)
        .await
        .expect(201);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("cairn_"));
    assert_eq!(made["info"]["name"], "laptop");
    let listed = app.with_token(token).get("/api/v1/tokens").await;
    assert_eq!(listed.expect(200)["items"][0]["id"], made["info"]["id"]);
    assert!(!listed.text().contains(token));
}

#[tokio::test]
async fn a_password_signs_in_and_a_wrong_one_waits() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await;
    assert_eq!(
        set_password(&ada, Value::Null, "short").await.refused(400),
        "invalid"
    );
    assert_eq!(
        set_password(&ada, Value::Null, PASSWORD).await.expect(200)["has_password"],
        true
    );
    let try_with = async |name: &str, password: &str| {
        let body = json!({"name": name, "password": password});
        app.anonymous().post(SESSION, body).await
    };
    try_with("ada", PASSWORD).await.expect(201);
    let mut texts = Vec::new();
    for (name, password) in [("ada", "wrong"), ("nobody", PASSWORD)] {
        let reply = try_with(name, password).await;
        assert_eq!(reply.refused(401), "sign_in_refused");
        texts.push(reply.json()["message"].clone());
    }
    assert_eq!(
        texts[0], texts[1],
        "an unknown name looks like a wrong password"
    );
    for _ in 0..4 {
        try_with("ada", "wrong").await.refused(401);
    }
    let reply = try_with("ada", PASSWORD).await;
    assert_eq!(reply.refused(429), "too_many_requests");
    assert_eq!(reply.headers["retry-after"], "60");
    app.clock.advance(60_000);
    try_with("ada", PASSWORD).await.expect(201);
}

#[tokio::test]
async fn a_new_password_needs_the_old_one_and_ends_other_sessions() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let (here, elsewhere) = (app.signed_in(user.id).await, app.signed_in(user.id).await);
    set_password(&here, Value::Null, PASSWORD).await.expect(200);
    assert_eq!(elsewhere.get("/api/v1/me").await.status, 401);
    here.get("/api/v1/me").await.expect(200);
    assert_eq!(
        set_password(&here, Value::Null, "another password")
            .await
            .refused(403),
        "forbidden"
    );
    assert_eq!(
        set_password(&here, json!("wrong"), "another password")
            .await
            .refused(403),
        "forbidden"
    );
    set_password(&here, json!(PASSWORD), "another password")
        .await
        .expect(200);
}

#[tokio::test]
async fn no_token_can_set_a_password_and_so_become_a_session() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let token = app
        .token(
            user.id,
            &["read", "write", "workspaces", "account", "admin"],
        )
        .await;
    let reply = set_password(&app.with_token(&token), Value::Null, PASSWORD).await;
    assert_eq!(reply.refused(403), "forbidden");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_clears_the_cookie() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await;
    let reply = ada.delete(SESSION).await;
    reply.expect(204);
    assert!(
        reply.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(ada.get("/api/v1/me").await.refused(401), "unauthenticated");
    assert_eq!(ada.delete(SESSION).await.refused(401), "unauthenticated");
}

#[tokio::test]
async fn signing_out_everywhere_takes_tokens_along_unless_told_not_to() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let token = app.with_token(&app.token(user.id, &["read"]).await);
    let (here, elsewhere) = (app.signed_in(user.id).await, app.signed_in(user.id).await);
    here.delete("/api/v1/sessions?keep_tokens=1")
        .await
        .expect(204);
    assert_eq!(elsewhere.get("/api/v1/me").await.status, 401);
    token.get("/api/v1/me").await.expect(200);
    app.signed_in(user.id)
        .await
        .delete("/api/v1/sessions")
        .await
        .expect(204);
    assert_eq!(token.get("/api/v1/me").await.status, 401);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_the_end_of_its_life() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let idle = app.signed_in(user.id).await;
    app.clock.advance(14 * DAY_MS);
    assert_eq!(idle.get("/api/v1/me").await.status, 401);
    let kept = app.signed_in(user.id).await;
    for _ in 0..3 {
        app.clock.advance(9 * DAY_MS);
        kept.get("/api/v1/me").await.expect(200);
    }
    app.clock.advance(4 * DAY_MS);
    assert_eq!(kept.get("/api/v1/me").await.status, 401);
}

#[tokio::test]
async fn a_token_can_do_no_more_and_last_no_longer_than_what_made_it() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await;
    let end_ms = super::app::NOW_MS + DAY_MS;
    let body = json!({"name": "short", "scopes": ["read", "account"], "expires_ms": end_ms});
    let made = ada.post("/api/v1/tokens", body).await.expect(201);
    let short = app.with_token(made["token"].as_str().unwrap());
    let more = json!({"name": "more", "scopes": ["write"]});
    assert_eq!(
        short.post("/api/v1/tokens", more).await.refused(403),
        "forbidden"
    );
    let longer = short
        .post("/api/v1/tokens", json!({"name": "longer"}))
        .await
        .expect(201);
    assert_eq!(longer["info"]["expires_ms"], end_ms);
    assert_eq!(longer["info"]["scopes"], json!(["read", "account"]));
    assert_eq!(
        short
            .post("/api/v1/projects", json!({"name": "x"}))
            .await
            .refused(403),
        "forbidden"
    );
    app.clock.advance(DAY_MS);
    assert_eq!(
        short.get("/api/v1/me").await.refused(401),
        "unauthenticated"
    );
    let past = json!({"name": "past", "expires_ms": 1});
    assert_eq!(
        ada.post("/api/v1/tokens", past).await.refused(400),
        "invalid"
    );
}

#[tokio::test]
async fn an_administrator_who_is_one_no_more_has_tokens_that_are_none() {
    let app = TestApp::start().await;
    app.user("root", true).await;
    let user = app.user("ada", true).await;
    let token = app.with_token(&app.token(user.id, &["read", "admin"]).await);
    token.get("/api/v1/users").await.expect(200);
    token
        .patch("/api/v1/users/ada", json!({"admin": false}))
        .await
        .expect(200);
    assert_eq!(token.get("/api/v1/users").await.refused(403), "forbidden");
}

#[tokio::test]
async fn a_name_of_ten_megabytes_is_refused_like_any_other() {
    let app = TestApp::start().await;
    let body = json!({"name": "\u{1b}[31m\r\n".repeat(500_000), "password": "x"});
    let reply = app.anonymous().post(SESSION, body).await;
    assert!([401, 413].contains(&reply.status.as_u16()));
    assert!(reply.body.len() < 1000);
}

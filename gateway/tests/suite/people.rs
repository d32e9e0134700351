//! Inviting, disabling and promoting people; members of projects.

use serde_json::json;

use super::app::TestApp;

#[tokio::test]
async fn an_invited_person_signs_in_by_their_link() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", true).await.id).await;
    let invited = ada
        .post("/api/v1/users", json!({"name": "bob"}))
        .await
        .expect(201);
    assert_eq!(invited["user"]["admin"], false);
    let link = invited["link"].as_str().unwrap();
    let code = link
        .strip_prefix(&format!("{}/sign-in#", app.origin))
        .unwrap();
    let reply = app
        .anonymous()
        .post("/api/v1/session", json!({"link": code}))
        .await;
    assert_eq!(reply.expect(201)["user"]["name"], "bob");
    let again = ada.post("/api/v1/users", json!({"name": "bob"})).await;
    assert_eq!(again.refused(409), "conflict");
    for name in ["", "Bob", "../x", "a b", "ä"] {
        let reply = ada.post("/api/v1/users", json!({"name": name})).await;
        assert_eq!(reply.refused(400), "invalid", "{name}");
    }
}

#[tokio::test]
async fn a_disabled_person_is_out_at_once_and_the_last_administrator_stays() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", true).await.id).await;
    let user = app.user("bob", false).await;
    let (browser, token) = (
        app.signed_in(user.id).await,
        app.with_token(&app.token(user.id, &["read"]).await),
    );
    ada.patch("/api/v1/users/bob", json!({"disabled": true}))
        .await
        .expect(200);
    assert_eq!(
        browser.get("/api/v1/me").await.refused(401),
        "unauthenticated"
    );
    assert_eq!(
        token.get("/api/v1/me").await.refused(401),
        "unauthenticated"
    );
    ada.patch("/api/v1/users/bob", json!({"disabled": false}))
        .await
        .expect(200);
    assert_eq!(
        browser.get("/api/v1/me").await.refused(401),
        "unauthenticated"
    );
    for change in [json!({"disabled": true}), json!({"admin": false})] {
        let reply = ada.patch("/api/v1/users/ada", change).await;
        assert_eq!(reply.refused(409), "conflict");
    }
    assert_eq!(
        ada.patch("/api/v1/users/nobody", json!({}))
            .await
            .refused(404),
        "not_found"
    );
}

#[tokio::test]
async fn members_come_go_and_leave_and_one_owner_stays() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let bob = app.signed_in(app.user("bob", false).await.id).await;
    ada.post(
        "/api/v1/projects",
        json!({"name": "vision", "description": "Seeing"}),
    )
    .await
    .expect(201);
    assert_eq!(
        bob.get("/api/v1/projects/vision").await.refused(404),
        "not_found"
    );
    let member = "/api/v1/projects/vision/members/bob";
    assert_eq!(
        ada.put(member, json!({"role": "viewer"})).await.expect(200)["role"],
        "viewer"
    );
    assert_eq!(
        bob.get("/api/v1/projects/vision").await.expect(200)["role"],
        "viewer"
    );
    assert_eq!(
        bob.put(member, json!({"role": "owner"})).await.refused(403),
        "forbidden"
    );
    assert_eq!(
        ada.get("/api/v1/projects/vision/members").await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        ada.delete("/api/v1/projects/vision/members/ada")
            .await
            .refused(409),
        "conflict"
    );
    bob.delete(member).await.expect(204);
    assert_eq!(
        bob.get("/api/v1/projects/vision").await.refused(404),
        "not_found"
    );
    assert_eq!(
        bob.get("/api/v1/projects").await.expect(200)["items"],
        json!([])
    );
    assert_eq!(
        ada.put(member, json!({"role": "king"})).await.refused(400),
        "invalid"
    );
}

#[tokio::test]
async fn a_project_is_found_by_id_and_name_renamed_and_deleted() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let made = ada
        .post("/api/v1/projects", json!({"name": "vision"}))
        .await
        .expect(201);
    let by_id = format!("/api/v1/projects/{}", made["id"].as_str().unwrap());
    ada.patch(&by_id, json!({"name": "sight"}))
        .await
        .expect(200);
    assert_eq!(
        ada.get("/api/v1/projects/vision").await.refused(404),
        "not_found"
    );
    assert_eq!(
        ada.get("/api/v1/projects/sight").await.expect(200)["id"],
        made["id"]
    );
    ada.delete("/api/v1/projects/sight").await.expect(204);
    assert_eq!(ada.get(&by_id).await.refused(404), "not_found");
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    for name in ["a", "b", "c"] {
        ada.post("/api/v1/projects", json!({"name": name}))
            .await
            .expect(201);
    }
    let first = ada.get("/api/v1/projects?limit=2").await.expect(200);
    let names: Vec<_> = first["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].clone())
        .collect();
    assert_eq!(names, ["c", "b"]);
    let next = first["next"].as_str().unwrap();
    let second = ada
        .get(&format!("/api/v1/projects?limit=2&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(second["items"][0]["name"], "a");
    assert_eq!(second["next"], json!(null));
}

#[tokio::test]
async fn the_audit_record_tells_administrators_who_did_what() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", true).await.id).await;
    let invited = ada
        .post("/api/v1/users", json!({"name": "bob"}))
        .await
        .expect(201);
    let code = invited["link"].as_str().unwrap().split('#').nth(1).unwrap();
    app.anonymous()
        .post("/api/v1/session", json!({"link": code}))
        .await
        .expect(201);
    ada.patch("/api/v1/users/bob", json!({"admin": true}))
        .await
        .expect(200);
    let made = ada
        .post("/api/v1/tokens", json!({"name": "ci", "scopes": ["read"]}))
        .await
        .expect(201);
    let token = made["info"]["id"].as_str().unwrap();
    ada.delete(&format!("/api/v1/tokens/{token}"))
        .await
        .expect(204);
    ada.post("/api/v1/projects", json!({"name": "vision"}))
        .await
        .expect(201);
    let member = "/api/v1/projects/vision/members/bob";
    ada.put(member, json!({"role": "viewer"})).await.expect(200);
    ada.delete(member).await.expect(204);
    let first = ada.get("/api/v1/audit?limit=3").await.expect(200);
    let rest = format!("/api/v1/audit?cursor={}", first["next"].as_str().unwrap());
    let rest = ada.get(&rest).await.expect(200);
    let lines = [&first, &rest].map(|page| page["items"].as_array().unwrap().clone());
    let told: Vec<_> = lines
        .concat()
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            (text("user"), text("action"), text("subject"))
        })
        .collect();
    let expected = [
        ("ada", "delete_member", "vision/bob"),
        ("ada", "put_member", "vision/bob"),
        ("ada", "delete_token", token),
        ("ada", "create_token", "ci"),
        ("ada", "update_user", "bob"),
        ("bob", "create_session", "bob"),
        ("ada", "create_user", "bob"),
    ];
    assert_eq!(
        told.iter()
            .map(|(user, action, subject)| (user.as_str(), action.as_str(), subject.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
    assert!(!first.to_string().contains(made["token"].as_str().unwrap()));
}

//! Event and log streams: resumed without gaps, filtered, ended soon after a revocation, bounded.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use storage::{
    members::{self, Role},
    tokens,
};

use super::{app::TestApp, client::Messages, world::World};

const EVENTS: &str = "/api/v1/events";

fn number(message: &super::client::Message) -> i64 {
    message.id.parse().unwrap()
}

/// Whether the stream ends by itself soon.
async fn ends(messages: &mut Messages) -> bool {
    let begun = Instant::now();
    while messages.next().await.is_some() {}
    begun.elapsed() < Duration::from_secs(5)
}

#[tokio::test]
async fn a_follower_sees_changes_and_resumes_without_gaps() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let mut messages = ada.follow(EVENTS).await;
    let ready = messages.next().await.unwrap();
    assert_eq!(ready.event, "ready");
    ada.post("/api/v1/projects", json!({"name": "a"}))
        .await
        .expect(201);
    let first = messages.next().await.unwrap();
    let change: Value = serde_json::from_str(&first.data).unwrap();
    assert_eq!(change["number"], number(&first));
    drop(messages);
    for name in ["b", "c", "d"] {
        ada.post("/api/v1/projects", json!({"name": name}))
            .await
            .expect(201);
    }
    let newest = storage::events::newest(app.db()).await.unwrap();
    let resumed = ada.clone().header("last-event-id", &first.id);
    let mut messages = resumed.follow(&format!("{EVENTS}?since=0")).await;
    assert_eq!(
        messages.next().await.unwrap().id,
        first.id,
        "the header wins over the query"
    );
    for expected in number(&first) + 1..=newest {
        assert_eq!(number(&messages.next().await.unwrap()), expected);
    }
}

#[tokio::test]
async fn a_follower_from_another_database_is_told_to_read_anew() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let mut messages = ada.follow(&format!("{EVENTS}?since=999999")).await;
    let reset = messages.next().await.unwrap();
    assert_eq!(reset.event, "reset");
    assert_eq!(
        number(&reset),
        storage::events::newest(app.db()).await.unwrap()
    );
}

#[tokio::test]
async fn a_follower_sees_only_what_concerns_them() {
    let world = World::new().await;
    let since = storage::events::newest(world.app.db()).await.unwrap();
    let path = format!("{EVENTS}?since={since}");
    let stop = format!("/api/v1/workspaces/{}/start", world.workspace);
    world
        .client("editor")
        .post(&stop, Value::Null)
        .await
        .expect(202);
    world
        .client("stranger")
        .post("/api/v1/projects", json!({"name": "mine"}))
        .await
        .expect(201);
    world
        .client("owner")
        .patch("/api/v1/projects/vision", json!({"description": "x"}))
        .await
        .expect(200);
    let kinds = async |caller: &str, count: usize| {
        let mut messages = world.client(caller).follow(&path).await;
        messages.next().await.unwrap();
        let mut kinds = Vec::new();
        for _ in 0..count {
            let data: Value = serde_json::from_str(&messages.next().await.unwrap().data).unwrap();
            kinds.push(data["kind"].as_str().unwrap().to_owned());
        }
        kinds
    };
    assert_eq!(kinds("viewer", 1).await, ["project.changed"]);
    assert_eq!(
        kinds("editor", 2).await,
        ["workspace.changed", "project.changed"]
    );
    assert_eq!(
        kinds("owner", 2).await,
        ["workspace.changed", "project.changed"]
    );
    assert_eq!(kinds("workspace token", 1).await, ["workspace.changed"]);
    assert!(
        !kinds("stranger", 1)
            .await
            .contains(&"workspace.changed".to_owned())
    );
    assert_eq!(
        world.client("anonymous").get(EVENTS).await.refused(401),
        "unauthenticated"
    );
    assert_eq!(
        world.client("revoked token").get(EVENTS).await.refused(401),
        "unauthenticated"
    );
    assert_eq!(
        world.client("job token").get(EVENTS).await.refused(403),
        "forbidden"
    );
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_session_token_or_person_does() {
    let app = TestApp::start().await;
    let admin = app.signed_in(app.user("root", true).await.id).await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await;
    let new = tokens::NewToken {
        user_id: user.id,
        name: "x".to_owned(),
        scopes: vec!["read".to_owned()],
        expires_ms: None,
        workspace_id: None,
        job_id: None,
    };
    let (token, secret) = app.make_token(&new).await;
    let other = app.with_token(&app.make_token(&new).await.1);
    let mut by_token = app.with_token(&secret).follow(EVENTS).await;
    let mut by_session = ada.follow(EVENTS).await;
    let mut by_other = other.follow(EVENTS).await;
    let user_id = user.id;
    app.write(move |mut tx| async move { tokens::revoke(&mut tx, user_id, token.id).await })
        .await;
    assert!(ends(&mut by_token).await);
    ada.delete("/api/v1/session").await.expect(204);
    assert!(ends(&mut by_session).await);
    admin
        .patch("/api/v1/users/ada", json!({"disabled": true}))
        .await
        .expect(200);
    assert!(ends(&mut by_other).await);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_stream() {
    let app = TestApp::start().await;
    let user = app.user("ada", false).await;
    let ada = app.signed_in(user.id).await;
    let token = app.with_token(&app.token(user.id, &["read"]).await);
    let (mut first, mut second) = (ada.follow(EVENTS).await, token.follow(EVENTS).await);
    ada.delete("/api/v1/sessions").await.expect(204);
    assert!(ends(&mut first).await && ends(&mut second).await);
}

#[tokio::test]
async fn streams_of_one_person_are_bounded_and_a_closed_one_makes_room() {
    let app = TestApp::start().await;
    let ada = app.signed_in(app.user("ada", false).await.id).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(ada.follow(EVENTS).await);
    }
    assert_eq!(ada.get(EVENTS).await.refused(429), "too_many_requests");
    open.clear();
    let begun = Instant::now();
    while ada.get("/api/v1/jobs").await.status != 200 || app.app.metrics().streams.value() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::task::yield_now().await;
    }
    ada.follow(EVENTS).await;
}

#[tokio::test]
async fn a_log_is_followed_line_by_line_from_any_offset() {
    let world = World::new().await;
    world.app.runtime.write("10 o one\n11 E tw\n12 e o\n");
    let editor = world.client("editor");
    let path = "/api/v1/projects/vision/jobs/1/log";
    let page = editor.get(path).await.expect(200);
    assert_eq!(
        page["items"][0],
        json!({"offset": 0, "ms": 10, "stream": "stdout", "text": "one", "partial": false})
    );
    assert_eq!(page["items"][1]["partial"], true);
    assert_eq!(page["next"], 24);
    assert_eq!(page["ended"], false);
    let mut messages = editor.follow(&format!("{path}/stream")).await;
    let first = messages.next().await.unwrap();
    assert_eq!(first.id, "9");
    messages.next().await.unwrap();
    messages.next().await.unwrap();
    world.app.runtime.write("13 o two\n");
    editor
        .patch("/api/v1/me", json!({"display_name": "Ed"}))
        .await
        .expect(200);
    let last = messages.next().await.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&last.data).unwrap()["text"],
        "two"
    );
    let resumed = editor.clone().header("last-event-id", &first.id);
    let mut messages = resumed.follow(&format!("{path}/stream?offset=0")).await;
    assert!(messages.next().await.unwrap().data.contains("\"tw\""));
}

#[tokio::test]
async fn a_log_stream_ends_with_the_role_and_with_the_job() {
    let world = World::new().await;
    let viewer = world.client("viewer");
    let mut messages = viewer
        .follow("/api/v1/projects/vision/jobs/2/log/stream")
        .await;
    assert_eq!(messages.next().await.unwrap().event, "end");
    assert!(messages.next().await.is_none());
    let mut messages = viewer
        .follow("/api/v1/projects/vision/jobs/1/log/stream")
        .await;
    world
        .client("owner")
        .delete("/api/v1/projects/vision/members/viewer")
        .await
        .expect(204);
    assert!(ends(&mut messages).await);
    let (project, editor) = (world.project, world.editor);
    let mut messages = world
        .client("editor")
        .follow("/api/v1/projects/vision/jobs/1/log/stream")
        .await;
    world
        .app
        .write(
            move |mut tx| async move { members::put(&mut tx, project, editor, Role::Viewer).await },
        )
        .await;
    world.app.runtime.write("10 o still\n");
    assert!(
        messages.next().await.unwrap().data.contains("still"),
        "a viewer may read on"
    );
}

//! Jobs that are held: their own runs tell, people answer, and the run hears.

use std::time::Duration;

use http::Method;
use serde_json::{Map, Value, json};
use storage::{
    jobs::{self, NewJob},
    tokens::NewToken,
};

use super::{client::Client, world::World};

struct Held {
    world: World,
    /// The job's own run.
    run: Client,
    job: String,
}

impl Held {
    /// A notebook's job that runs, and may be held for an hour.
    async fn new() -> Self {
        let world = World::new().await;
        let new = NewJob {
            project_id: world.project,
            user_id: world.editor,
            name: "train".to_owned(),
            workspace_id: None,
            snapshot_id: world.snapshot,
            command: None,
            notebook: Some("a.ipynb".to_owned()),
            parameters: Map::new(),
            inputs: Vec::new(),
            environment: "default".to_owned(),
            machine: "local".to_owned(),
            idempotency_key: None,
            rerun_of: None,
            time_limit_ms: None,
            cell_time_limit_ms: None,
            hold_ms: Some(3_600_000),
            tags: Vec::new(),
            retries: 0,
            queue: true,
        };
        let new = &new;
        let job = world
            .app
            .write(move |mut tx| async move {
                let job = jobs::create(&mut tx, new).await?.job;
                jobs::claim_job(&mut tx, job.id).await?;
                Ok(job)
            })
            .await;
        let token = NewToken {
            user_id: world.editor,
            name: "job".to_owned(),
            scopes: vec!["job".to_owned()],
            expires_ms: None,
            workspace_id: None,
            job_id: Some(job.id),
        };
        let (_, secret) = world.app.make_token(&token).await;
        let run = world.app.with_token(&secret);
        let job = format!("/api/v1/projects/vision/jobs/{}", job.number);
        Self { world, run, job }
    }

    async fn tell(&self, number: i64, refused: Value) -> super::client::Reply {
        let told = json!({"number": number, "cell_number": 2, "cells": 3, "title": "fit(\u{1b}[31m)", "ename": "NameError",
            "message": "it raised", "limit_ms": 3_600_000, "refused": refused});
        self.run.put(&format!("{}/hold", self.job), told).await
    }

    async fn resume(&self, body: Value) -> super::client::Reply {
        let path = format!("{}/resume", self.job);
        self.world.client("editor").post(&path, body).await
    }

    async fn shown(&self) -> Value {
        self.world.client("viewer").get(&self.job).await.expect(200)
    }

    async fn end(&self, how: &str) -> super::client::Reply {
        let path = format!("{}/hold?number=1&end={how}", self.job);
        self.run.send(Method::DELETE, &path, None).await
    }
}

fn notebook() -> Value {
    json!({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
}

#[tokio::test]
async fn a_held_job_is_resumed_with_a_notebook() {
    let held = Held::new().await;
    assert_eq!(held.resume(Value::Null).await.refused(409), "conflict");
    held.tell(1, Value::Null).await.expect(200);
    let job = held.shown().await;
    assert_eq!(job["hold"]["state"], "held");
    assert_eq!(job["hold"]["title"], "fit([31m)", "no control characters");
    assert_eq!(
        job["hold"]["until_ms"].as_i64(),
        Some(job["hold"]["since_ms"].as_i64().unwrap() + 3_600_000)
    );
    let answer = format!("{}/hold/answer?number=1", held.job);
    // Asked before there is an answer: it comes as soon as somebody gives it.
    let asks = held.run.get(&answer);
    let gives = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        held.resume(json!({"notebook": notebook()}))
            .await
            .expect(202)
    };
    let (reply, job) = tokio::join!(asks, gives);
    assert_eq!(
        reply.expect(200),
        json!({"answer": 1, "notebook": notebook()})
    );
    assert_eq!(job["hold"]["state"], "answered");
    assert_eq!(held.resume(Value::Null).await.refused(409), "conflict");
    held.end("resumed").await.expect(204);
    let job = held.shown().await;
    assert_eq!(
        (&job["hold"], &job["state"]),
        (&Value::Null, &json!("started"))
    );
    assert_eq!(job["holds"][0]["state"], "resumed");
    assert_eq!(job["holds"][0]["resumed_by_name"], "editor");
    assert_eq!(job["holds"][0]["notebook_hash"].as_str().unwrap().len(), 64);
    assert_eq!(held.run.get(&answer).await.refused(409), "conflict");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_said() {
    let held = Held::new().await;
    held.tell(1, Value::Null).await.expect(200);
    for (bad, why) in [
        (json!({"notebook": {"cells": []}}), "nbformat"),
        (json!({"notebook": [1]}), "not a notebook"),
        (json!({"notebok": notebook()}), "unknown field"),
    ] {
        let reply = held.resume(bad).await;
        let message = reply.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(reply.refused(400), "invalid");
        assert!(message.contains(why), "{message}");
    }
    held.resume(json!({"notebook": notebook()}))
        .await
        .expect(202);
    let refused = json!({"answer": 1, "reason": "code cell 1 is another"});
    held.tell(1, refused).await.expect(200);
    let shown = held.shown().await["hold"].clone();
    assert_eq!(
        (&shown["state"], &shown["refused"]),
        (&json!("held"), &json!("code cell 1 is another"))
    );
    held.resume(json!({})).await.expect(202);
    let answer = format!("{}/hold/answer?number=1", held.job);
    let answer = held.run.get(&answer).await.expect(200);
    assert_eq!(answer, json!({"answer": 2, "notebook": null}));
    assert_eq!(held.end("expired").await.refused(409), "conflict");
}

#[tokio::test]
async fn only_notebooks_are_held_and_for_a_week_at_most() {
    let world = World::new().await;
    let editor = world.client("editor");
    for (hold_ms, status) in [
        (json!(0), 201),
        (json!(null), 201),
        (json!(5), 400),
        (json!(-1), 400),
    ] {
        let body = json!({"command": ["true"], "snapshot_id": world.snapshot.to_string(), "hold_ms": hold_ms});
        let reply = editor.post("/api/v1/projects/vision/jobs", body).await;
        assert_eq!(reply.status.as_u16(), status, "{hold_ms}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_run_whose_person_has_left_the_project_is_still_heard() {
    let held = Held::new().await;
    held.tell(1, Value::Null).await.expect(200);
    let owner = held.world.client("owner");
    let member = "/api/v1/projects/vision/members/editor";
    owner.delete(member).await.expect(204);
    held.tell(1, Value::Null).await.expect(200);
    let resumed = owner.post(&format!("{}/resume", held.job), json!({})).await;
    resumed.expect(202);
    let answer = format!("{}/hold/answer?number=1", held.job);
    let answer = held.run.get(&answer).await.expect(200);
    assert_eq!(answer["notebook"], Value::Null);
    held.end("resumed").await.expect(204);
    // Of other jobs, and of this one otherwise, it learns nothing any more.
    assert_eq!(held.run.get(&held.job).await.refused(404), "not_found");
    let other = "/api/v1/projects/vision/jobs/1/hold/answer?number=1";
    assert_eq!(held.run.get(other).await.refused(404), "not_found");
}

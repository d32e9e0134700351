//! jupyter-scheduler's API: who may ask, what is said in its words, and what is refused. The panel itself is tried in the browser tests.

use http::Method;
use serde_json::{Value, json};
use storage::{
    ids::{JobId, WorkspaceId},
    jobs::{self, NewJob},
};

use super::{client::Client, world::World};

/// A notebook that was run from the editor's workspace.
async fn notebook(world: &World, name: &str, tags: &[&str]) -> JobId {
    let new = &NewJob {
        project_id: world.project,
        user_id: world.editor,
        name: name.to_owned(),
        workspace_id: Some(world.workspace),
        snapshot_id: world.snapshot,
        command: None,
        notebook: Some("deep/a.ipynb".to_owned()),
        parameters: serde_json::Map::from_iter([("lr".to_owned(), json!(0.1))]),
        inputs: Vec::new(),
        environment: "default".to_owned(),
        machine: "local".to_owned(),
        idempotency_key: None,
        rerun_of: None,
        time_limit_ms: None,
        cell_time_limit_ms: None,
        hold_ms: None,
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        retries: 0,
        queue: true,
    };
    let made = world
        .app
        .write(move |mut tx| async move { jobs::create(&mut tx, new).await });
    made.await.job.id
}

/// The panel's page in the editor's browser.
async fn panel(world: &World) -> Client {
    world.page().await.below(&base(world.workspace))
}

fn base(workspace: WorkspaceId) -> String {
    format!("/w/{workspace}/scheduler")
}

fn routes(job: JobId) -> Vec<(Method, String)> {
    vec![
        (Method::GET, "/jobs".to_owned()),
        (Method::POST, "/jobs".to_owned()),
        (Method::GET, "/jobs/count".to_owned()),
        (Method::GET, format!("/jobs/{job}")),
        (Method::PATCH, format!("/jobs/{job}")),
        (Method::DELETE, format!("/jobs/{job}")),
        (Method::GET, format!("/jobs/{job}/download_files")),
        (Method::DELETE, "/batch/jobs?job_id=x".to_owned()),
        (Method::GET, "/job_definitions".to_owned()),
        (Method::POST, "/job_definitions".to_owned()),
        (Method::GET, "/job_definitions/x".to_owned()),
        (Method::POST, "/job_definitions/x/jobs".to_owned()),
        (Method::GET, "/runtime_environments".to_owned()),
        (Method::GET, "/features".to_owned()),
        (Method::GET, "/config".to_owned()),
    ]
}

/// Every route, for whoever may not ask.
#[tokio::test]
async fn only_the_workspaces_own_person_asks() {
    let world = World::new().await;
    let job = notebook(&world, "mine", &[]).await;
    let page = panel(&world).await;
    let forged = page.clone().without("origin").without("sec-fetch-site");
    let forged = forged.header("sec-fetch-site", "cross-site");
    let editor = world.app.token(world.editor, &["workspaces"]).await;
    let editor = world.app.with_token(&editor).below(&base(world.workspace));
    for (method, path) in routes(job) {
        let ask = |client: Client| {
            let (method, path) = (method.clone(), path.clone());
            async move { client.send(method, &path, None).await.status.as_u16() }
        };
        for caller in [
            "stranger",
            "viewer",
            "owner",
            "admin",
            "workspace token",
            "job token",
        ] {
            let client = world.client(caller).clone().below(&base(world.workspace));
            let status = ask(client).await;
            assert!(
                matches!(status, 401 | 403 | 404),
                "{method} {path} by {caller}: {status}"
            );
        }
        assert_eq!(
            ask(page.clone().without("cookie")).await,
            403,
            "{method} {path}"
        );
        assert_eq!(
            ask(forged.clone()).await,
            403,
            "{method} {path} from elsewhere"
        );
        let on_app = world.client("editor").clone().below("/scheduler");
        assert_eq!(
            ask(on_app).await,
            404,
            "{method} {path} without a workspace"
        );
        for client in [page.clone(), editor.clone()] {
            let status = ask(client).await;
            assert!(
                !matches!(status, 401 | 403 | 404) || path.contains("/x"),
                "{method} {path}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn jobs_are_told_in_the_schedulers_words() {
    let world = World::new().await;
    let first = notebook(&world, "b", &["nightly"]).await;
    notebook(&world, "a", &[]).await;
    let panel = panel(&world).await;
    let all = panel.get("/jobs?sort_by=asc(name)&max_items=1&1732170000000");
    let all = all.await.expect(200);
    assert_eq!(
        (&all["total_count"], &all["next_token"]),
        (&json!(2), &json!("1"))
    );
    assert_eq!(all["jobs"][0]["name"], "a");
    let next = panel.get("/jobs?sort_by=asc(name)&max_items=1&next_token=1");
    assert_eq!(next.await.expect(200)["jobs"][0]["name"], "b");
    let tagged = panel.get("/jobs?tags=nightly").await.expect(200);
    let job = &tagged["jobs"][0];
    assert_eq!(job["job_id"], first.to_string());
    assert_eq!(
        (&job["status"], &job["input_filename"], &job["parameters"]),
        (&json!("QUEUED"), &json!("a.ipynb"), &json!({"lr": "0.1"}))
    );
    assert_eq!(job["job_files"][1]["file_path"], "work/deep/a.ipynb");
    assert_eq!(
        panel.get("/jobs/count?status=queued").await.expect(200),
        json!({"count": 2})
    );
    let one = format!("/jobs/{first}");
    let stop = panel.patch(&one, json!({"status": "STOPPED"})).await;
    assert_eq!(stop.status, 204);
    assert_eq!(panel.get(&one).await.expect(200)["status"], "STOPPED");
    assert_eq!(panel.patch(&one, json!({"name": "x"})).await.status, 400);
    assert_eq!(panel.delete(&one).await.status, 409, "the record stays");
    assert_eq!(
        panel.get(&format!("{one}/download_files")).await.status,
        409
    );
    assert_eq!(panel.get("/jobs?status=flying").await.status, 400);
    let outside = json!({"input_uri": "elsewhere/a.ipynb", "name": "x"});
    assert_eq!(panel.post("/jobs", outside).await.status, 400);
    assert_eq!(
        panel.post("/job_definitions", Value::Null).await.status,
        501
    );
    let environments = panel.get("/runtime_environments").await.expect(200);
    assert_eq!(environments[0]["output_formats"][0]["name"], "ipynb");
    let config = panel.get("/config").await.expect(200);
    assert_eq!(config["supported_features"]["stop_job"], true);
}

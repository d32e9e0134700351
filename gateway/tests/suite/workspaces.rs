//! Workspaces over the API, and the way into them.

use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn a_workspace_is_made_started_changed_and_deleted() {
    let world = World::new().await;
    let editor = world.client("editor");
    let all = "/api/v1/projects/vision/workspaces";
    let made = editor
        .post(all, json!({"name": "bench", "inputs": [{"ref": "#2"}]}))
        .await
        .expect(201);
    assert_eq!(
        (&made["state"], &made["user"]),
        (&json!("stopped"), &json!("editor"))
    );
    assert_eq!(made["inputs"][0]["name"], "job-2");
    assert_eq!(
        editor
            .post(all, json!({"name": "bench"}))
            .await
            .refused(409),
        "conflict"
    );
    for bad in [
        json!({"name": "Bench"}),
        json!({"name": "x", "environment": "none"}),
        json!({"name": "x", "machine": "none"}),
    ] {
        assert_eq!(editor.post(all, bad).await.refused(400), "invalid");
    }
    let own = format!("/api/v1/workspaces/{}", made["id"].as_str().unwrap());
    editor
        .post(&format!("{own}/start"), Value::Null)
        .await
        .expect(202);
    editor
        .post(&format!("{own}/start"), json!({"machine": "local"}))
        .await
        .expect(202);
    let unknown = editor
        .post(&format!("{own}/restart"), json!({"machine": "none"}))
        .await;
    assert_eq!(unknown.refused(400), "invalid");
    editor.delete(&own).await.expect(204);
}

#[tokio::test]
async fn stopping_anothers_workspace_is_in_the_audit_record() {
    let world = World::new().await;
    let stop = format!("/api/v1/workspaces/{}/stop", world.workspace);
    for caller in ["editor", "owner"] {
        let stopped = world.client(caller).post(&stop, Value::Null).await;
        stopped.expect(202);
    }
    let record = world.client("admin").get("/api/v1/audit").await.expect(200);
    let lines: Vec<_> = record["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["action"] == "stop_workspace")
        .collect();
    assert_eq!(lines.len(), 1, "{record}");
    assert_eq!(lines[0]["user"], "owner");
    assert_eq!(lines[0]["detail"]["owner"], "editor");
}

#[tokio::test]
async fn inputs_are_attached_and_detached_by_name() {
    let world = World::new().await;
    let editor = world.client("editor");
    let own = format!("/api/v1/workspaces/{}", world.workspace);
    let changed = editor
        .put(&format!("{own}/inputs/model"), json!({"ref": "vision#2"}))
        .await
        .expect(200);
    assert_eq!(changed["inputs"].as_array().unwrap().len(), 1);
    for name in ["..%2fx", "%2e%2e", "A", "a%20b"] {
        let reply = editor
            .put(&format!("{own}/inputs/{name}"), json!({"ref": "#2"}))
            .await;
        assert!(
            [400, 404].contains(&reply.status.as_u16()),
            "{name}: {}",
            reply.status
        );
    }
    let changed = editor
        .delete(&format!("{own}/inputs/model"))
        .await
        .expect(200);
    assert_eq!(changed["inputs"].as_array().unwrap().len(), 0);
    assert_eq!(
        editor
            .delete(&format!("{own}/inputs/model"))
            .await
            .refused(404),
        "not_found"
    );
}

#[tokio::test]
async fn opening_leads_to_the_workspaces_own_origin_with_a_code_for_one_use() {
    let world = World::new().await;
    let editor = world.client("editor");
    let open = format!("/api/v1/workspaces/{}/open", world.workspace);
    let url = editor.post(&open, Value::Null).await.expect(200)["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let port = world.app.origin.rsplit(':').next().unwrap();
    let entrance = format!(
        "http://{0}.localhost:{port}/w/{0}/.cairn/enter?code=",
        world.workspace
    );
    assert!(url.starts_with(&entrance), "{url}");
    let path = url.split_once(&format!(":{port}")).unwrap().1;
    let host = format!("{}.localhost:{port}", world.workspace);
    let browser = world.app.anonymous().at(&host);
    let entered = browser.get(path).await;
    assert!(
        entered.status.is_redirection(),
        "{} {}",
        entered.status,
        entered.text()
    );
    let cookie = entered.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("cairn_workspace=") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    assert!(
        !browser.get(path).await.headers.contains_key("set-cookie"),
        "a code is good once"
    );
}

#[tokio::test]
async fn next_leads_nowhere_but_into_the_workspace() {
    let world = World::new().await;
    let editor = world.client("editor");
    let open = format!("/api/v1/workspaces/{}/open", world.workspace);
    let base = format!("/w/{}/", world.workspace);
    for next in [
        "//e".to_owned(),
        "/\\e".to_owned(),
        "///e".to_owned(),
        "https:e".to_owned(),
        "https:///e".to_owned(),
        "javascript:alert(1)".to_owned(),
        format!("{}//e", world.app.origin),
        format!("{base}%0d%0aX: y"),
        format!("{base}\r\nX: y"),
        format!("{base}../x"),
        format!("{base}%2e%2e/x"),
        format!("{base}/e"),
        "\t//e".to_owned(),
        "/".to_owned(),
        "/w/other/".to_owned(),
        String::new(),
    ] {
        let reply = editor.post(&open, json!({"next": next})).await;
        assert_eq!(reply.refused(400), "invalid", "{next:?}");
    }
    let next = format!("{base}lab/tree/a%20b.ipynb");
    let reply = editor.post(&open, json!({"next": next})).await.expect(200);
    assert!(
        reply["url"]
            .as_str()
            .unwrap()
            .contains("lab%2Ftree%2Fa%2520b.ipynb")
    );
}

/// Only a page of this workspace itself counts, for as long as whoever opened it may; it never is the person.
#[tokio::test]
async fn pages_of_a_workspace_ask_the_api_as_the_workspace() {
    let world = World::new().await;
    let page = world.page().await;
    let me = page.get("/api/v1/me").await.expect(200);
    assert_eq!(me["name"], "editor");
    let own = format!("/api/v1/workspaces/{}", world.workspace);
    assert_eq!(page.get(&own).await.expect(200)["project"], "vision");
    let projects = page.get("/api/v1/projects").await.expect(200);
    assert_eq!(projects["items"].as_array().unwrap().len(), 1);

    let job = json!({"command": ["true"], "snapshot_id": world.snapshot.to_string()});
    let elsewhere = page.clone().without("origin").without("sec-fetch-site");
    let elsewhere = elsewhere.header("origin", "http://evil.example");
    let forged = elsewhere.post("/api/v1/projects/vision/jobs", job.clone());
    assert_eq!(forged.await.status, 403, "another page");
    let silent = page.clone().without("origin").without("sec-fetch-site");
    let silent = silent.post("/api/v1/projects/vision/jobs", job.clone());
    assert_eq!(
        silent.await.status,
        403,
        "a page that does not say which it is"
    );
    page.post("/api/v1/projects/vision/jobs", job)
        .await
        .expect(201);

    let stranger = page.clone().without("cookie");
    assert_eq!(stranger.get("/api/v1/me").await.status, 403);
    let on_app = page.clone().at(&format!("localhost:{}", world.app.port()));
    assert_eq!(on_app.get("/api/v1/me").await.status, 404);
    for path in [
        "/api/v1/session",
        "/api/v1/tokens",
        "/api/v2/me",
        "/api/openapi.json",
        "/api/v1/../v1/me",
        "/api/v1//me",
    ] {
        let status = page.get(path).await.status;
        assert!(status == 404 || status == 400, "{path}: {status}");
    }

    world.client("editor").delete("/api/v1/session").await;
    let status = page.get("/api/v1/me").await.status;
    assert!(matches!(status.as_u16(), 401 | 403), "signed out: {status}");
}

//! Uploads, files of jobs, ranges, and what browsers may show of them.

use http::Method;
use serde_json::{Value, json};

use super::world::{World, blake3, declare, upload};

const CONTENT: &str = "/api/v1/projects/vision/jobs/2/outputs/content?path=train.py";

#[tokio::test]
async fn an_upload_goes_on_where_it_broke_off() {
    let world = World::new().await;
    let editor = world.client("editor");
    let content = vec![7_u8; 3000];
    let hash = blake3(&content);
    let upload = upload(editor).await;
    assert_eq!(
        declare(editor, &upload, &hash, 3000).await["missing"],
        json!([hash])
    );
    let path = format!("/api/v1/uploads/{upload}/objects/{hash}");
    let part = editor
        .bytes(Method::PUT, &path, content[..1000].to_vec())
        .await
        .expect(200);
    assert_eq!(part, json!({"offset": 1000, "complete": false}));
    let head = editor.bytes(Method::HEAD, &path, Vec::new()).await;
    assert_eq!(
        (head.status.as_u16(), &head.headers["upload-offset"]),
        (200, &"1000".parse().unwrap())
    );
    let seal = format!("/api/v1/uploads/{upload}/seal");
    assert_eq!(
        editor.post(&seal, Value::Null).await.refused(409),
        "conflict"
    );
    let beyond = editor
        .bytes(Method::PUT, &format!("{path}?offset=2000"), vec![7; 10])
        .await;
    assert_eq!(beyond.refused(409), "conflict");
    let rest = editor
        .bytes(
            Method::PUT,
            &format!("{path}?offset=1000"),
            content[1000..].to_vec(),
        )
        .await;
    assert_eq!(rest.expect(200)["complete"], true);
    let sealed = editor.post(&seal, Value::Null).await.expect(200);
    assert_eq!(sealed["bytes"], 3000);
    assert_eq!(editor.post(&seal, Value::Null).await.expect(200), sealed);
}

#[tokio::test]
async fn what_an_upload_cannot_be_is_refused() {
    let world = World::new().await;
    let editor = world.client("editor");
    let entries = format!("/api/v1/uploads/{}/entries", world.upload);
    for path in [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a//b",
        "a\u{0}b",
        "./a",
    ] {
        let entry = json!([{"path": path, "hash": world.hash, "size": 9}]);
        assert_eq!(
            editor.post(&entries, entry).await.refused(400),
            "invalid",
            "{path:?}"
        );
    }
    let wrong = json!([{"path": "a", "hash": "xyz", "size": 9}]);
    assert_eq!(editor.post(&entries, wrong).await.refused(400), "invalid");
    let object = format!("/api/v1/uploads/{}/objects/{}", world.upload, world.hash);
    let lie = editor
        .bytes(Method::PUT, &object, b"print(3)\n".to_vec())
        .await;
    assert_eq!(lie.refused(400), "invalid");
    let more = editor.bytes(Method::PUT, &object, vec![0; 100]).await;
    assert_eq!(more.refused(400), "invalid");
    let other = format!(
        "/api/v1/uploads/{}/objects/{}",
        world.upload,
        blake3(b"other")
    );
    assert_eq!(
        editor
            .bytes(Method::PUT, &other, Vec::new())
            .await
            .refused(404),
        "not_found"
    );
    editor
        .delete(&format!("/api/v1/uploads/{}", world.upload))
        .await
        .expect(204);
    assert_eq!(
        editor
            .bytes(Method::PUT, &object, Vec::new())
            .await
            .refused(409),
        "conflict"
    );
}

#[tokio::test]
async fn files_are_listed_and_sent_in_ranges() {
    let world = World::new().await;
    let viewer = world.client("viewer");
    let files = viewer
        .get("/api/v1/projects/vision/jobs/1/files")
        .await
        .expect(200);
    assert_eq!(files["items"][0]["path"], "train.py");
    assert_eq!(files["items"][0]["bytes"], 9);
    let whole = viewer.get(CONTENT).await;
    assert_eq!(
        (whole.status.as_u16(), whole.text().as_str()),
        (200, "print(1)\n")
    );
    let etag = whole.headers["etag"].to_str().unwrap().to_owned();
    let part = viewer
        .clone()
        .header("range", "bytes=6-6")
        .get(CONTENT)
        .await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, "1"));
    assert_eq!(part.headers["content-range"], "bytes 6-6/9");
    let outside = viewer
        .clone()
        .header("range", "bytes=9-")
        .get(CONTENT)
        .await;
    assert_eq!(outside.refused(416), "range_not_satisfiable");
    assert_eq!(outside.headers["content-range"], "bytes */9");
    let known = viewer
        .clone()
        .header("if-none-match", &etag)
        .get(CONTENT)
        .await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    let head = viewer.bytes(Method::HEAD, CONTENT, Vec::new()).await;
    assert_eq!(
        (head.status.as_u16(), &head.headers["content-length"]),
        (200, &"9".parse().unwrap())
    );
}

#[tokio::test]
async fn content_is_sandboxed_and_never_sniffed() {
    let world = World::new().await;
    let viewer = world.client("viewer");
    let shown = viewer.get(CONTENT).await;
    assert_eq!(shown.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(shown.headers["x-content-type-options"], "nosniff");
    assert!(
        shown.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("sandbox")
    );
    assert_eq!(
        shown
            .headers
            .get_all("content-security-policy")
            .iter()
            .count(),
        1
    );
    let saved = viewer.get(&format!("{CONTENT}&download=1")).await;
    assert_eq!(saved.headers["content-type"], "application/octet-stream");
    assert!(
        saved.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
}

#[tokio::test]
async fn no_path_leads_out_of_a_job() {
    let world = World::new().await;
    let viewer = world.client("viewer");
    for path in [
        "../train.py",
        "/etc/passwd",
        "a/../train.py",
        "train.py/x",
        "%00",
        "..%2f..%2fetc%2fpasswd",
        "none",
    ] {
        for base in ["files/content", "outputs/content", "files", "outputs"] {
            let reply = viewer
                .get(&format!(
                    "/api/v1/projects/vision/jobs/2/{base}?path={path}"
                ))
                .await;
            assert!(
                [400, 404].contains(&reply.status.as_u16()),
                "{base} {path}: {}",
                reply.status
            );
        }
    }
}

#[tokio::test]
async fn a_job_is_submitted_once_for_one_key_and_rerun_with_other_values() {
    let world = World::new().await;
    let editor = world.client("editor");
    let jobs = "/api/v1/projects/vision/jobs";
    let body = json!({"command": ["python", "train.py", "{parameters}"], "snapshot_id": world.snapshot.to_string(),
        "parameters": {"epochs": 3}, "idempotency_key": "k", "inputs": [{"name": "model", "ref": "vision#2"}]});
    let first = editor.post(jobs, body.clone()).await.expect(201);
    assert_eq!(first["number"], 3);
    assert_eq!(first["inputs"][0]["name"], "model");
    assert_eq!(
        editor.post(jobs, body.clone()).await.expect(200)["id"],
        first["id"]
    );
    let mut other = body;
    other["parameters"]["epochs"] = json!(4);
    assert_eq!(editor.post(jobs, other).await.refused(409), "conflict");
    let again = editor
        .post(
            &format!("{jobs}/3/rerun"),
            json!({"parameters": {"epochs": 5}}),
        )
        .await
        .expect(201);
    assert_eq!(again["parameters"], json!({"epochs": 5}));
    assert_eq!(again["rerun_of"], first["id"]);
    let stopped = editor
        .post(&format!("{jobs}/4/stop"), Value::Null)
        .await
        .expect(202);
    assert_eq!(stopped["state"], "stopped");
    for bad in [
        json!({"command": ["x"]}),
        json!({"command": ["x"], "snapshot_id": world.snapshot.to_string(), "workspace_id": world.workspace.to_string()}),
        json!({"snapshot_id": world.snapshot.to_string()}),
        json!({"command": ["x"], "snapshot_id": world.snapshot.to_string(), "environment": "none"}),
        json!({"command": ["x"], "snapshot_id": world.snapshot.to_string(), "inputs": [{"ref": "nonsense"}]}),
    ] {
        assert_eq!(
            editor.post(jobs, bad.clone()).await.refused(400),
            "invalid",
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_notebook_is_a_page_in_an_origin_of_its_own() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let html = json!({"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b id='mine'>bold</b>"}});
    let cell = json!({"cell_type": "code", "id": "a", "metadata": {}, "source": "x = 1", "outputs": [html], "execution_count": 1});
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]});
    std::fs::write(folder.path().join("a.ipynb"), notebook.to_string()).unwrap();
    std::fs::write(folder.path().join("b.ipynb"), "{").unwrap();
    let number = world.job_that_left(folder.path()).await;
    let base = format!("/api/v1/projects/vision/jobs/{number}/outputs/page");
    let viewer = world.client("viewer");
    let page = viewer.get(&format!("{base}?path=a.ipynb")).await;
    assert_eq!(page.status, 200);
    let policies: Vec<_> = page
        .headers
        .get_all("content-security-policy")
        .iter()
        .collect();
    assert_eq!(policies, [control::page::CONTENT_SECURITY_POLICY]);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let text = page.text();
    assert!(
        text.contains("<b id='mine'>bold</b>") && text.contains("vision#"),
        "{text}"
    );
    let plain = viewer.get(&format!("{base}?path=a.ipynb&code=0")).await;
    assert!(!plain.text().contains("class=\"source\""));
    for (path, status, code) in [("b.ipynb", 400, "invalid"), ("c.ipynb", 404, "not_found")] {
        let refused = viewer.get(&format!("{base}?path={path}")).await;
        assert_eq!(refused.refused(status), code, "{path}");
    }
}

#[tokio::test]
async fn the_same_key_with_other_cells_is_another_request() {
    let world = World::new().await;
    let editor = world.client("editor");
    let machine = world.app.control.hosts().local().clone();
    machine.make_home(world.workspace, None).await.unwrap();
    let jobs = "/api/v1/projects/vision/jobs";
    let body = |source: &str| {
        let cell = json!({"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": [], "execution_count": null});
        let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]});
        json!({"cells": {"notebook": notebook, "path": "a.ipynb", "keep": [0]}, "workspace_id": world.workspace.to_string(), "idempotency_key": "k"})
    };
    let first = editor.post(jobs, body("x = 1")).await.expect(201);
    assert_eq!(first["notebook"], "a.cells.ipynb");
    let again = editor.post(jobs, body("x = 1")).await.expect(200);
    assert_eq!(again["id"], first["id"]);
    let other = editor.post(jobs, body("x = 2")).await;
    assert_eq!(other.refused(409), "conflict");
}

#[tokio::test]
async fn a_window_of_a_series_has_two_ends() {
    let world = World::new().await;
    let viewer = world.client("viewer");
    let series = "/api/v1/projects/vision/jobs/1/series?points=100";
    viewer.get(series).await.expect(200);
    let whole = format!("{series}&from=0&to=5.5&axis=time");
    viewer.get(&whole).await.expect(200);
    for bad in [
        "from=1",
        "to=1",
        "from=2&to=1",
        "from=NaN&to=1",
        "from=1&to=2&axis=y",
    ] {
        let reply = viewer.get(&format!("{series}&{bad}")).await;
        assert_eq!(reply.refused(400), "invalid", "{bad}");
    }
}

#[tokio::test]
async fn nobody_attaches_what_they_may_not_read() {
    let world = World::new().await;
    let stranger = world.client("stranger");
    stranger
        .post("/api/v1/projects", json!({"name": "theirs"}))
        .await
        .expect(201);
    let body = json!({"name": "desk", "inputs": [{"ref": "vision#2"}]});
    let reply = stranger
        .post("/api/v1/projects/theirs/workspaces", body)
        .await;
    assert_eq!(reply.refused(404), "not_found");
    let job = json!({"command": ["x"], "snapshot_id": world.snapshot.to_string()});
    assert_eq!(
        stranger
            .post("/api/v1/projects/theirs/jobs", job)
            .await
            .refused(404),
        "not_found"
    );
    let job = json!({"command": ["x"], "workspace_id": world.workspace.to_string()});
    assert_eq!(
        stranger
            .post("/api/v1/projects/theirs/jobs", job)
            .await
            .refused(404),
        "not_found"
    );
}

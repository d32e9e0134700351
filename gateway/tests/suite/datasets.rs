//! Datasets: versions out of uploads, jobs and other versions; aliases; what is open to others.

use http::Method;
use serde_json::{Value, json};

use super::{
    client::Client,
    world::{World, blake3},
};

pub(crate) const DIGITS: &str = "/api/v1/projects/vision/datasets/digits";

/// A dataset `digits` whose version 1 is what job 2 left, with an alias `kept`.
pub(crate) async fn digits(editor: &Client) {
    let new = json!({"name": "digits", "tags": ["images"]});
    editor
        .post("/api/v1/projects/vision/datasets", new)
        .await
        .expect(201);
    let version = json!({"sources": [{"ref": "#2"}], "aliases": ["kept"], "message": "first"});
    editor
        .post(&format!("{DIGITS}/versions"), version)
        .await
        .expect(201);
}

/// An upload of the editor's with these files declared, and what is missing of them.
pub(crate) async fn opened(editor: &Client, kind: &str, files: &[(&str, &str)]) -> (String, Value) {
    opened_in("vision", editor, kind, files).await
}

async fn opened_in(
    project: &str,
    editor: &Client,
    kind: &str,
    files: &[(&str, &str)],
) -> (String, Value) {
    let uploads = format!("/api/v1/projects/{project}/uploads");
    let made = editor.post(&uploads, json!({"kind": kind})).await;
    let made = made.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let entry = |(path, text): &(&str, &str)| json!({"path": path, "hash": blake3(text.as_bytes()), "size": text.len()});
    let entries: Vec<Value> = files.iter().map(entry).collect();
    let missing = editor
        .post(&format!("/api/v1/uploads/{id}/entries"), json!(entries))
        .await
        .expect(200);
    (id, missing["missing"].clone())
}

/// The same, sent and not sealed.
pub(crate) async fn sent(editor: &Client, kind: &str, files: &[(&str, &str)]) -> String {
    sent_to("vision", editor, kind, files).await
}

async fn sent_to(project: &str, editor: &Client, kind: &str, files: &[(&str, &str)]) -> String {
    let (id, missing) = opened_in(project, editor, kind, files).await;
    for (_, text) in files {
        let hash = blake3(text.as_bytes());
        if missing.as_array().unwrap().contains(&json!(hash)) {
            let path = format!("/api/v1/uploads/{id}/objects/{hash}");
            let body = text.as_bytes().to_vec();
            editor.bytes(Method::PUT, &path, body).await.expect(200);
        }
    }
    id
}

pub(crate) async fn make(client: &Client, version: Value) -> super::client::Reply {
    client.post(&format!("{DIGITS}/versions"), version).await
}

pub(crate) async fn paths(client: &Client, version: &str) -> Vec<String> {
    let list = client
        .get(&format!("{DIGITS}/versions/{version}/files"))
        .await
        .expect(200);
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["path"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn versions_are_made_of_uploads_jobs_and_each_other() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let upload = sent(
        editor,
        "outputs",
        &[("a.csv", "1"), ("b/c.csv", "2"), ("b/d.txt", "3")],
    )
    .await;
    let second = make(
        editor,
        json!({"upload_id": upload, "metadata": {"labels": 3}}),
    )
    .await
    .expect(201);
    assert_eq!(
        (
            &second["number"],
            &second["files"],
            &second["metadata"]["labels"]
        ),
        (&json!(2), &json!(3), &json!(3))
    );
    assert_eq!(
        second["content_digest"],
        expected_digest(&[("a.csv", "1"), ("b/c.csv", "2"), ("b/d.txt", "3")])
    );
    let again = make(editor, json!({"upload_id": upload})).await;
    assert_eq!(again.expect(200)["number"], 2);
    let third = json!({"sources": [{"ref": "digits:latest", "keep": ["**/*.csv"]}, {"ref": "digits:kept", "to": "code"}]});
    make(editor, third).await.expect(201);
    assert_eq!(paths(editor, "3").await, ["a.csv", "b", "code"]);
    let details = editor
        .get(&format!("{DIGITS}/versions/3"))
        .await
        .expect(200);
    assert_eq!(details["version"]["origin"], "derived");
    assert_eq!(details["sources"][0]["ref"], "digits:2");
    assert_eq!(details["sources"][1]["ref"], "digits:1");
    let diff = editor
        .get(&format!("{DIGITS}/versions/latest/diff"))
        .await
        .expect(200);
    assert_eq!(diff["from"], 2);
    assert_eq!(
        diff["changes"],
        json!([{"path": "b/d.txt", "change": "removed"}, {"path": "code/train.py", "change": "added"}])
    );
    let file = editor
        .get(&format!("{DIGITS}/versions/2/files/content?path=b/c.csv"))
        .await;
    assert_eq!(file.text(), "2");
    let shown = editor.get(DIGITS).await.expect(200);
    assert_eq!(shown["latest"]["number"], 3);
    assert_eq!(shown["aliases"][0]["name"], "kept");
}

/// As the documentation says: `b3sum` over the lines of `b3sum`.
fn expected_digest(files: &[(&str, &str)]) -> String {
    let lines = files
        .iter()
        .map(|(path, text)| format!("{}  {path}\n", blake3(text.as_bytes())));
    blake3(lines.collect::<String>().as_bytes())
}

#[tokio::test]
async fn what_cannot_be_a_version_is_refused() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let code = sent(editor, "snapshot", &[("a", "1")]).await;
    let both = json!({"upload_id": code, "sources": []});
    let unfinished = opened(editor, "outputs", &[("a", "unsent")]).await.0;
    let many = vec![json!({"ref": "digits:1"}); 101];
    for (body, status, code) in [
        (json!({}), 400, "invalid"),
        (both, 400, "invalid"),
        (json!({"upload_id": code}), 400, "invalid"),
        (json!({"sources": many}), 400, "invalid"),
        (
            json!({"sources": [], "aliases": vec!["a"; 21]}),
            400,
            "invalid",
        ),
        (json!({"upload_id": unfinished}), 409, "conflict"),
        (json!({"upload_id": "x"}), 404, "not_found"),
        (json!({"sources": [{"ref": "digits:9"}]}), 400, "invalid"),
        (json!({"sources": [{"ref": "nothing:1"}]}), 404, "not_found"),
        (json!({"sources": [{"ref": "#1"}]}), 400, "invalid"),
        (
            json!({"sources": [{"ref": "digits:1/nothing"}]}),
            404,
            "not_found",
        ),
        (
            json!({"sources": [{"ref": "digits:1", "to": "../x"}]}),
            400,
            "invalid",
        ),
        (
            json!({"sources": [{"ref": "digits:1", "keep": ["["]}]}),
            400,
            "invalid",
        ),
        (
            json!({"sources": [{"ref": "digits:1"}], "aliases": ["latest"]}),
            400,
            "invalid",
        ),
    ] {
        let refused = make(editor, body.clone()).await;
        assert_eq!(refused.refused(status), code, "{body}");
    }
    let list = editor.get(&format!("{DIGITS}/versions")).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let clash = sent(editor, "outputs", &[("train.py", "other")]).await;
    make(editor, json!({"upload_id": clash})).await.expect(201);
    let merge = |on_clash: &str| json!({"sources": [{"ref": "digits:1"}, {"ref": "digits:2"}], "on_clash": on_clash});
    let refused = make(editor, merge("refuse")).await;
    assert!(refused.text().contains("train.py"), "{}", refused.text());
    assert_eq!(refused.refused(409), "conflict");
    let merged = make(editor, merge("last")).await;
    assert_eq!(
        merged.expect(200)["number"],
        2,
        "the same files as version 2"
    );
}

#[tokio::test]
async fn a_version_is_an_input_that_says_which_it_was() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let attach = format!("/api/v1/workspaces/{}/inputs/data", world.workspace);
    let attached = editor
        .put(&attach, json!({"ref": "digits:latest"}))
        .await
        .expect(200);
    let inputs = attached["inputs"].as_array().unwrap();
    let input = inputs.iter().find(|input| input["name"] == "data").unwrap();
    assert_eq!(
        (&input["ref"], &input["files"]),
        (&json!("digits:1"), &json!(1))
    );
    for nothing in ["digits:7", "digits:1/nothing"] {
        let refused = editor.put(&attach, json!({"ref": nothing})).await;
        assert_eq!(refused.refused(400), "invalid", "{nothing}");
    }
    let retract = format!("{DIGITS}/versions/1");
    editor.delete(&retract).await.expect(204);
    let refused = editor.put(&attach, json!({"ref": "digits:1"})).await;
    assert_eq!(refused.refused(400), "invalid");
}

#[tokio::test]
async fn an_alias_moves_only_from_where_it_is_believed_to_be() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let upload = sent(editor, "outputs", &[("a", "1")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let kept = format!("{DIGITS}/aliases/kept");
    let wrong = editor.put(&kept, json!({"number": 2, "from": 2})).await;
    assert_eq!(wrong.refused(409), "conflict");
    editor
        .put(&kept, json!({"number": 2, "from": 1}))
        .await
        .expect(204);
    editor.delete(&kept).await.expect(204);
    assert_eq!(editor.delete(&kept).await.refused(404), "not_found");
    let moves = editor.get(&format!("{DIGITS}/aliases")).await.expect(200);
    let told: Vec<&Value> = moves["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["number"])
        .collect();
    assert_eq!(told, [&Value::Null, &json!(2), &json!(1)]);
}

#[tokio::test]
async fn a_private_dataset_is_not_there_for_others() {
    let world = World::new().await;
    let (editor, stranger) = (world.client("editor"), world.client("stranger"));
    digits(editor).await;
    for path in [
        DIGITS.to_owned(),
        format!("{DIGITS}/versions/1/files"),
        DIGITS.replace("digits", "nothing"),
    ] {
        assert_eq!(
            stranger.get(&path).await.refused(404),
            "not_found",
            "{path}"
        );
    }
    let hidden = (
        stranger.get(DIGITS).await.text(),
        stranger.get(&DIGITS.replace("digits", "x")).await.text(),
    );
    let message = |text: &str| serde_json::from_str::<Value>(text).unwrap()["message"].clone();
    assert_eq!(message(&hidden.0), message(&hidden.1));
}

#[tokio::test]
async fn an_open_dataset_is_read_by_others() {
    let world = World::new().await;
    let (editor, owner, stranger) = (
        world.client("editor"),
        world.client("owner"),
        world.client("stranger"),
    );
    digits(editor).await;
    let open = json!({"visibility": "organisation"});
    assert_eq!(
        editor.patch(DIGITS, open.clone()).await.refused(403),
        "forbidden"
    );
    owner.patch(DIGITS, open).await.expect(200);
    stranger.get(DIGITS).await.expect(200);
    let file = stranger
        .get(&format!("{DIGITS}/versions/1/files/content?path=train.py"))
        .await;
    assert_eq!(file.text(), "print(1)\n");
    assert_eq!(
        make(stranger, json!({"sources": []})).await.refused(403),
        "forbidden"
    );
    assert_eq!(
        stranger.get("/api/v1/projects/vision").await.refused(404),
        "not_found"
    );
    assert_eq!(
        world.app.anonymous().get(DIGITS).await.refused(401),
        "unauthenticated"
    );
    stranger
        .post("/api/v1/projects", json!({"name": "own"}))
        .await
        .expect(201);
    let own = "/api/v1/projects/own/datasets";
    stranger
        .post(own, json!({"name": "copy"}))
        .await
        .expect(201);
    let copy = stranger
        .post(
            &format!("{own}/copy/versions"),
            json!({"sources": [{"ref": "vision/digits:1"}]}),
        )
        .await;
    assert_eq!(copy.expect(201)["files"], 1);
    let refused = stranger
        .post(
            &format!("{own}/copy/versions"),
            json!({"sources": [{"ref": "vision#2"}]}),
        )
        .await;
    assert_eq!(refused.refused(404), "not_found");
}

/// Where the store keeps an object.
pub(crate) fn object_path(world: &World, hash: &str) -> std::path::PathBuf {
    let (folder, name) = hash.split_at(2);
    world
        .app
        .store_path()
        .join("objects")
        .join(folder)
        .join(name)
}

pub(crate) async fn verify(client: &Client, version: i64, full: bool) -> Value {
    let path = format!("{DIGITS}/versions/{version}/verify");
    client.post(&path, json!({"full": full})).await.expect(200)
}

/// Version 2 is of the files `a` and `b`, and shown in the workspace; version 3 is of `b` alone. Then `b` is changed behind the store's back, to
/// something as long. Gives the hash that it had.
pub(crate) async fn spoilt(world: &World) -> String {
    let editor = world.client("editor");
    digits(editor).await;
    let upload = sent(editor, "outputs", &[("a", "1"), ("b", "22")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let part = json!({"sources": [{"ref": "digits:2", "keep": ["b"]}]});
    make(editor, part).await.expect(201);
    let attach = format!("/api/v1/workspaces/{}/inputs/data", world.workspace);
    let attached = editor.put(&attach, json!({"ref": "digits:2"})).await;
    attached.expect(200);
    let sound = verify(editor, 2, true).await;
    assert_eq!(
        (&sound["integrity"], &sound["bytes"]),
        (&json!("ok"), &json!(3))
    );
    let hash = blake3(b"22");
    let object = object_path(world, &hash);
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, "xx").unwrap();
    hash
}

#[tokio::test]
async fn a_file_that_was_changed_behind_our_back_is_found_with_all_whom_it_concerns() {
    let world = World::new().await;
    let editor = world.client("editor");
    let hash = spoilt(&world).await;
    let quick = verify(editor, 2, false).await;
    assert_eq!(quick["integrity"], "ok", "the size is right");
    let found = verify(editor, 2, true).await;
    assert_eq!(found["integrity"], "partial");
    let fault =
        json!([{"path": "b", "hash": hash, "fault": "damaged", "place": null, "is_kept": false}]);
    assert_eq!(found["faults"], fault);
    let versions = [
        json!({"kind": "version", "name": "digits:2"}),
        json!({"kind": "version", "name": "digits:3"}),
    ];
    let mut concerns = versions.to_vec();
    concerns.push(json!({"kind": "workspace", "name": "desk"}));
    assert_eq!(
        (&found["concerns"], &found["elsewhere"]),
        (&json!(concerns), &json!(0))
    );
    let shown = editor
        .get(&format!("{DIGITS}/versions/3"))
        .await
        .expect(200);
    assert_eq!(shown["version"]["integrity"], "partial");
    assert_eq!(
        verify(editor, 3, false).await["faults"][0]["fault"],
        "missing"
    );

    // Another editor's view: not of the first one's workspace.
    let member = "/api/v1/projects/vision/members/viewer";
    let owner = world.client("owner");
    owner
        .put(member, json!({"role": "editor"}))
        .await
        .expect(200);
    let found = verify(world.client("viewer"), 2, true).await;
    assert_eq!(
        (&found["concerns"], &found["elsewhere"]),
        (&json!(versions), &json!(1))
    );
}

#[tokio::test]
async fn what_is_damaged_is_used_by_nothing_new_until_it_is_sent_again() {
    let world = World::new().await;
    let editor = world.client("editor");
    spoilt(&world).await;
    let run = |of: &str| {
        let job = json!({"command": ["true"], "snapshot_id": world.snapshot.to_string(), "inputs": [{"ref": of}]});
        async move { editor.post("/api/v1/projects/vision/jobs", job).await }
    };
    let before = run("digits:2").await.expect(201)["number"].clone();
    verify(editor, 2, true).await;
    let again = format!("/api/v1/projects/vision/jobs/{before}/rerun");
    let again = || async { editor.post(&again, json!({})).await };
    for refused in [run("digits:2").await, run("digits:3").await, again().await] {
        assert_eq!(refused.refused(400), "invalid");
    }
    let copy = make(
        editor,
        json!({"sources": [{"ref": "digits:3"}, {"ref": "digits:1"}]}),
    )
    .await;
    assert_eq!(
        copy.refused(400),
        "invalid",
        "nor is another version made of it"
    );
    assert_eq!(verify(editor, 2, false).await["integrity"], "partial");

    let upload = sent(editor, "outputs", &[("a", "1"), ("b", "22")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let quick = verify(editor, 2, false).await;
    assert_eq!(
        (&quick["faults"], &quick["integrity"]),
        (&json!([]), &json!("partial")),
        "only a full check heals"
    );
    assert_eq!(verify(editor, 2, true).await["integrity"], "ok");
    again().await.expect(201);
    assert_eq!(
        run("digits:3").await.refused(400),
        "invalid",
        "was not checked again"
    );
    verify(editor, 3, true).await;
    run("digits:3").await.expect(201);
    let retract = format!("{DIGITS}/versions/2");
    editor.delete(&retract).await.expect(204);
    assert_eq!(again().await.refused(400), "invalid", "taken back");
}

#[tokio::test]
async fn what_is_damaged_is_left_out_where_that_is_allowed_and_the_record_says_so() {
    let world = World::new().await;
    let editor = world.client("editor");
    spoilt(&world).await;
    let jobs = "/api/v1/projects/vision/jobs";
    let run = |of: &str, allow: bool| {
        let input = json!({"ref": of, "allow_damaged": allow});
        let job = json!({"command": ["true"], "snapshot_id": world.snapshot.to_string(), "inputs": [input]});
        async move { editor.post(jobs, job).await }
    };
    let before = run("digits:2", true).await.expect(201);
    assert_eq!(before["inputs"][0]["left_out"], Value::Null, "it was whole");
    verify(editor, 2, true).await;
    let refused = run("digits:2", false).await;
    let text = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(
        text.contains("`digits:2`") && text.contains("\"b\""),
        "{text}"
    );
    let input = run("digits:2", true).await.expect(201)["inputs"][0].clone();
    let left_out = json!({"files": 1, "bytes": 2, "paths": ["b"]});
    assert_eq!(
        (&input["left_out"], &input["files"]),
        (&left_out, &json!(1))
    );
    assert_eq!(input["ref"], "digits:2");
    let again = format!("{jobs}/{}/rerun", before["number"]);
    editor.post(&again, json!({})).await.refused(400);
    let again = editor.post(&again, json!({"allow_damaged": true})).await;
    let number = again.json()["number"].clone();
    assert_eq!(again.expect(201)["inputs"][0], input, "the same files");
    let third = format!("{jobs}/{number}/rerun");
    editor.post(&third, json!({})).await.refused(400);

    let upload = sent(editor, "outputs", &[("a", "1"), ("b", "22")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let text = run("digits:2", false).await.json()["message"].to_string();
    assert!(text.contains("all are there again"), "{text}");
    let input = run("digits:2", true).await.expect(201)["inputs"][0].clone();
    assert_eq!(
        (&input["left_out"]["files"], &input["files"]),
        (&json!(0), &json!(2))
    );
    verify(editor, 2, true).await;
    let whole = editor.post(&third, json!({})).await.expect(201);
    assert_eq!(
        whole["inputs"][0]["left_out"],
        Value::Null,
        "it is whole again"
    );
}

/// A dataset `data` of a project `own` of the stranger's, in which the editor may read: version 1 is of the files `c` and `d`.
pub(crate) async fn foreign(world: &World) {
    let stranger = world.client("stranger");
    let own = json!({"name": "own"});
    stranger.post("/api/v1/projects", own).await.expect(201);
    let member = "/api/v1/projects/own/members/editor";
    let member = stranger.put(member, json!({"role": "editor"})).await;
    member.expect(200);
    data(world).await;
}

async fn data(world: &World) {
    let stranger = world.client("stranger");
    let datasets = "/api/v1/projects/own/datasets";
    let made = stranger.post(datasets, json!({"name": "data"})).await;
    made.expect(201);
    let upload = sent_to("own", stranger, "outputs", &[("c", "333"), ("d", "4444")]).await;
    let versions = format!("{datasets}/data/versions");
    let version = stranger.post(&versions, json!({"upload_id": upload})).await;
    version.expect(201);
}

#[tokio::test]
async fn a_rerun_finds_a_damaged_input_anew_only_for_who_may_read_it_and_only_the_same() {
    let world = World::new().await;
    let (editor, stranger) = (world.client("editor"), world.client("stranger"));
    foreign(&world).await;
    let jobs = "/api/v1/projects/vision/jobs";
    let inputs = json!([{"ref": "own/data:1"}]);
    let job =
        json!({"command": ["true"], "snapshot_id": world.snapshot.to_string(), "inputs": inputs});
    let number = editor.post(jobs, job).await.expect(201)["number"].clone();
    let again = format!("{jobs}/{number}/rerun");
    let again = |caller| {
        let client = world.client(caller);
        let path = again.clone();
        async move { client.post(&path, json!({"allow_damaged": true})).await }
    };
    again("owner").await.expect(201);
    std::fs::remove_file(object_path(&world, &blake3(b"333"))).unwrap();
    let data_path = "/api/v1/projects/own/datasets/data";
    let verify = format!("{data_path}/versions/1/verify");
    stranger.post(&verify, json!({})).await.expect(200);
    assert_eq!(again("owner").await.refused(404), "not_found");
    let less = again("editor").await.expect(201)["inputs"][0].clone();
    assert_eq!(less["left_out"]["paths"], json!(["c"]));

    stranger.delete(data_path).await.expect(204);
    data(&world).await;
    let refused = again("editor").await;
    assert!(refused.text().contains("deleted"), "{}", refused.text());
    refused.refused(400);
}

#[tokio::test]
async fn a_workspace_shows_what_is_whole_of_an_input_where_that_is_allowed() {
    let world = World::new().await;
    let editor = world.client("editor");
    spoilt(&world).await;
    verify(editor, 2, true).await;
    let place = format!("/api/v1/workspaces/{}/inputs/digits", world.workspace);
    let put = |body: Value| editor.put(&place, body);
    put(json!({"ref": "digits:2"})).await.refused(400);
    let shown = put(json!({"ref": "digits:2", "allow_damaged": true}))
        .await
        .expect(200);
    let input = shown["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "digits")
        .unwrap()
        .clone();
    assert_eq!(input["left_out"]["paths"], json!(["b"]));
}

/// Version 1 is what job 2 left, 2 was sent, 3 is made of both, read by a job, and shown in the workspace. Gives the job's name.
pub(crate) async fn family(world: &World) -> String {
    let editor = world.client("editor");
    digits(editor).await;
    let upload = sent(editor, "outputs", &[("a", "1")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let third = json!({"sources": [{"ref": "digits:1"}, {"ref": "digits:2"}]});
    make(editor, third).await.expect(201);
    let job = json!({"command": ["true"], "snapshot_id": world.snapshot.to_string(), "inputs": [{"ref": "digits:3"}]});
    let job = editor.post("/api/v1/projects/vision/jobs", job).await;
    let attach = format!("/api/v1/workspaces/{}/inputs/data", world.workspace);
    let attached = editor.put(&attach, json!({"ref": "digits:3"})).await;
    attached.expect(200);
    format!("vision#{}", job.expect(201)["number"])
}

async fn lineage(client: &Client, project: &str, of: &str, depth: usize) -> Value {
    let of = of.replace('#', "%23");
    let path = format!("/api/v1/projects/{project}/lineage?ref={of}&depth={depth}");
    client.get(&path).await.expect(200)
}

fn nodes(graph: &Value) -> &Vec<Value> {
    graph["nodes"].as_array().unwrap()
}

#[tokio::test]
async fn lineage_leads_back_and_forth() {
    let world = World::new().await;
    let editor = world.client("editor");
    let reader = family(&world).await;
    let whole = lineage(editor, "vision", "digits:3", 5).await;
    assert_eq!(nodes(&whole)[0]["name"], "vision/digits:3");
    assert_eq!(nodes(&whole).len(), 6);
    assert_eq!(
        (&whole["more"], &whole["hidden"]),
        (&json!(false), &json!(0))
    );
    let node = |name: &str| nodes(&whole).iter().find(|n| n["name"] == name).unwrap();
    assert!(node("vision#2")["code_digest"].is_string());
    let rename = json!({"name": "numerals"});
    editor.patch(DIGITS, rename).await.expect(200);
    let renamed = lineage(editor, "vision", "numerals:3", 5).await;
    assert_eq!(renamed["edges"], whole["edges"], "names are no ties");
    editor
        .patch(
            "/api/v1/projects/vision/datasets/numerals",
            json!({"name": "digits"}),
        )
        .await
        .expect(200);
    let edges = whole["edges"].as_array().unwrap();
    for (from, to, how) in [
        ("vision#2", "vision/digits:1", "left"),
        ("vision/digits:1", "vision/digits:3", "made_of"),
        ("vision/digits:2", "vision/digits:3", "made_of"),
        ("vision/digits:3", &reader, "read"),
        ("vision/digits:3", "desk", "read"),
    ] {
        let edge = json!({"from": node(from)["id"], "to": node(to)["id"], "how": how});
        assert!(edges.contains(&edge), "{from} {how} {to} in {edges:?}");
    }
    let near = lineage(editor, "vision", "digits:3", 1).await;
    assert_eq!((nodes(&near).len(), &near["more"]), (5, &json!(true)));
    let back = lineage(editor, "vision", &reader, 9).await;
    assert_eq!(
        nodes(&back).len(),
        5,
        "not the workspace that reads the same"
    );
    let missing = editor.get("/api/v1/projects/vision/lineage?ref=digits:9");
    assert_eq!(missing.await.refused(400), "invalid");
}

#[tokio::test]
async fn lineage_shows_nobody_more_than_they_may_see() {
    let world = World::new().await;
    let stranger = world.client("stranger");
    family(&world).await;
    let open = json!({"visibility": "organisation"});
    world.client("owner").patch(DIGITS, open).await.expect(200);
    let own = stranger
        .post("/api/v1/projects", json!({"name": "own"}))
        .await;
    own.expect(201);
    let seen = lineage(stranger, "own", "vision/digits:3", 5).await;
    let kinds: Vec<&Value> = nodes(&seen).iter().map(|n| &n["kind"]).collect();
    assert_eq!(kinds, ["version"; 3]);
    assert_eq!(seen["hidden"], 3);
    let viewer = lineage(world.client("viewer"), "vision", "digits:3", 5).await;
    assert_eq!(
        (nodes(&viewer).len(), &viewer["hidden"]),
        (5, &json!(1)),
        "a workspace is its person's"
    );
    let job = lineage(world.client("job token"), "vision", "digits:3", 5).await;
    assert!(
        nodes(&job).iter().all(|n| n["kind"] == "version"),
        "a job sees no other job"
    );
}

#[tokio::test]
async fn only_what_the_configuration_names_is_adopted() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let adoptions = format!("{DIGITS}/adoptions");
    let adopt = async |uri: &str| editor.post(&adoptions, json!({"uri": uri})).await;
    for bad in [
        "s3://secret/data/x",
        "s3://lab/other",
        "s3://lab/data-evil",
        "s3://lab/dat",
        "s3://lab",
        "s3://lab/data/../other",
        "s3://lab/data//x",
        "s3://unknown/data",
        "file:///etc",
        "",
    ] {
        let refused = adopt(bad).await.expect(400);
        let message = refused["message"].as_str().unwrap();
        assert!(!message.contains("s3://secret/data/,"), "{bad}: {message}");
    }
    let refused = adopt("s3://secret/data/x").await.expect(400)["message"].to_string();
    let says = refused.contains("s3://lab/data/, s3://scans/, and");
    assert!(
        says,
        "what this project may, and nothing of others: {refused}"
    );
    let begun = adopt("s3://lab/data").await.expect(202);
    assert_eq!(begun["uri"], "s3://lab/data/");
    let id = begun["id"].as_str().unwrap();
    let path = format!("{adoptions}/{id}");
    let ended = loop {
        let found = editor.get(&path).await.expect(200);
        if found["state"] != "running" {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        ended["state"], "failed",
        "there is no such bucket here: {ended}"
    );
    assert!(
        ended["error"].is_string() && ended["ended_ms"].is_i64(),
        "{ended}"
    );
    for wrong in ["x", "019a0000-0000-7000-8000-000000000000"] {
        editor
            .get(&format!("{adoptions}/{wrong}"))
            .await
            .expect(404);
    }
    let audit = world.client("admin").get("/api/v1/audit").await.expect(200);
    assert!(audit.to_string().contains("adopt_prefix"), "{audit}");
}

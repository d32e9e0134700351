//! Uploads of what has changed since a base, and what may be one.

use serde_json::{Value, json};

use super::{
    client::{Client, Reply},
    datasets::{DIGITS, digits, make, paths, sent, spoilt, verify},
    world::{World, blake3},
};

async fn begun(client: &Client, project: &str, kind: &str, base: &Value) -> Reply {
    let path = format!("/api/v1/projects/{project}/uploads");
    client
        .post(&path, json!({"kind": kind, "base": base}))
        .await
}

async fn digest(client: &Client, version: i64) -> Value {
    let path = format!("{DIGITS}/versions/{version}");
    client.get(&path).await.expect(200)["version"]["manifest_digest"].clone()
}

#[tokio::test]
async fn only_what_changed_is_declared() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let files = [("a", "1"), ("b/c", "2"), ("b/d", "3")];
    let upload = sent(editor, "outputs", &files).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let base = digest(editor, 2).await;
    let changed = begun(editor, "vision", "outputs", &base).await.expect(201);
    let changed = changed["id"].as_str().unwrap();
    let entries =
        json!([{"path": "b/c", "hash": blake3(b"3"), "size": 1}, {"path": "a", "removed": true}]);
    let declared = format!("/api/v1/uploads/{changed}/entries");
    let missing = editor.post(&declared, entries).await.expect(200);
    assert_eq!(missing["missing"], json!([]));
    let third = make(editor, json!({"upload_id": changed})).await;
    assert_eq!(third.expect(201)["files"], 2);
    let changed = &[("b/c", "3"), ("b/d", "3")];
    let whole = sent(editor, "outputs", changed).await;
    let again = make(editor, json!({"upload_id": whole})).await;
    assert_eq!(again.expect(200)["number"], 3, "the very same files");
    assert_eq!(paths(editor, "3").await, ["b"]);

    let nothing = begun(editor, "vision", "outputs", &digest(editor, 3).await).await;
    let nothing = nothing.expect(201)["id"].clone();
    let again = make(editor, json!({"upload_id": nothing})).await;
    assert_eq!(again.expect(200)["number"], 3, "nothing is new");
}

#[tokio::test]
async fn a_base_is_a_manifest_of_the_project_itself() {
    let world = World::new().await;
    let (editor, owner, stranger) = (
        world.client("editor"),
        world.client("owner"),
        world.client("stranger"),
    );
    digits(editor).await;
    let outputs = digest(editor, 1).await;
    for kind in ["snapshot", "outputs"] {
        begun(editor, "vision", kind, &outputs).await.expect(201);
    }
    let odd = begun(editor, "vision", "outputs", &json!("digits:1")).await;
    assert_eq!(odd.refused(400), "invalid");
    let none = json!(blake3(b"nothing"));
    let none = begun(editor, "vision", "outputs", &none).await;
    assert_eq!(none.refused(404), "not_found");

    let upload = sent(editor, "outputs", &[("a", "1")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    let base = digest(editor, 2).await;
    let open = json!({"visibility": "public"});
    owner.patch(DIGITS, open).await.expect(200);
    let own = json!({"name": "own"});
    stranger.post("/api/v1/projects", own).await.expect(201);
    let theirs = begun(stranger, "own", "outputs", &base).await;
    assert_eq!(theirs.refused(404), "not_found", "readable is not held");
    let inside = begun(stranger, "vision", "outputs", &base).await;
    assert_eq!(inside.refused(404), "not_found");
    begun(editor, "vision", "outputs", &base).await.expect(201);
    let retract = format!("{DIGITS}/versions/2");
    editor.delete(&retract).await.expect(204);
    let gone = begun(editor, "vision", "outputs", &base).await;
    assert_eq!(gone.refused(404), "not_found", "taken back");
}

#[tokio::test]
async fn what_is_damaged_is_no_base_until_it_is_whole_again() {
    let world = World::new().await;
    let editor = world.client("editor");
    spoilt(&world).await;
    let base = digest(editor, 2).await;
    let before = begun(editor, "vision", "outputs", &base).await.expect(201);
    verify(editor, 2, true).await;
    let late = begun(editor, "vision", "outputs", &base).await;
    assert_eq!(late.refused(404), "not_found");
    let seal = make(editor, json!({"upload_id": before["id"]})).await;
    assert_eq!(seal.refused(409), "conflict", "damaged meanwhile");
    let upload = sent(editor, "outputs", &[("a", "1"), ("b", "22")]).await;
    make(editor, json!({"upload_id": upload})).await;
    verify(editor, 2, true).await;
    begun(editor, "vision", "outputs", &base).await.expect(201);
}

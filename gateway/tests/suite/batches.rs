//! Many small files in one request, both ways.

use std::collections::BTreeMap;

use bytes::BytesMut;
use http::Method;
use serde_json::{Value, json};
use storage::{
    objects::Hash,
    several::{self, head, split},
};

use super::{client::Client, world::World};

const VISION: &str = "/api/v1/projects/vision";

fn framed(content: &[u8]) -> Vec<u8> {
    [&head(&Hash::of(content), content.len() as u64), content].concat()
}

/// Small files, and some as large as they may be: together more than any body of JSON.
fn files() -> BTreeMap<String, Vec<u8>> {
    let largest = usize::try_from(several::MAX_BYTES).unwrap();
    let large = (0..9).map(|n| (format!("large/{n}"), vec![n; largest]));
    let small = (0..300).map(|n| (format!("small/{n:03}"), vec![7; n]));
    large.chain(small).collect()
}

/// An upload with these files declared.
async fn upload_of(editor: &Client, files: &BTreeMap<String, Vec<u8>>) -> String {
    let new = json!({"kind": "outputs"});
    let made = editor
        .post(&format!("{VISION}/uploads"), new)
        .await
        .expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let entry = |(path, content): (&String, &Vec<u8>)| json!({"path": path, "hash": Hash::of(content), "size": content.len()});
    let entries: Vec<Value> = files.iter().map(entry).collect();
    let declared = editor
        .post(&format!("/api/v1/uploads/{id}/entries"), json!(entries))
        .await;
    declared.expect(200);
    id
}

#[tokio::test]
async fn files_go_and_come_many_at_a_time() {
    let world = World::new().await;
    let (editor, viewer) = (world.client("editor"), world.client("viewer"));
    let files = files();
    let id = upload_of(editor, &files).await;
    let body: Vec<u8> = files.values().flat_map(|content| framed(content)).collect();
    assert!(body.len() > 9 << 20);
    let path = format!("/api/v1/uploads/{id}/objects");
    let sent = editor.bytes(Method::POST, &path, body).await.expect(200);
    assert_eq!(sent, json!({"objects": files.len()}));
    let dataset = json!({"name": "many"});
    editor
        .post(&format!("{VISION}/datasets"), dataset)
        .await
        .expect(201);
    let versions = format!("{VISION}/datasets/many/versions");
    let made = editor
        .post(&versions, json!({"upload_id": id}))
        .await
        .expect(201);
    assert_eq!(made["files"], files.len());

    let contents = format!("{versions}/1/files/contents");
    let asked = json!({"paths": files.keys().collect::<Vec<_>>()});
    let reply = viewer.post(&contents, asked).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["content-type"]),
        (200, &"application/octet-stream".parse().unwrap())
    );
    let mut body = BytesMut::from(&reply.body[..]);
    let mut found = BTreeMap::new();
    while let Some((hash, content)) = split(&mut body).unwrap() {
        assert_eq!(Hash::of(&content), hash);
        assert!(found.insert(hash, content).is_none(), "each comes once");
    }
    assert!(body.is_empty());
    assert!(
        files
            .values()
            .all(|content| found[&Hash::of(content)] == content[..])
    );

    for (paths, status) in [
        (json!(["small/000", "small"]), 404),
        (json!(["nowhere"]), 404),
        (json!(7), 400),
    ] {
        let refused = viewer.post(&contents, json!({"paths": paths})).await;
        assert_eq!(refused.status.as_u16(), status, "{paths}");
    }
}

#[tokio::test]
async fn what_an_upload_did_not_declare_is_refused_and_what_came_before_is_kept() {
    let world = World::new().await;
    let editor = world.client("editor");
    let files = BTreeMap::from([
        ("a".to_owned(), b"one".to_vec()),
        ("b".to_owned(), b"two".to_vec()),
    ]);
    let id = upload_of(editor, &files).await;
    let path = format!("/api/v1/uploads/{id}/objects");
    let other = editor.bytes(Method::POST, &path, framed(b"other")).await;
    assert_eq!(other.refused(404), "not_found");
    let lie = [&head(&Hash::of(b"one"), 3), &b"eno"[..]].concat();
    assert_eq!(
        editor.bytes(Method::POST, &path, lie).await.refused(400),
        "invalid"
    );
    let cut = [&framed(b"one")[..], &framed(b"two")[..42]].concat();
    assert_eq!(
        editor.bytes(Method::POST, &path, cut).await.refused(400),
        "invalid"
    );
    let one = editor
        .bytes(
            Method::HEAD,
            &format!("{path}/{}", Hash::of(b"one")),
            Vec::new(),
        )
        .await;
    assert_eq!(one.headers["upload-complete"], "1");
    let seal = format!("/api/v1/uploads/{id}/seal");
    assert_eq!(
        editor.post(&seal, Value::Null).await.refused(409),
        "conflict"
    );
}

//! Damage: whom it is found to concern, that it heals, and what is said of inputs that have some.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    client::{Client, Reply},
    datasets::{DIGITS, digits, foreign, make, object_path, opened, sent, spoilt, verify},
    world::{World, blake3},
};

const JOBS: &str = "/api/v1/projects/vision/jobs";

/// Where the store keeps a part of a manifest.
fn node_path(world: &World, digest: &str) -> PathBuf {
    let (folder, name) = digest.split_at(2);
    let manifests = world.app.store_path().join("manifests");
    manifests.join(folder).join(name)
}

async fn version(client: &Client, number: i64) -> Value {
    let path = format!("{DIGITS}/versions/{number}");
    client.get(&path).await.expect(200)["version"].clone()
}

/// Puts something in a file's place that the system opens but cannot read.
fn unreadable(path: &Path) {
    std::fs::remove_file(path).unwrap();
    symlink("/proc/self/mem", path).unwrap();
}

async fn run(world: &World, reference: &str, allow: bool) -> Reply {
    let input = json!({"ref": reference, "allow_damaged": allow});
    let job =
        json!({"command": ["true"], "snapshot_id": world.snapshot.to_string(), "inputs": [input]});
    world.client("editor").post(JOBS, job).await
}

#[tokio::test]
async fn a_list_that_cannot_be_read_keeps_nothing_else_from_being_sent_again() {
    let world = World::new().await;
    let editor = world.client("editor");
    let hash = spoilt(&world).await;
    let other = version(editor, 1).await["manifest_digest"].clone();
    unreadable(&node_path(&world, other.as_str().unwrap()));
    assert_eq!(verify(editor, 2, true).await["integrity"], "partial");
    let (_, missing) = opened(editor, "outputs", &[("a", "1"), ("b", "22")]).await;
    assert_eq!(missing, json!([hash]));
    let upload = sent(editor, "outputs", &[("a", "1"), ("b", "22")]).await;
    make(editor, json!({"upload_id": upload})).await.expect(201);
    assert_eq!(verify(editor, 2, true).await["integrity"], "ok");
}

/// A path after which a part of a list ends that is long enough.
fn boundary() -> String {
    let ends = |path: &String| {
        let hash = blake3(path.as_bytes());
        let byte = |at: usize| u16::from_str_radix(&hash[at..at + 2], 16).unwrap();
        (byte(0) | (byte(2) << 8)).is_multiple_of(2048)
    };
    let mut paths = (0..).map(|number| format!("m{number}"));
    paths.find(ends).unwrap()
}

#[tokio::test]
async fn a_damaged_part_of_a_list_concerns_every_version_that_has_it() {
    let world = World::new().await;
    let editor = world.client("editor");
    digits(editor).await;
    let mut paths: Vec<String> = (0..300).map(|number| format!("a{number:03}")).collect();
    paths.push(boundary());
    let before: Vec<PathBuf> = nodes(&world);
    for last in ["y", "z"] {
        let files = paths.iter().map(String::as_str).chain([last]);
        let files: Vec<(&str, &str)> = files.map(|path| (path, "same")).collect();
        let upload = sent(editor, "outputs", &files).await;
        make(editor, json!({"upload_id": upload})).await.expect(201);
    }
    // Two roots, two ends, and the part that both have.
    let made: Vec<PathBuf> = nodes(&world)
        .into_iter()
        .filter(|node| !before.contains(node))
        .collect();
    assert_eq!(made.len(), 5);
    let size = |path: &&PathBuf| path.metadata().unwrap().len();
    let shared = made.iter().max_by_key(size).unwrap();
    std::fs::remove_file(shared).unwrap();
    std::fs::write(shared, "rubbish").unwrap();
    assert_eq!(verify(editor, 2, false).await["integrity"], "broken");
    assert_eq!(version(editor, 3).await["integrity"], "broken");
    assert_eq!(version(editor, 1).await["integrity"], "ok");
}

/// Every part of every manifest.
fn nodes(world: &World) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(world.app.store_path().join("manifests")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).collect()
}

#[tokio::test]
async fn what_is_said_of_an_input_with_a_path_is_of_what_lies_there() {
    let world = World::new().await;
    let editor = world.client("editor");
    spoilt(&world).await;
    verify(editor, 2, true).await;
    let says = |reply: &Reply, what: &str| {
        let text = reply.text();
        assert!(text.contains(what), "{text}");
        assert_eq!(reply.refused(400), "invalid");
    };
    says(&run(&world, "digits:2/b", false).await, "damaged itself");
    says(&run(&world, "digits:2/b", true).await, "nothing is left");
    let beside = run(&world, "digits:2/a", false).await;
    says(&beside, "none of its files, but others");
    let taken = run(&world, "digits:2/a", true).await.expect(201);
    let input = &taken["inputs"][0];
    assert_eq!(
        (&input["left_out"], &input["files"]),
        (&Value::Null, &json!(1))
    );
}

#[tokio::test]
async fn a_job_runs_again_on_the_version_it_had_whatever_that_is_called_now() {
    let world = World::new().await;
    let (editor, stranger) = (world.client("editor"), world.client("stranger"));
    foreign(&world).await;
    let number = run(&world, "own/data:1", false).await.expect(201)["number"].clone();
    std::fs::remove_file(object_path(&world, &blake3(b"333"))).unwrap();
    let data = "/api/v1/projects/own/datasets/data";
    let verify = format!("{data}/versions/1/verify");
    stranger.post(&verify, json!({})).await.expect(200);
    let rename = json!({"name": "older"});
    stranger.patch(data, rename).await.expect(200);
    let again = format!("{JOBS}/{number}/rerun");
    let allow = json!({"allow_damaged": true});
    let input = editor.post(&again, allow).await.expect(201)["inputs"][0].clone();
    assert_eq!(input["ref"], "own/older:1");
    assert_eq!(input["left_out"]["paths"], json!(["c"]));
}

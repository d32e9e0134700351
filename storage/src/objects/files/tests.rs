use super::*;
use crate::objects::conformance;

fn files() -> (tempfile::TempDir, Files) {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(&dir.path().join("store")).unwrap();
    (dir, files)
}

fn put(files: &Files, content: &[u8]) -> Hash {
    let batch = files.begin().unwrap();
    let (hash, _) = batch.put(&mut &*content).unwrap();
    drop(batch.commit().unwrap());
    hash
}

fn staged(dir: &tempfile::TempDir) -> usize {
    fs::read_dir(dir.path().join("store/staging"))
        .unwrap()
        .count()
}

#[test]
fn files_keep_the_contract() {
    let (dir, files) = files();
    conformance::all(&files);
    assert_eq!(staged(&dir), 0);
}

#[test]
fn objects_lie_where_the_format_says_and_are_read_only() {
    let (dir, files) = files();
    let hex = put(&files, b"content").to_hex();
    let path = dir
        .path()
        .join("store/objects")
        .join(&hex[..2])
        .join(&hex[2..]);
    assert_eq!(fs::read(&path).unwrap(), b"content");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o444);
}

#[test]
fn what_a_crash_left_in_staging_goes_at_the_next_start() {
    let (dir, files) = files();
    let running = files.begin().unwrap();
    let left = dir.path().join("store/staging/otherboot-1");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("0"), "half").unwrap();
    Files::open(&dir.path().join("store")).unwrap();
    assert!(!left.exists(), "an abandoned folder goes");
    assert_eq!(staged(&dir), 1, "the folder of a running batch stays");
    running.put(&mut &b"goes on"[..]).unwrap();
    drop(running.commit().unwrap());
    assert_eq!(staged(&dir), 0);
}

#[test]
fn a_truncated_object_is_replaced_by_the_next_put() {
    let (_dir, files) = files();
    let hash = put(&files, b"whole content");
    let path = files.path(&hash).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "who").unwrap();
    put(&files, b"whole content");
    assert_eq!(fs::read(&path).unwrap(), b"whole content");
}

#[test]
fn an_unknown_format_is_refused() {
    let (dir, files) = files();
    let path = dir.path().join("store/repo.json");
    for format in [
        r#"{"format":2,"id":"x"}"#,
        r#"{"format":1,"id":"x","incompatible":["packs"]}"#,
    ] {
        fs::write(&path, format).unwrap();
        assert!(
            matches!(
                Files::open(&dir.path().join("store")),
                Err(Error::Invalid(_))
            ),
            "{format}"
        );
    }
    drop(files);
}

#[test]
fn a_store_across_two_file_systems_is_refused() {
    let Some(mount) = crate::capture::testing::small_disk(1 << 20) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    drop(Files::open(&store).unwrap());
    fs::remove_dir(store.join("staging")).unwrap();
    std::os::unix::fs::symlink(mount.path(), store.join("staging")).unwrap();
    assert!(Files::open(&store).is_err());
}

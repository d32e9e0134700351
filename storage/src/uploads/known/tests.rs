use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::*;
use crate::capture::testing::write;
use crate::{outputs, snapshot};

/// A time after everything that a test writes, so that all of it is believed.
const LATER_NS: i64 = i64::MAX;

fn digest() -> Hash {
    Hash::of(b"a manifest")
}

fn known(folder: &Path, began_ns: i64) -> Known {
    let scan = snapshot::scan(folder, u64::MAX, None).unwrap();
    Known::read(Known::write(&scan, &digest(), began_ns)).unwrap()
}

fn paths(changes: &[Declared]) -> Vec<(&str, bool)> {
    changes
        .iter()
        .map(|entry| (entry.path.as_str(), entry.removed))
        .collect()
}

#[test]
fn what_changed_is_declared_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    for path in ["a", "b", "d/e", "d.f", "z"] {
        write(folder, path, path);
    }
    std::os::unix::fs::symlink("a", folder.join("link")).unwrap();
    std::os::unix::fs::symlink("a", folder.join("moved")).unwrap();
    let before = known(folder, LATER_NS);
    assert_eq!(before.manifest_digest(), digest());
    let scan = || snapshot::scan(folder, u64::MAX, Some(&before)).unwrap();
    assert_eq!(before.changes(&scan().entries), []);

    fs::remove_file(folder.join("a")).unwrap();
    write(folder, "a/now a folder", "new");
    write(folder, "b", "c");
    fs::remove_dir_all(folder.join("d")).unwrap();
    fs::remove_file(folder.join("moved")).unwrap();
    std::os::unix::fs::symlink("b", folder.join("moved")).unwrap();
    fs::remove_file(folder.join("z")).unwrap();
    let after = scan().entries;
    let changes = before.changes(&after);
    let expected = [
        ("a", true),
        ("a/now a folder", false),
        ("b", false),
        ("d/e", true),
        ("moved", false),
        ("z", true),
    ];
    assert_eq!(paths(&changes), expected);
    assert_eq!(
        after,
        snapshot::scan(folder, u64::MAX, None).unwrap().entries
    );
}

#[test]
fn a_still_file_is_not_read_again_and_one_touched_just_now_is() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    write(folder, "a", "one");
    let touched = fs::metadata(folder.join("a")).unwrap();
    let touched_ns = Stat::from(&touched).touched_ns();
    let scan = outputs::scan(folder, None).unwrap();
    // What is believed shows where another hash is on record than the file's.
    let mut lie = scan.clone();
    lie.entries[0].hash = Some(Hash::of(b"two"));
    let hash = |began_ns| {
        let known = Known::read(Known::write(&lie, &digest(), began_ns)).unwrap();
        outputs::scan(folder, Some(&known)).unwrap().entries[0].hash
    };
    assert_eq!(hash(touched_ns + RACY_NS), Some(Hash::of(b"one")));
    assert_eq!(hash(touched_ns + RACY_NS + 1), Some(Hash::of(b"two")));
    let file = fs::File::options()
        .write(true)
        .open(folder.join("a"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(hash(LATER_NS), Some(Hash::of(b"one")), "another status");
}

#[test]
fn what_is_not_whole_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", "one");
    let scan = outputs::scan(dir.path(), None).unwrap();
    let whole = Known::write(&scan, &digest(), LATER_NS);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(Known::read(bytes).is_none(), "{at}");
        assert!(Known::read(whole[..at].to_vec()).is_none(), "{at}");
    }
}

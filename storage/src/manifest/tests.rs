use std::collections::BTreeMap;
use std::process::Command;

use super::*;
use crate::capture::testing::{Fixture, write};
use crate::objects::Space;
use crate::outputs;

fn entry(path: &str, content: &str) -> Entry {
    let node = Node::File {
        hash: Hash::of(content.as_bytes()),
        size: content.len() as u64,
        executable: false,
    };
    Entry {
        path: path.to_owned(),
        node,
    }
}

fn build(store: &crate::Store, entries: impl IntoIterator<Item = Entry>) -> crate::Result<Summary> {
    let sorted: BTreeMap<String, Entry> = entries
        .into_iter()
        .map(|entry| (entry.path.clone(), entry))
        .collect();
    let batch = store.objects().begin()?;
    let mut builder = Builder::new(&*batch);
    sorted
        .into_values()
        .try_for_each(|entry| builder.push(entry))?;
    let summary = builder.finish()?;
    drop(batch.commit()?);
    Ok(summary)
}

fn open(store: &crate::Store, digest: &Hash) -> Manifest {
    Manifest::open(store.objects().clone(), digest)
        .unwrap()
        .unwrap()
}

fn many(count: usize) -> impl Iterator<Item = Entry> {
    (0..count).map(|n| entry(&format!("d{:02}/file-{n:05}.txt", n % 37), &n.to_string()))
}

#[tokio::test]
async fn entries_read_back_in_order() {
    let fixture = Fixture::new().await;
    let link = Entry {
        path: "a/link".into(),
        node: Node::Symlink {
            target: "../../etc/passwd".into(),
        },
    };
    let run = Entry {
        node: Node::File {
            hash: Hash::of(b"x"),
            size: 1,
            executable: true,
        },
        path: "run.sh".into(),
    };
    let all: Vec<Entry> = many(20_000).chain([link.clone(), run]).collect();
    let summary = build(&fixture.store, all.clone()).unwrap();
    assert_eq!((summary.files, summary.symlinks), (20_001, 1));
    let manifest = open(&fixture.store, &summary.manifest_digest);
    assert!(manifest.leaves() > 3, "many entries are many leaves");
    let read: Vec<Entry> = manifest.entries().collect::<crate::Result<_>>().unwrap();
    let mut sorted = all;
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(read, sorted);
    assert_eq!(manifest.get("a/link").unwrap(), Some(link));
    assert_eq!(manifest.get("a").unwrap(), None);
    assert_eq!(manifest.get("zzz").unwrap(), None);
    assert_eq!(manifest.summary(), &summary);
}

#[tokio::test]
async fn equal_trees_have_equal_digests_and_others_do_not() {
    let fixture = Fixture::new().await;
    let digest = |entries: Vec<Entry>| build(&fixture.store, entries).unwrap().manifest_digest;
    let base = digest(many(3000).collect());
    assert_eq!(
        base,
        digest(many(3000).collect::<Vec<_>>().into_iter().rev().collect())
    );
    assert_ne!(base, digest(many(3001).collect()));
    let mut executable: Vec<Entry> = many(3000).collect();
    executable[7].node = Node::File {
        hash: Hash::of(b"7"),
        size: 1,
        executable: true,
    };
    assert_ne!(base, digest(executable));
    let empty = build(&fixture.store, []).unwrap();
    assert_eq!(empty.content_digest, Hash::of(b""));
}

#[tokio::test]
async fn a_changed_file_changes_one_leaf() {
    let fixture = Fixture::new().await;
    let before = build(&fixture.store, many(20_000)).unwrap();
    let changed = many(20_000).map(|old| {
        if old.path.ends_with("00777.txt") {
            entry(&old.path, "new")
        } else {
            old
        }
    });
    let after = build(&fixture.store, changed).unwrap();
    let (a, b) = (
        open(&fixture.store, &before.manifest_digest),
        open(&fixture.store, &after.manifest_digest),
    );
    assert_eq!(a.leaves(), b.leaves(), "boundaries depend on paths only");
    let differing = (0..a.leaves())
        .filter(|n| a.leaf_digest(*n) != b.leaf_digest(*n))
        .count();
    assert_eq!(differing, 1);
}

#[tokio::test]
async fn a_comparison_names_what_changed() {
    let fixture = Fixture::new().await;
    let before = build(&fixture.store, many(9000)).unwrap().manifest_digest;
    let kept = many(9000).filter(|old| !old.path.ends_with("00100.txt"));
    let changed = kept.map(|old| {
        if old.path.ends_with("08000.txt") {
            entry(&old.path, "new")
        } else {
            old
        }
    });
    let after = build(&fixture.store, changed.chain([entry("zz/new", "1")]))
        .unwrap()
        .manifest_digest;
    let (items, more) = diff(&fixture.store, before, after).await.unwrap().unwrap();
    let seen: Vec<(&str, Change)> = items
        .iter()
        .map(|item| (item.path.as_str(), item.change))
        .collect();
    let expected = [
        ("d08/file-08000.txt", Change::Modified),
        ("d26/file-00100.txt", Change::Removed),
        ("zz/new", Change::Added),
    ];
    assert_eq!((seen.as_slice(), more), (expected.as_slice(), false));
    assert_eq!(
        diff(&fixture.store, before, before).await.unwrap(),
        Some((vec![], false))
    );
    assert_eq!(
        diff(&fixture.store, before, Hash::of(b"none"))
            .await
            .unwrap(),
        None
    );
}

fn odd(fixture: &Fixture) -> Hash {
    let odd =
        ["a", "a.b/x", "a.b/y/z", "a0", "b/c", "b-/c", "b0", "é/ü"].map(|path| entry(path, path));
    build(&fixture.store, many(5000).chain(odd))
        .unwrap()
        .manifest_digest
}

#[tokio::test]
async fn a_folder_is_listed_page_by_page() {
    let fixture = Fixture::new().await;
    let digest = odd(&fixture);
    let mut names = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = list(&fixture.store, digest, "", after.as_deref(), 7)
            .await
            .unwrap()
            .unwrap();
        assert!(page.items.len() <= 7);
        names.extend(page.items.into_iter().map(|file| (file.path, file.kind)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let (file, folder) = (FileKind::File, FileKind::Directory);
    let mut expected: Vec<(String, FileKind)> =
        (0..37).map(|n| (format!("d{n:02}"), folder)).collect();
    for (path, kind) in [
        ("a", file),
        ("a.b", folder),
        ("a0", file),
        ("b", folder),
        ("b-", folder),
        ("b0", file),
        ("é", folder),
    ] {
        expected.push((path.into(), kind));
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(names, expected);
}

#[tokio::test]
async fn folders_that_are_not_there_are_told_from_empty_pages() {
    let fixture = Fixture::new().await;
    let digest = odd(&fixture);
    let folder = FileKind::Directory;
    let inner = list(&fixture.store, digest, "a.b", None, 100)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        inner
            .items
            .iter()
            .map(|file| file.path.as_str())
            .collect::<Vec<_>>(),
        ["a.b/x", "a.b/y"]
    );
    assert_eq!(
        list(&fixture.store, digest, "none", None, 10)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        list(&fixture.store, digest, "a", None, 10).await.unwrap(),
        None,
        "a file is no folder"
    );
    assert!(
        list(&fixture.store, digest, "../etc", None, 10)
            .await
            .is_err()
    );
    assert!(
        list(&fixture.store, digest, "b", Some("a.b/x"), 10)
            .await
            .is_err(),
        "a cursor of another folder"
    );
    assert_eq!(
        super::file(&fixture.store, digest, "a.b/y")
            .await
            .unwrap()
            .unwrap()
            .kind,
        folder
    );
}

#[tokio::test]
async fn content_digest_is_what_b3sum_gives() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("out");
    for (path, content) in [
        ("a", "1"),
        ("a.b", "2"),
        ("a/..b", "3"),
        ("A", ""),
        ("new\nline", "4"),
        ("back\\slash", "5"),
        ("é 😀", "6"),
    ] {
        if path != "a" {
            write(&folder, path, content);
        }
    }
    let captured = outputs::capture(&fixture.store, fixture.project, &folder)
        .await
        .unwrap()
        .commit(&fixture.store)
        .await;
    let content_digest = captured.unwrap().summary.content_digest;
    let pipe =
        r"find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -r0 b3sum | b3sum --no-names";
    let Ok(output) = Command::new("sh")
        .args(["-c", pipe])
        .current_dir(&folder)
        .output()
    else {
        return;
    };
    if Command::new("b3sum").arg("--version").output().is_ok() {
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().trim(),
            content_digest.to_hex()
        );
    }
}

#[tokio::test]
async fn every_flipped_bit_of_a_node_is_noticed() {
    let fixture = Fixture::new().await;
    let summary = build(&fixture.store, many(600)).unwrap();
    let root = open(&fixture.store, &summary.manifest_digest);
    for digest in [summary.manifest_digest, root.leaf_digest(0).unwrap()] {
        let hex = digest.to_hex();
        let path = fixture
            .store
            .within("manifests")
            .join(&hex[..2])
            .join(&hex[2..]);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(good.len() / 40 + 1) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bad).unwrap();
            let objects = fixture.store.objects().clone();
            let read =
                Manifest::open(objects, &summary.manifest_digest).and_then(
                    |manifest| match manifest {
                        Some(manifest) => manifest.entries().collect::<crate::Result<Vec<_>>>(),
                        None => Ok(Vec::new()),
                    },
                );
            // A bit that the packing does not need may be flipped without harm: then what is read is what was written.
            if let Ok(entries) = read {
                assert_eq!(entries.len(), 600, "byte {at} of {digest}");
            }
        }
        std::fs::write(&path, &good[..good.len() / 2]).unwrap();
        let objects = fixture.store.objects().clone();
        let read = Manifest::open(objects, &summary.manifest_digest)
            .map(|manifest| manifest.unwrap().leaf(0).map(|_| ()));
        assert!(
            read.and_then(|leaf| leaf).is_err(),
            "a truncated node is noticed"
        );
        std::fs::write(&path, good).unwrap();
    }
    assert!(
        fixture
            .store
            .objects()
            .open(Space::Manifests, &summary.manifest_digest)
            .unwrap()
            .is_some()
    );
}

#[test]
fn random_bytes_are_no_leaf() {
    let mut bytes = vec![0; 4096];
    for seed in 0..2000u64 {
        blake3::Hasher::new()
            .update(&seed.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes[..4].copy_from_slice(b"CML1");
        assert!(leaf::decode(&bytes).is_err());
    }
}

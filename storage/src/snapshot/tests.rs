use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::*;
use crate::capture::testing::{Fixture, write};
use crate::fsck;
use crate::manifest::{self, Manifest, Node};

async fn snap(fixture: &Fixture, folder: &Path) -> Captured {
    let options = Options::new(fixture.project).index("ws");
    take(&fixture.store, folder, options)
        .await
        .unwrap()
        .commit(&fixture.store)
        .await
        .unwrap()
}

fn paths(fixture: &Fixture, captured: &Captured) -> Vec<String> {
    let manifest = Manifest::open(
        fixture.store.objects().clone(),
        &captured.summary.manifest_digest,
    )
    .unwrap()
    .unwrap();
    manifest
        .entries()
        .map(|entry| entry.unwrap().path)
        .collect()
}

async fn sound(fixture: &Fixture) {
    let report = fsck::check(&fixture.store, fsck::Mode::Full).await.unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test]
async fn a_folder_is_kept_with_its_links_and_modes() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(&folder, "train.py", "print()");
    write(&folder, "sub/deep/a.txt", "a");
    write(&folder, "empty", "");
    write(&folder, "run.sh", "#!/bin/sh");
    std::fs::set_permissions(
        folder.join("run.sh"),
        std::fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    symlink("/etc/passwd", folder.join("secret")).unwrap();
    symlink("/etc", folder.join("etc")).unwrap();
    let captured = snap(&fixture, &folder).await;
    assert_eq!(
        paths(&fixture, &captured),
        [
            "empty",
            "etc",
            "run.sh",
            "secret",
            "sub/deep/a.txt",
            "train.py"
        ]
    );
    let manifest = Manifest::open(
        fixture.store.objects().clone(),
        &captured.summary.manifest_digest,
    )
    .unwrap()
    .unwrap();
    assert!(matches!(
        manifest.get("run.sh").unwrap().unwrap().node,
        Node::File {
            executable: true,
            ..
        }
    ));
    assert_eq!(
        manifest.get("secret").unwrap().unwrap().node,
        Node::Symlink {
            target: "/etc/passwd".into()
        }
    );
    assert_eq!((captured.summary.files, captured.summary.symlinks), (4, 2));
    sound(&fixture).await;
}

#[tokio::test]
async fn what_should_stay_behind_stays_behind() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    for path in [
        ".git/config",
        "__pycache__/a.pyc",
        ".ipynb_checkpoints/n.ipynb",
        "myenv/pyvenv.cfg",
        "myenv/lib/x.py",
        "node_modules/a/b.js",
    ] {
        write(&folder, path, "x");
    }
    write(&folder, ".gitignore", "*.csv\n/build/\n");
    write(&folder, ".cairnignore", "!keep.csv\n");
    for path in [
        "big.csv",
        "keep.csv",
        "build/x",
        "sub/build/x",
        ".env",
        "keys/id_rsa",
        "a.py",
    ] {
        write(&folder, path, path);
    }
    std::fs::File::create(folder.join("huge.bin"))
        .unwrap()
        .set_len(MAX_FILE_BYTES + 1)
        .unwrap();
    let captured = snap(&fixture, &folder).await;
    assert_eq!(
        paths(&fixture, &captured),
        [
            ".cairnignore",
            ".gitignore",
            "a.py",
            "keep.csv",
            "sub/build/x"
        ]
    );
    let skipped: Vec<(&str, Reason)> = captured
        .skipped
        .iter()
        .map(|line| (line.path.as_str(), line.reason))
        .collect();
    assert_eq!(
        skipped,
        [
            (".env", Reason::Credential),
            ("huge.bin", Reason::TooLarge),
            ("keys/id_rsa", Reason::Credential)
        ]
    );
    let json = serde_json::to_value(&captured).unwrap();
    assert_eq!(
        json["skipped"][0],
        serde_json::json!({"path": ".env", "reason": "credential"})
    );
}

#[tokio::test]
async fn git_takes_the_same_files() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(
        &folder,
        ".gitignore",
        "*.log\n!important.log\nout/\n/only-top\nfoo/**/bar\n\\#hash\n*.tmp \nsp\\ ace\n[a-c]x\n!/deep/ax\n",
    );
    write(
        &folder,
        "deep/.gitignore",
        "!*.log\nnested/*\n!nested/keep\n",
    );
    write(&folder, "out/.gitignore", "!*\n");
    for path in [
        "a.log",
        "important.log",
        "deep/b.log",
        "deep/nested/x",
        "deep/nested/keep",
        "out/y",
        "only-top",
        "deep/only-top",
        "foo/1/2/bar",
        "foo/bar",
        "#hash",
        "t.tmp",
        "sp ace",
        "ax",
        "deep/ax",
        "deep/bx",
        "dx",
        "plain",
        "é.log",
        "é.txt",
    ] {
        write(&folder, path, path);
    }
    let git = |args: &[&str]| Command::new("git").args(args).current_dir(&folder).output();
    if git(&["init", "-q"]).is_err() {
        return;
    }
    git(&["add", "-A"]).unwrap();
    let listed = git(&["-c", "core.quotePath=false", "ls-files", "-z"])
        .unwrap()
        .stdout;
    let listed = String::from_utf8(listed).unwrap();
    let mut theirs: Vec<&str> = listed.split_terminator('\0').collect();
    theirs.sort_unstable();
    let captured = snap(&fixture, &folder).await;
    assert_eq!(paths(&fixture, &captured), theirs);
}

#[tokio::test]
async fn a_second_snapshot_reads_what_changed_and_sees_every_change() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    for n in 0..300 {
        write(&folder, &format!("d{}/f{n}", n % 7), n.to_string());
    }
    let first = snap(&fixture, &folder).await;
    assert_eq!(snap(&fixture, &folder).await, first, "nothing changed");
    // The same size and a time set back: the change time gives it away.
    let before = std::fs::metadata(folder.join("d0/f7"))
        .unwrap()
        .modified()
        .unwrap();
    write(&folder, "d0/f7", "8");
    std::fs::File::options()
        .write(true)
        .open(folder.join("d0/f7"))
        .unwrap()
        .set_modified(before)
        .unwrap();
    let second = snap(&fixture, &folder).await;
    let (digest, old) = (
        second.summary.manifest_digest,
        first.summary.manifest_digest,
    );
    let (items, _) = manifest::diff(&fixture.store, old, digest)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        items
            .iter()
            .map(|item| item.path.as_str())
            .collect::<Vec<_>>(),
        ["d0/f7"]
    );
    sound(&fixture).await;
}

#[tokio::test]
async fn a_damaged_index_costs_nothing_but_time() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(&folder, "a", "a");
    let first = snap(&fixture, &folder).await;
    let index = fixture.store.within("index").join("ws");
    let good = std::fs::read(&index).unwrap();
    for bad in [&good[..good.len() / 2], b"", b"CAIRNIX1", &[0; 500]] {
        std::fs::write(&index, bad).unwrap();
        assert_eq!(snap(&fixture, &folder).await, first);
    }
    let bad_name = Options::new(fixture.project).index("../evil");
    assert!(matches!(
        take(&fixture.store, &folder, bad_name).await,
        Err(crate::Error::Invalid(_))
    ));
}

#[tokio::test]
async fn an_index_of_another_project_is_not_believed() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(&folder, "a", "a");
    snap(&fixture, &folder).await;
    let other =
        crate::capture::testing::add_project(fixture.store.db(), fixture.user, "other").await;
    let options = Options::new(other).index("ws");
    take(&fixture.store, &folder, options)
        .await
        .unwrap()
        .commit(&fixture.store)
        .await
        .unwrap();
    let count =
        crate::db::sql("SELECT COUNT(*) FROM project_objects WHERE project_id = $1").bind(other);
    assert_eq!(
        crate::db::required::<i64>(fixture.store.db(), count)
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn a_snapshot_that_is_not_recorded_is_not_seen() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(&folder, "a", "a");
    drop(
        take(
            &fixture.store,
            &folder,
            Options::new(fixture.project).index("ws"),
        )
        .await
        .unwrap(),
    );
    let report = fsck::check(&fixture.store, fsck::Mode::Full).await.unwrap();
    assert_eq!((report.manifests, report.orphaned_objects), (0, 1));
    assert!(
        !fixture.store.within("index").join("ws").exists(),
        "and no index relies on it"
    );
}

#[tokio::test]
async fn an_ignore_file_that_is_a_pipe_or_a_link_does_no_harm() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    write(&folder, "a.py", "a");
    write(&folder, "sub/b.py", "b");
    Command::new("mkfifo")
        .arg(folder.join(".gitignore"))
        .status()
        .unwrap();
    symlink("/dev/zero", folder.join("sub/.gitignore")).unwrap();
    symlink("/", folder.join(".git")).unwrap();
    let captured = snap(&fixture, &folder).await;
    assert_eq!(
        paths(&fixture, &captured),
        ["a.py", "sub/.gitignore", "sub/b.py"]
    );
    assert_eq!(
        captured.skipped,
        [Skipped {
            path: ".gitignore".into(),
            reason: Reason::Fifo
        }]
    );
}

#[tokio::test]
async fn the_same_content_at_the_same_time_is_stored_once() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    for n in 0..40 {
        write(&folder, &format!("f{n}"), (n % 20).to_string());
    }
    let takes = (0..8).map(|_| async {
        let pending = take(&fixture.store, &folder, Options::new(fixture.project))
            .await
            .unwrap();
        pending.commit(&fixture.store).await.unwrap()
    });
    let all = futures_util::future::join_all(takes).await;
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    let count = crate::db::sql("SELECT COUNT(*) FROM objects");
    assert_eq!(
        crate::db::required::<i64>(fixture.store.db(), count)
            .await
            .unwrap(),
        20
    );
    sound(&fixture).await;
}

use std::ffi::OsStr;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;

use super::*;
use crate::capture::testing::{Fixture, small_disk, write};
use crate::fsck;
use crate::manifest;

async fn kept(fixture: &Fixture, folder: &Path) -> Captured {
    capture(&fixture.store, fixture.project, folder)
        .await
        .unwrap()
        .commit(&fixture.store)
        .await
        .unwrap()
}

fn reasons(captured: &Captured) -> Vec<(&str, Reason)> {
    captured
        .skipped
        .iter()
        .map(|line| (line.path.as_str(), line.reason))
        .collect()
}

async fn read(fixture: &Fixture, captured: &Captured, path: &str) -> Option<Vec<u8>> {
    let content = manifest::read(&fixture.store, captured.summary.manifest_digest, path, None)
        .await
        .unwrap()?;
    let chunks: Vec<bytes::Bytes> = content.body.try_collect().await.unwrap();
    Some(chunks.concat())
}

#[tokio::test]
async fn only_regular_files_are_kept_and_the_rest_is_named() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    write(&folder, "model.bin", "model");
    write(&folder, ".env", "no rules here");
    write(&folder, "venv/pyvenv.cfg", "x");
    symlink("/etc/shadow", folder.join("shadow")).unwrap();
    symlink("/proc/self/root", folder.join("root")).unwrap();
    symlink(".", folder.join("loop")).unwrap();
    Command::new("mkfifo")
        .arg(folder.join("pipe"))
        .status()
        .unwrap();
    let _socket = UnixListener::bind(folder.join("socket")).unwrap();
    std::fs::write(folder.join(OsStr::from_bytes(b"bad\xff")), "x").unwrap();
    let captured = tokio::time::timeout(Duration::from_secs(20), kept(&fixture, &folder))
        .await
        .expect("nothing is waited for");
    let expected = [
        ("bad\u{fffd}", Reason::NotUtf8),
        ("loop", Reason::Symlink),
        ("pipe", Reason::Fifo),
        ("root", Reason::Symlink),
        ("shadow", Reason::Symlink),
        ("socket", Reason::Socket),
    ];
    assert_eq!(reasons(&captured), expected);
    assert_eq!(captured.summary.files, 3);
    assert_eq!(
        read(&fixture, &captured, "model.bin").await.unwrap(),
        b"model"
    );
}

#[tokio::test]
async fn devices_are_left_out() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    let made = Command::new("mknod")
        .arg(folder.join("zero"))
        .args(["c", "1", "5"])
        .status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(
            reasons(&kept(&fixture, &folder).await),
            [("zero", Reason::Device)]
        );
    }
}

#[tokio::test]
async fn files_of_others_are_kept_if_they_can_be_read() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    write(&folder, "open", "x");
    write(&folder, "closed", "x");
    write(&folder, "locked/inside", "x");
    std::fs::set_permissions(folder.join("closed"), std::fs::Permissions::from_mode(0o0)).unwrap();
    std::fs::set_permissions(folder.join("locked"), std::fs::Permissions::from_mode(0o0)).unwrap();
    if rustix::process::geteuid().is_root() {
        for path in ["open", "closed", "locked"] {
            std::os::unix::fs::lchown(folder.join(path), Some(12345), Some(12345)).unwrap();
        }
        assert_eq!(kept(&fixture, &folder).await.summary.files, 3);
    } else {
        let expected = [
            ("closed", Reason::Unreadable),
            ("locked", Reason::Unreadable),
        ];
        assert_eq!(reasons(&kept(&fixture, &folder).await), expected);
    }
}

#[tokio::test]
async fn limits_of_paths_are_kept() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    write(&folder, &vec!["d"; 64].join("/"), "deepest that is kept");
    write(&folder, &vec!["e"; 65].join("/"), "one too deep");
    for name in [
        "new\nline",
        "back\\slash",
        "C:\\x",
        "CON",
        "\u{202e}rtl",
        "é",
        "e\u{301}",
        "A",
        "a",
        &"x".repeat(255),
    ] {
        write(&folder, &format!("names/{name}"), name);
    }
    let captured = kept(&fixture, &folder).await;
    assert_eq!(captured.summary.files, 11);
    assert_eq!(
        reasons(&captured),
        [(vec!["e"; 65].join("/").as_str(), Reason::BadPath)]
    );
}

#[tokio::test]
async fn hard_links_and_empty_and_sparse_files_are_kept() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    write(&folder, "a", "same");
    write(&folder, "empty", "");
    std::fs::hard_link(folder.join("a"), folder.join("b")).unwrap();
    let mut sparse = std::fs::File::create(folder.join("sparse")).unwrap();
    sparse.seek(SeekFrom::Start(50_000_000)).unwrap();
    sparse.write_all(b"end").unwrap();
    let captured = kept(&fixture, &folder).await;
    assert_eq!(
        (captured.summary.files, captured.summary.bytes),
        (4, 50_000_011)
    );
    let report = fsck::check(&fixture.store, fsck::Mode::Full).await.unwrap();
    assert!(report.is_sound());
    assert_eq!(report.objects, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_stops_growing_is_kept_as_far_as_it_was_read() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    write(&folder, "log", vec![b'x'; 20_000_000]);
    let stop = AtomicBool::new(false);
    let started = std::sync::Barrier::new(2);
    let captured = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = std::fs::File::options()
                .append(true)
                .open(folder.join("log"))
                .unwrap();
            log.write_all(b"more\n").unwrap();
            started.wait();
            while !stop.load(Ordering::Relaxed) {
                log.write_all(b"more\n").unwrap();
            }
        });
        started.wait();
        let runtime = tokio::runtime::Handle::current();
        let captured = tokio::task::block_in_place(|| runtime.block_on(kept(&fixture, &folder)));
        stop.store(true, Ordering::Relaxed);
        captured
    });
    assert_eq!(captured.summary.files, 1);
    // On a busy machine the writer may rest for as long as one reading takes: then the file was whole.
    assert!(matches!(
        reasons(&captured)[..],
        [] | [("log", Reason::Torn)]
    ));
    assert!(
        fsck::check(&fixture.store, fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_swapped_for_a_link_is_never_followed() {
    let fixture = Fixture::new().await;
    let outside = fixture.folder("outside");
    write(&outside, "f", "secret");
    let folder = fixture.folder("outputs");
    write(&folder, "sub/f", "ours");
    write(&folder, "g", "ours");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = std::fs::rename(folder.join("sub"), folder.join("was"));
                let _ = symlink(&outside, folder.join("sub"));
                let _ = std::fs::remove_file(folder.join("sub"));
                let _ = std::fs::rename(folder.join("was"), folder.join("sub"));
                let _ = std::fs::rename(folder.join("g"), folder.join("h"));
                let _ = symlink(outside.join("f"), folder.join("g"));
                let _ = std::fs::rename(folder.join("h"), folder.join("g"));
            }
        });
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            for _ in 0..60 {
                let captured = runtime.block_on(kept(&fixture, &folder));
                for path in ["sub/f", "g", "h", "was/f"] {
                    let content = runtime.block_on(read(&fixture, &captured, path));
                    assert!(
                        content.is_none_or(|content| content == b"ours"),
                        "{path} leads outside"
                    );
                }
            }
        });
        stop.store(true, Ordering::Relaxed);
    });
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing_half_done() {
    let Some(disk) = small_disk(4 << 20) else {
        return;
    };
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    write(&folder, "small", "small");
    write(&folder, "large", vec![7; 8 << 20]);
    let store = crate::Store::open(&disk.path().join("store"), fixture.store.db().clone())
        .await
        .unwrap();
    let error = capture(&store, fixture.project, &folder).await.unwrap_err();
    assert!(
        error.retryable() && error.to_string().contains("disk is full"),
        "{error}"
    );
    assert_eq!(
        std::fs::read_dir(disk.path().join("store/staging"))
            .unwrap()
            .count(),
        0
    );
    let report = fsck::check(&store, fsck::Mode::Full).await.unwrap();
    assert!(report.is_sound());
    assert_eq!((report.manifests, report.orphaned_objects), (0, 0));
    std::fs::remove_file(folder.join("large")).unwrap();
    capture(&store, fixture.project, &folder)
        .await
        .unwrap()
        .commit(&store)
        .await
        .unwrap();
    assert!(
        fsck::check(&store, fsck::Mode::Full)
            .await
            .unwrap()
            .is_sound()
    );
}

#[tokio::test]
async fn many_left_out_are_counted_not_listed() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("outputs");
    for n in 0..1100 {
        symlink("x", folder.join(format!("l{n:04}"))).unwrap();
    }
    let captured = kept(&fixture, &folder).await;
    assert_eq!(captured.skipped.len(), 1001);
    assert_eq!(
        captured.skipped.last(),
        Some(&Skipped {
            path: "100".into(),
            reason: Reason::More
        })
    );
}

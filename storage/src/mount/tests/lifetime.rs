//! How mounts come, stay and go, and what is refused.

use std::os::unix::fs::FileExt;
use std::process::Command;

use super::*;
use crate::Error;

fn is_read_only(outcome: io::Result<()>) -> bool {
    outcome.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

#[tokio::test]
async fn nobody_can_write() {
    let Some(bed) = Bed::new().await else { return };
    let place = bed.show(bed.small()).await.unwrap();
    let file = place.join("a.txt");
    assert!(is_read_only(fs::write(&file, "x")));
    assert!(is_read_only(fs::remove_file(&file)));
    assert!(is_read_only(fs::write(place.join("new"), "x")));
    assert!(is_read_only(fs::rename(&file, place.join("b"))));
    let open = fs::Permissions::from_mode(0o777);
    assert!(is_read_only(fs::set_permissions(&file, open)));
    let remount = |options| {
        let mut mount = Command::new("mount");
        let done = mount.args(["-o", options]).arg(&place).output().unwrap();
        assert!(is_read_only(fs::write(&file, "x")), "{options}: {done:?}");
    };
    remount("remount,rw");
    remount("remount,bind,rw");
    assert_eq!(fs::read(&file).unwrap(), b"one");
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
async fn a_sandbox_sees_it_and_cannot_open_it_for_writing() {
    let Some(bed) = Bed::new().await else { return };
    let place = bed.show(bed.small()).await.unwrap();
    let script = "cd /tmp/in; cat a.txt sub/b.txt; mount -o remount,rw /tmp/in; umount -l /tmp/in; echo x > a.txt || echo refused";
    let mut sandbox = Command::new("bwrap");
    sandbox.args(["--ro-bind", "/", "/", "--tmpfs", "/tmp"]);
    sandbox.args(["--unshare-user", "--unshare-pid", "--bind"]);
    let done = sandbox
        .arg(&place)
        .args(["/tmp/in", "sh", "-c", script])
        .output();
    let Ok(done) = done else {
        println!("skipped: there is no bubblewrap here");
        return;
    };
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(told, "onetworefused\n", "{done:?}");
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
async fn a_container_sees_it() {
    let Ok(engine) = std::env::var("CAIRN_TEST_DOCKER") else {
        println!("skipped: CAIRN_TEST_DOCKER names no engine");
        return;
    };
    let Some(bed) = Bed::new().await else { return };
    let place = bed.show(bed.small()).await.unwrap();
    let script = "cat /in/a.txt /in/sub/b.txt; echo x > /in/a.txt || echo refused";
    let mount = format!("type=bind,src={},dst=/in,readonly", place.display());
    let mut docker = Command::new("docker");
    docker.args([
        "--host",
        &engine,
        "run",
        "--rm",
        "--network",
        "none",
        "--mount",
        &mount,
    ]);
    let run = docker.args(["debian:bookworm-slim", "sh", "-c", script]);
    let done = run.output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(told, "onetworefused\n", "{done:?}");
    bed.mounts.keep(HashSet::new()).await.unwrap();
    assert_eq!(bed.count(), 0);
}

#[tokio::test]
async fn requests_at_once_share_one_mount() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    let asked = (0..50).map(|_| {
        let mounts = bed.mounts.clone();
        tokio::spawn(async move { mounts.folder(digest, Link::Copy).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        let place = asked.await.unwrap().unwrap();
        assert_eq!(fs::read(place.join("a.txt")).unwrap(), b"one");
    }
    assert_eq!(bed.count(), 1);
}

#[tokio::test]
async fn the_next_process_finds_what_is_mounted() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    let place = bed.show(digest).await.unwrap();
    let device = place.metadata().unwrap().dev();
    let rung = bed.mounts.rung().clone();
    let next = Mounts::open(&bed.fixture.reopen().await, rung).await;
    let again = next.unwrap().folder(digest, Link::Copy).await.unwrap();
    assert_eq!(again.metadata().unwrap().dev(), device);
    assert_eq!((again, bed.count()), (place, 1));
}

#[tokio::test]
async fn what_somebody_else_mounted_is_refused() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    let place = bed.mounts.inner.folder.join(digest.to_string());
    fs::create_dir(&place).unwrap();
    let mut mount = Command::new("mount");
    let done = mount.args(["-t", "tmpfs", "foreign"]).arg(&place).status();
    assert!(done.unwrap().success());
    let error = bed.show(digest).await.unwrap_err();
    assert!(matches!(error, Error::Internal { .. }), "{error:?}");
    bed.mounts.keep(HashSet::new()).await.unwrap();
    assert!(!place.exists());
    bed.show(digest).await.unwrap();
}

#[tokio::test]
async fn a_thousand_mounts_leave_none() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    bed.show(digest).await.unwrap();
    bed.mounts.keep(HashSet::new()).await.unwrap();
    let before = descriptors();
    for _ in 0..1000 {
        let place = bed.show(digest).await.unwrap();
        assert!(place.join("sub/b.txt").exists());
        bed.mounts.keep(HashSet::new()).await.unwrap();
    }
    assert_eq!((bed.count(), descriptors()), (0, before));
    let left = fs::read_dir(&bed.mounts.inner.folder).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn what_is_kept_or_open_stays() {
    let Some(bed) = Bed::new().await else { return };
    let (one, two) = (bed.small(), bed.manifest(&BTreeMap::new()));
    let place = bed.show(one).await.unwrap();
    let empty = bed.show(two).await.unwrap();
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    // What a crash left of a mount.
    let left = bed.mounts.inner.folder.join(format!(".{one}"));
    fs::create_dir(&left).unwrap();
    bed.mounts.keep(HashSet::from([one])).await.unwrap();
    assert_eq!((bed.count(), empty.exists()), (1, false));
    assert!(!left.exists());
    let open = fs::File::open(place.join("sub/b.txt")).unwrap();
    bed.mounts.keep(HashSet::new()).await.unwrap();
    assert!(!place.exists());
    let mut text = [0; 3];
    open.read_exact_at(&mut text, 0).unwrap();
    assert_eq!(&text, b"two");
}

#[tokio::test]
async fn a_damaged_image_is_built_again() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    bed.show(digest).await.unwrap();
    let image = images::place(&bed.fixture.store, &digest);
    let whole = fs::read(&image).unwrap();
    let mode = image.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o400);
    let (cut, mut flipped, mut other) = (&whole[..4096], whole.clone(), whole.clone());
    flipped[1300] ^= 1;
    other[whole.len() - 4096 + 8] ^= 1;
    for bad in [cut, &flipped, &other, &[][..]] {
        bed.mounts.keep(HashSet::new()).await.unwrap();
        fs::write(&image, bad).unwrap();
        let place = bed.show(digest).await.unwrap();
        assert_eq!(fs::read(place.join("a.txt")).unwrap(), b"one");
        assert!(fs::read(&image).unwrap() == whole);
    }
}

#[tokio::test]
async fn an_object_that_is_missing_or_cut_is_told_with_its_path() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    bed.show(digest).await.unwrap();
    let object = bed.object(&Hash::of(b"two"));
    let rung = bed.mounts.rung();
    for (step, with_image) in [("cut", true), ("gone", true), ("gone", false)] {
        bed.mounts.keep(HashSet::new()).await.unwrap();
        fs::remove_file(&object).unwrap_or_default();
        if step == "cut" {
            fs::write(&object, "t").unwrap();
        }
        if !with_image {
            fs::remove_file(images::place(&bed.fixture.store, &digest)).unwrap();
        }
        let mounts = Mounts::open(&bed.fixture.store, rung.clone()).await;
        let error = mounts.unwrap().folder(digest, Link::Copy).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("\"sub/b.txt\""), "{error}");
        assert_eq!(bed.count(), 0);
    }
    let unknown = bed.show(Hash::of(b"unknown")).await.unwrap_err();
    assert!(matches!(unknown, Error::NotFound(_)));
}

#[tokio::test]
async fn what_was_put_aside_is_shown_to_nobody_who_comes_after() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    let place = bed.show(digest).await.unwrap();
    let open = fs::File::open(place.join("a.txt")).unwrap();
    let hash = Hash::of(b"two");
    let object = bed.object(&hash);
    let faulty = crate::fsck::Report {
        faulty: [hash].into(),
        ..Default::default()
    };
    crate::fsck::set_aside(&bed.fixture.store, &faulty, &crate::fsck::Pace::default())
        .await
        .unwrap();
    bed.show(digest).await.unwrap();
    assert!(object.exists(), "what is whole stays");
    fs::remove_file(&object).unwrap();
    fs::write(&object, "owt").unwrap();
    crate::fsck::set_aside(&bed.fixture.store, &faulty, &crate::fsck::Pace::default())
        .await
        .unwrap();
    assert!(!object.exists());
    // Mounted and looked at before, by this very process.
    let error = bed.show(digest).await.unwrap_err();
    assert!(error.to_string().contains("\"sub/b.txt\""), "{error}");
    assert_eq!(
        std::io::read_to_string(open).unwrap(),
        "one",
        "who had it open reads on"
    );
    bed.put(b"two");
    let place = bed.show(digest).await.unwrap();
    assert_eq!(fs::read(place.join("sub/b.txt")).unwrap(), b"two");
    assert_eq!(bed.count(), 1);
}

#[tokio::test]
async fn the_folder_below_a_mount_is_closed() {
    let Some(bed) = Bed::new().await else { return };
    let place = bed.show(bed.small()).await.unwrap();
    kernel::detach(&place).unwrap();
    let mode = place.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0, "an empty input must not look like one");
}

#[tokio::test]
async fn what_a_killed_probe_left_is_swept() {
    let Some(bed) = Bed::new().await else { return };
    let left = bed.mounts.inner.folder.join(".probe-left");
    fs::create_dir_all(left.join("aside")).unwrap();
    fs::write(left.join("image"), "x").unwrap();
    bed.mounts.keep(HashSet::new()).await.unwrap();
    assert!(left.exists(), "one may be at it");
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    fs::File::open(&left)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    bed.mounts.keep(HashSet::new()).await.unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn the_older_way_shows_the_same() {
    let Some(bed) = Bed::new().await else { return };
    let digest = bed.small();
    let rung = Rung::Kernel(probe::Way(Lower::Attached));
    let mounts = Mounts::open(&bed.fixture.store, rung).await.unwrap();
    let place = mounts.folder(digest, Link::Copy).await.unwrap();
    assert_eq!(fs::read(place.join("sub/b.txt")).unwrap(), b"two");
    assert_eq!(bed.count(), 1, "the image is mounted nowhere else");
}

#[tokio::test]
async fn without_a_kernel_that_does_it_there_are_farms() {
    let fixture = Fixture::new().await;
    let bed = Bed::over(fixture, Rung::Farm("a test".to_owned())).await;
    let place = bed.show(bed.small()).await.unwrap();
    assert!(place.starts_with(bed.fixture.store.within("farm")));
    assert_eq!(fs::read(place.join("sub/b.txt")).unwrap(), b"two");
    bed.mounts.keep(HashSet::new()).await.unwrap();
    assert!(place.exists());
}

#[test]
fn an_ordinary_user_may_not_mount() {
    let asked = std::thread::spawn(|| {
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::thread::Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let found = probe(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        found
    });
    let expected = Rung::Farm("this user may not mount".to_owned());
    assert_eq!(asked.join().unwrap(), expected);
}

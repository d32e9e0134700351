use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::capture::testing::{Fixture, small_disk, write};
use crate::snapshot::{Options, take};

async fn snap(fixture: &Fixture) -> Summary {
    let folder = fixture.folder("work");
    write(&folder, "a.py", "print()");
    write(&folder, "sub/deep/b", "b");
    write(&folder, "sub/deeper/c", "c");
    write(&folder, "empty", "");
    write(&folder, "run.sh", "run");
    write(&folder, "big", vec![1; 700_000]);
    fs::set_permissions(folder.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", folder.join("sub/link")).unwrap();
    let options = Options::new(fixture.project);
    take(&fixture.store, &folder, options)
        .await
        .unwrap()
        .commit(&fixture.store)
        .await
        .unwrap()
        .summary
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn object_of(fixture: &Fixture, content: &[u8]) -> PathBuf {
    fixture.store.objects().path(&Hash::of(content)).unwrap()
}

fn damage(path: &Path, content: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
}

#[tokio::test]
async fn a_copy_is_the_folder_and_can_be_written() {
    let fixture = Fixture::new().await;
    let summary = snap(&fixture).await;
    let target = fixture.dir.path().join("copy");
    assert_eq!(
        copy_to(&fixture.store, summary.manifest_digest, &target, None)
            .await
            .unwrap(),
        summary
    );
    assert_eq!(fs::read(target.join("sub/deep/b")).unwrap(), b"b");
    assert_eq!(fs::read(target.join("big")).unwrap(), vec![1; 700_000]);
    assert_eq!(
        fs::read_link(target.join("sub/link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert_eq!(
        (
            mode(&target),
            mode(&target.join("sub/deep")),
            mode(&target.join("a.py"))
        ),
        (0o755, 0o755, 0o644)
    );
    assert_eq!(mode(&target.join("run.sh")), 0o755);
    fs::write(target.join("a.py"), "changed").unwrap();
    assert_eq!(
        fs::read(object_of(&fixture, b"print()")).unwrap(),
        b"print()",
        "the store does not see it"
    );
    let again = fixture.dir.path().join("again");
    fs::create_dir(&again).unwrap();
    copy_to(&fixture.store, summary.manifest_digest, &again, None)
        .await
        .unwrap();
    assert!(matches!(
        copy_to(&fixture.store, summary.manifest_digest, &again, None).await,
        Err(Error::Conflict(_))
    ));
}

#[tokio::test]
async fn a_copy_belongs_to_its_owner() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let fixture = Fixture::new().await;
    let summary = snap(&fixture).await;
    let target = fixture.dir.path().join("copy");
    let owner = Some(Owner {
        uid: 23456,
        gid: 34567,
    });
    copy_to(&fixture.store, summary.manifest_digest, &target, owner)
        .await
        .unwrap();
    for path in [
        "",
        "a.py",
        "sub",
        "sub/deep",
        "sub/deep/b",
        "sub/link",
        "empty",
    ] {
        let found = fs::symlink_metadata(target.join(path)).unwrap();
        assert_eq!((found.uid(), found.gid()), (23456, 34567), "{path}");
    }
    assert_eq!(
        fs::metadata("/etc/passwd").unwrap().uid(),
        0,
        "a link is not followed"
    );
}

#[tokio::test]
async fn a_farm_is_built_once_and_is_read_only() {
    let fixture = Fixture::new().await;
    let digest = snap(&fixture).await.manifest_digest;
    for link in [Link::Hard, Link::Copy] {
        let asked = (0..8).map(|_| farm(&fixture.store, digest, link));
        let places = futures_util::future::try_join_all(asked).await.unwrap();
        assert!(places.windows(2).all(|pair| pair[0] == pair[1]));
        let place = &places[0];
        let inode = fs::metadata(place).unwrap().ino();
        assert_eq!(
            fs::metadata(farm(&fixture.store, digest, link).await.unwrap())
                .unwrap()
                .ino(),
            inode
        );
        for (path, expected) in [
            ("", 0o555),
            ("sub/deep", 0o555),
            ("a.py", 0o444),
            ("run.sh", 0o555),
            ("empty", 0o444),
        ] {
            assert_eq!(mode(&place.join(path)), expected, "{path} {link:?}");
        }
        assert_eq!(fs::read(place.join("sub/deeper/c")).unwrap(), b"c");
        let object = fs::metadata(object_of(&fixture, b"print()")).unwrap();
        let shared = fs::metadata(place.join("a.py")).unwrap().ino() == object.ino();
        assert_eq!(shared, link == Link::Hard);
    }
    assert_eq!(
        fs::read_dir(fixture.store.within("staging"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_damaged_object_stops_the_build_and_leaves_nothing() {
    let fixture = Fixture::new().await;
    let digest = snap(&fixture).await.manifest_digest;
    let object = object_of(&fixture, b"print()");
    damage(&object, b"PRINT()");
    let target = fixture.dir.path().join("copy");
    assert!(
        copy_to(&fixture.store, digest, &target, None)
            .await
            .is_err()
    );
    assert!(farm(&fixture.store, digest, Link::Hard).await.is_err());
    assert!(farm(&fixture.store, digest, Link::Copy).await.is_err());
    fs::remove_file(&object).unwrap();
    assert!(
        copy_to(&fixture.store, digest, &target, None)
            .await
            .is_err()
    );
    assert!(!target.exists());
    let left: Vec<_> = fs::read_dir(fixture.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().starts_with('.')),
        "{left:?}"
    );
    assert_eq!(
        fs::read_dir(fixture.store.within("farm")).unwrap().count(),
        0
    );
    assert_eq!(
        fs::read_dir(fixture.store.within("staging"))
            .unwrap()
            .count(),
        0
    );
    damage_is_no_end(&fixture, digest, &object).await;
}

async fn damage_is_no_end(fixture: &Fixture, digest: Hash, object: &Path) {
    fs::write(object, "print()").unwrap();
    farm(&fixture.store, digest, Link::Hard).await.unwrap();
}

#[tokio::test]
async fn an_unknown_manifest_is_not_found() {
    let fixture = Fixture::new().await;
    let target = fixture.dir.path().join("copy");
    let unknown = Hash::of(b"unknown");
    assert!(matches!(
        copy_to(&fixture.store, unknown, &target, None).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        farm(&fixture.store, unknown, Link::Hard).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn a_full_disk_leaves_no_part_of_a_copy() {
    let Some(disk) = small_disk(256 << 10) else {
        return;
    };
    let fixture = Fixture::new().await;
    let digest = snap(&fixture).await.manifest_digest;
    let error = copy_to(&fixture.store, digest, &disk.path().join("copy"), None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
}

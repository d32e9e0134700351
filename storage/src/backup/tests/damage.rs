//! Backups and stores that are damaged, and places that are not empty.

use super::*;
use crate::capture::testing::small_disk;

async fn refused(bytes: Vec<u8>) -> String {
    let place = tempfile::tempdir().unwrap();
    let done = restore_into(bytes, place.path()).await;
    let why = refusal(done);
    // Nobody could take what is there for a Cairn.
    let url = Db::sqlite_url(&place.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, System::shared()).await.unwrap();
    let state = crate::backup::load::state(&db, "x").await.unwrap();
    assert_eq!(state, crate::backup::load::State::Empty, "{why}");
    why
}

#[tokio::test]
async fn a_backup_that_is_cut_short_anywhere_is_refused() {
    let fixture = filled().await;
    let (bytes, _) = backup(&fixture.store).await;
    // The end, and the archive's own end after it.
    let whole = bytes.len() - 1024 - 512;
    for length in (0..8)
        .map(|part| whole * part / 8)
        .chain([whole - 512, whole - 1])
    {
        let why = refused(bytes[..length].to_vec()).await;
        let said = why.contains("cut short") || why.contains("not a backup");
        assert!(said, "{length}: {why}");
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found() {
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    lay(&folder, "a", "a".repeat(1000));
    let digits = dataset(&fixture, "digits").await;
    push(&fixture, digits, &folder).await;
    let (bytes, _) = backup(&fixture.store).await;
    let before = records(&fixture.store).await;
    for part in 0..16 {
        let mut flipped = bytes.clone();
        let at = (bytes.len() - 1024) * part / 16 + 7 * part;
        flipped[at] ^= 1 << (part % 8);
        let place = tempfile::tempdir().unwrap();
        match restore_into(flipped, place.path()).await {
            Err(Error::Invalid(_)) => {}
            Err(other) => panic!("{at}: {other:?}"),
            // What fills a block up, or is said of a file besides its name and size, nobody reads.
            Ok((_, store)) => assert_eq!(records(&store).await, before, "{at}"),
        }
    }
}

#[tokio::test]
async fn rows_that_a_backup_does_not_name_are_refused() {
    let fixture = filled().await;
    let (_, mut written) = backup(&fixture.store).await;
    written.header.tables.retain(|table| table.name != "users");
    let memory = Memory::default();
    let mut out = super::super::archive::Writer::new(Box::new(memory.clone()), false, 0).unwrap();
    out.small(HEADER, &json(&written.header).unwrap()).unwrap();
    out.small("database/users.jsonl", b"{}\n").unwrap();
    out.finish(|digest| Totals {
        digest,
        ..written.totals
    })
    .unwrap();
    let why = refused(memory.bytes()).await;
    assert!(why.contains("rows of users"), "{why}");
}

#[tokio::test]
async fn what_another_version_made_is_refused_by_name() {
    let fixture = filled().await;
    let (_, written) = backup(&fixture.store).await;
    let said = |change: &dyn Fn(&mut Header)| {
        let mut header = written.header.clone();
        change(&mut header);
        let memory = Memory::default();
        let mut out =
            super::super::archive::Writer::new(Box::new(memory.clone()), false, 0).unwrap();
        out.small(HEADER, &json(&header).unwrap()).unwrap();
        out.finish(|digest| Totals {
            digest,
            ..written.totals.clone()
        })
        .unwrap();
        memory.bytes()
    };
    let format = said(&|header| (header.format, header.cairn) = (9, "7.0.0".to_owned()));
    let why = refused(format).await;
    assert!(why.contains("format 9") && why.contains("7.0.0"), "{why}");
    let schema = said(&|header| header.schema = 9999);
    let why = refused(schema).await;
    assert!(why.contains("9999") && why.contains("newer"), "{why}");
    let why = refused(said(&|_| ())).await;
    assert!(why.contains("not all of what it names"), "{why}");
    for rubbish in ["", "rubbish", &"r".repeat(5000)] {
        assert!(refused(rubbish.into()).await.contains("not a backup"));
    }
}

#[tokio::test]
async fn what_the_store_has_lost_is_told_and_not_said_to_be_there_afterwards() {
    let fixture = filled().await;
    let objects = fixture.store.objects();
    let (small, big) = (Hash::of(b"a"), Hash::of(&large()));
    std::fs::remove_file(objects.path(&small).unwrap()).unwrap();
    let path = objects.path(&big).unwrap();
    let mut content = large();
    content[2_000_000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, content).unwrap();
    let (bytes, written) = backup(&fixture.store).await;
    assert_eq!((written.totals.objects, written.totals.lost), (2, 2));
    let place = tempfile::tempdir().unwrap();
    let (restored, store) = restore_into(bytes, place.path()).await.unwrap();
    assert_eq!(restored.totals.unwrap().lost, 2);
    assert_eq!(restored.settled.damaged, 1);
    let text = "SELECT r.integrity FROM manifest_roots r JOIN dataset_versions v ON v.manifest_digest = r.digest";
    let of: String = crate::db::required(store.db(), sql(text)).await.unwrap();
    assert_eq!(of, "partial", "it is not said to be whole");
    assert!(has(&store, "c") && !has(&store, "a"));
    let text = "SELECT COUNT(*) FROM objects o WHERE o.hash = $1";
    let count = crate::db::required::<i64>(store.db(), sql(text).bind(small.to_hex()));
    assert_eq!(count.await.unwrap(), 0);
    // Sent once more, it is there again.
    let folder = fixture.folder("work");
    let again = crate::outputs::capture(&store, fixture.project, &folder).await;
    again.unwrap().commit(&store).await.unwrap();
    assert!(has(&store, "a"));
    assert_sound(&store).await;
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_for_a_while_is_told_and_what_it_names_is_not_thought_whole()
{
    let fixture = Fixture::new().await;
    let folder = fixture.folder("work");
    lay(&folder, "a", "a");
    let digits = dataset(&fixture, "digits").await;
    let (_, digest) = push(&fixture, digits, &folder).await;
    let place = fixture.store.files().place(Space::Manifests, &digest);
    let aside = fixture.dir.path().join("aside");
    std::fs::rename(&place, &aside).unwrap();
    std::fs::create_dir(&place).unwrap();
    let repair = move |step| {
        if matches!(step, Progress::Total(_)) {
            std::fs::remove_dir(&place).unwrap();
            std::fs::rename(&aside, &place).unwrap();
        }
    };
    let out = Box::new(Memory::default());
    let written = write(&fixture.store, out, Options::default(), Box::new(repair)).await;
    let totals = written.unwrap().totals;
    assert_eq!((totals.lost, totals.manifests, totals.objects), (1, 0, 1));
}

#[tokio::test]
async fn only_empty_places_take_a_backup() {
    let fixture = filled().await;
    let (bytes, _) = backup(&fixture.store).await;
    let place = tempfile::tempdir().unwrap();
    let (_, store) = restore_into(bytes.clone(), place.path()).await.unwrap();
    let before = records(&store).await;
    let why = refusal(restore_into(bytes.clone(), place.path()).await);
    assert!(why.contains("the database is not empty"), "{why}");
    assert!(!is_begun(&place.path().join("restoring")));
    assert_eq!(records(&store).await, before);
    // Another database, and the same store.
    store.db().close().await;
    let url = Db::sqlite_url(&place.path().join("fresh.db")).unwrap();
    let why = refusal(restore_to(bytes, place.path(), url).await);
    assert!(why.contains("the store in"), "{why}");
    assert!(!is_begun(&place.path().join("restoring")));
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_restore_goes_on_afterwards() {
    let Some(disk) = small_disk(2 << 20) else {
        return;
    };
    let fixture = filled().await;
    let (bytes, _) = backup(&fixture.store).await;
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    std::os::unix::fs::symlink(disk.path(), &store).unwrap();
    let Err(failed) = restore_into(bytes.clone(), place.path()).await else {
        panic!("there is no room for it");
    };
    assert!(failed.to_string().contains("the disk is full"), "{failed}");
    assert!(is_begun(&place.path().join("restoring")));
    std::fs::remove_file(&store).unwrap();
    let (_, restored) = restore_into(bytes, place.path()).await.unwrap();
    assert_eq!(records(&fixture.store).await, records(&restored).await);
    assert_sound(&restored).await;
}

#[tokio::test]
async fn a_backup_that_finds_no_room_says_so() {
    /// Takes a little.
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if bytes.len() > self.0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let fixture = filled().await;
    for room in [0, 1 << 20] {
        let written = write(
            &fixture.store,
            Box::new(Full(room)),
            Options::default(),
            unwatched(),
        );
        let failed = written.await.unwrap_err();
        assert!(failed.retryable(), "{failed:?}");
        assert!(failed.to_string().contains("the disk is full"), "{failed}");
    }
    let left = std::fs::read_dir(fixture.dir.path().join("store/staging")).unwrap();
    assert_eq!(left.count(), 0);
}

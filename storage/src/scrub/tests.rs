use std::collections::BTreeSet;

use super::*;
use crate::capture::testing::{Fixture, write};
use crate::snapshot::{self, Options};

async fn snap(fixture: &Fixture, names: &[&str]) -> Hash {
    let folder = fixture.folder(names[0]);
    for name in names {
        write(&folder, name, *name);
    }
    let options = Options::new(fixture.project).index("one");
    let pending = snapshot::take(&fixture.store, &folder, options)
        .await
        .unwrap();
    pending
        .commit(&fixture.store)
        .await
        .unwrap()
        .summary
        .manifest_digest
}

async fn told(store: &Store, pass: &Pass, step: &Step) -> Result<()> {
    let news = &News::default();
    let work = |mut tx: crate::Tx| async move { advance(&mut tx, pass, step, news).await };
    store.db().write(work).await
}

/// Steps until the pass has ended, each from what is on record; what it found.
async fn to_end(store: &Store) -> (Pass, BTreeSet<Hash>) {
    let mut faulty = BTreeSet::new();
    while let Some(pass) = running(store.db()).await.unwrap() {
        let step = step(store, &pass, &Pace::default()).await.unwrap();
        faulty.extend(&step.report.faulty);
        told(store, &pass, &step).await.unwrap();
    }
    let (_, last) = standing(store.db()).await.unwrap();
    (last.unwrap(), faulty)
}

#[tokio::test]
async fn a_pass_reads_everything_once_and_goes_on_where_it_was() {
    let fixture = Fixture::new().await;
    let names: Vec<String> = (0..200).map(|n| format!("file-{n}")).collect();
    snap(
        &fixture,
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let pass = begin(fixture.store.db()).await.unwrap();
    assert_eq!((pass.number, pass.percent()), (1, 0));
    assert!(begin(fixture.store.db()).await.is_err(), "one at a time");
    for _ in 0..3 {
        let pass = running(fixture.store.db()).await.unwrap().unwrap();
        let step = step(&fixture.store, &pass, &Pace::default()).await.unwrap();
        told(&fixture.store, &pass, &step).await.unwrap();
        assert!(
            told(&fixture.store, &pass, &step).await.is_err(),
            "a step counts once"
        );
    }
    let again = fixture.reopen().await;
    let half = running(again.db()).await.unwrap().unwrap();
    assert_eq!((half.part, half.files), (Part::Objects, STEP_OBJECTS));
    let (done, faulty) = to_end(&again).await;
    assert_eq!((done.files, done.damaged, done.percent()), (200, 0, 100));
    assert!(faulty.is_empty() && done.ended_ms.is_some());
    assert_eq!(begin(again.db()).await.unwrap().number, 2);
}

#[tokio::test]
async fn damage_is_found_and_what_was_sent_again_is_whole_again() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let digest = snap(&fixture, &["a", "b", "c"]).await;
    let (flipped, gone) = (Hash::of(b"a"), Hash::of(b"b"));
    let path = |hash: &Hash| store.objects().path(hash).unwrap();
    std::fs::remove_file(path(&flipped)).unwrap();
    std::fs::write(path(&flipped), "x").unwrap();
    std::fs::remove_file(path(&gone)).unwrap();
    begin(store.db()).await.unwrap();
    let (pass, faulty) = to_end(store).await;
    assert_eq!((pass.damaged, faulty), (2, BTreeSet::from([flipped, gone])));

    let before = fsck::verdict(store.db(), &digest).await.unwrap().unwrap();
    let work = |mut tx: crate::Tx| async move {
        fsck::record(&mut tx, &digest, (Integrity::Partial, Mode::Full), before).await
    };
    store.db().write(work).await.unwrap();
    let pass = begin(store.db()).await.unwrap();
    let known = step(store, &pass, &Pace::default()).await.unwrap();
    assert_eq!(
        known.again.map(|(_, found, _)| found),
        Some(Integrity::Partial)
    );
    std::fs::remove_file(path(&flipped)).unwrap();
    for (hash, content) in [(flipped, "a"), (gone, "b")] {
        std::fs::write(path(&hash), content).unwrap();
    }
    let whole = step(store, &pass, &Pace::default()).await.unwrap();
    assert_eq!(whole.again.map(|(_, found, _)| found), Some(Integrity::Ok));
}

#[tokio::test]
async fn a_step_can_be_stopped_and_is_not_late_for_ever() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    snap(&fixture, &["a"]).await;
    assert_eq!(next_ms(store.db(), 1000).await.unwrap(), None);
    let pass = begin(store.db()).await.unwrap();
    let pace = Pace::limited(1);
    pace.stop();
    assert!(step(store, &pass, &pace).await.is_err());
    to_end(store).await;
    let next = next_ms(store.db(), 3_600_000).await.unwrap().unwrap();
    assert_eq!(next, pass.started_ms + 3_600_000);
}

#[tokio::test]
async fn what_the_system_cannot_read_is_passed_over_and_counted() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let digest = snap(&fixture, &["a", "b"]).await;
    let places = [
        store.objects().path(&Hash::of(b"a")).unwrap(),
        store
            .files()
            .place(crate::objects::Space::Manifests, &digest),
    ];
    for place in places {
        std::fs::remove_file(&place).unwrap();
        // Opened, it cannot be read.
        std::os::unix::fs::symlink("/proc/self/mem", place).unwrap();
    }
    // As long as an object of one byte says that it is.
    let text = "UPDATE objects SET size = 14 WHERE hash = $1";
    let work = |mut tx: crate::Tx| async move {
        let query = crate::db::sql(text).bind(Hash::of(b"a").to_hex());
        crate::db::execute(&mut tx, query).await
    };
    store.db().write(work).await.unwrap();
    begin(store.db()).await.unwrap();
    let (pass, faulty) = to_end(store).await;
    assert_eq!((pass.unread, pass.damaged, pass.files), (2, 0, 1));
    assert!(faulty.is_empty(), "{faulty:?}");
}

#[tokio::test]
async fn a_lost_list_is_counted_once_and_its_files_with_the_objects() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let digest = snap(&fixture, &["a", "b"]).await;
    let list = store
        .files()
        .place(crate::objects::Space::Manifests, &digest);
    let both = [list, store.objects().path(&Hash::of(b"a")).unwrap()];
    for path in both {
        std::fs::remove_file(path).unwrap();
    }
    begin(store.db()).await.unwrap();
    assert_eq!(to_end(store).await.0.damaged, 2);
}

#[tokio::test]
async fn once_there_was_damage_lists_that_seem_whole_are_asked_for_their_files() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    let digest = snap(&fixture, &["a", "b"]).await;
    let lost = Hash::of(b"a");
    std::fs::remove_file(store.objects().path(&lost).unwrap()).unwrap();
    let pass = begin(store.db()).await.unwrap();
    let lists = step(store, &pass, &Pace::default()).await.unwrap();
    assert!(lists.report.is_sound(), "its list is read, not its files");
    assert_eq!(to_end(store).await.0.damaged, 1);
    let pass = begin(store.db()).await.unwrap();
    let files = step(store, &pass, &Pace::default()).await.unwrap().report;
    assert_eq!(files.faulty, BTreeSet::from([lost]));
    assert_eq!(files.findings[0].manifest_digest, Some(digest));
}

#[tokio::test]
async fn what_is_beyond_those_told_of_is_counted_in_the_audit_record() {
    let fixture = Fixture::new().await;
    let store = &fixture.store;
    snap(&fixture, &["a"]).await;
    let pass = begin(store.db()).await.unwrap();
    let step = step(store, &pass, &Pace::default()).await.unwrap();
    let news = &News {
        told: Vec::new(),
        more: 7,
    };
    let (pass, step) = (&pass, &step);
    let work = |mut tx: crate::Tx| async move { advance(&mut tx, pass, step, news).await };
    store.db().write(work).await.unwrap();
    let page = crate::list::Page::default();
    let audit = crate::audit::list(store.db(), &page).await.unwrap();
    let noted = audit.items.iter().find(|one| one.action == "find_damage");
    assert_eq!(noted.unwrap().detail["more"], 7);
}

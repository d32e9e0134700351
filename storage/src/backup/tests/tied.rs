//! After a restore the store and the database belong together, whatever they were of before, and can be collected.

use super::*;
use crate::gc::tests::{cycle, retract};

/// A database file below `folder`.
fn url(folder: &Path, name: &str) -> String {
    Db::sqlite_url(&folder.join(name)).unwrap()
}

#[tokio::test]
async fn a_database_that_a_restore_elsewhere_was_cut_off_from_is_of_the_new_store() {
    let (bytes, _) = backup(&filled().await.store).await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = url(first.path(), "cairn.db");
    let cut = bytes[..bytes.len() / 2].to_vec();
    assert!(restore_to(cut, first.path(), url.clone()).await.is_err());
    let (_, store) = restore_to(bytes, second.path(), url).await.unwrap();
    cycle(&store).await;
    assert_sound(&store).await;
}

#[tokio::test]
async fn an_empty_store_of_another_database_is_of_the_restored_one() {
    let (bytes, _) = backup(&filled().await.store).await;
    let place = tempfile::tempdir().unwrap();
    // A server was started here once, before `database` was set.
    let url = url(place.path(), "other.db");
    let other = Db::open(&url, System::shared()).await.unwrap();
    let store = Store::open(&place.path().join("store"), other).await;
    let store = store.unwrap();
    assert!(store.within("database").exists());
    let (_, restored) = restore_into(bytes, place.path()).await.unwrap();
    cycle(&restored).await;
    assert!(has(&restored, "a"));
    // Whose it was collects nothing of it.
    let refused = crate::gc::collect(&store, crate::gc::Options::default()).await;
    assert!(refusal(refused).contains("of another database"));
}

#[tokio::test]
async fn a_restore_that_goes_on_with_another_database_or_store_ties_those() {
    let (bytes, _) = backup(&filled().await.store).await;
    let cut = bytes[..bytes.len() / 2].to_vec();
    for lost in ["cairn.db", "store"] {
        let place = tempfile::tempdir().unwrap();
        assert!(restore_into(cut.clone(), place.path()).await.is_err());
        let lost = place.path().join(lost);
        if lost.is_dir() {
            std::fs::remove_dir_all(lost).unwrap();
        } else {
            std::fs::remove_file(lost).unwrap();
        }
        let (_, store) = restore_into(bytes.clone(), place.path()).await.unwrap();
        cycle(&store).await;
        assert_sound(&store).await;
    }
}

#[tokio::test]
async fn what_was_deleted_before_a_backup_stays_so_and_goes() {
    let fixture = filled().await;
    let folder = fixture.folder("second");
    lay(&folder, "only", "only here");
    let digits = dataset(&fixture, "more").await;
    let (number, _) = push(&fixture, digits, &folder).await;
    retract(&fixture, digits, number).await;
    cycle(&fixture.store).await;
    let (bytes, _) = backup(&fixture.store).await;
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    std::fs::create_dir(&store).unwrap();
    // Of an operator who was here before.
    std::fs::write(store.join("adopt"), "").unwrap();
    let (_, store) = restore_into(bytes, place.path()).await.unwrap();
    assert!(!store.within("adopt").exists());
    let text = "SELECT COUNT(*) FROM dataset_versions WHERE retracted_ms IS NOT NULL";
    let retracted: i64 = crate::db::required(store.db(), sql(text)).await.unwrap();
    assert_eq!(retracted, 1);
    for _ in 0..3 {
        cycle(&store).await;
    }
    assert!(!has(&store, "only here") && has(&store, "a"));
    assert_sound(&store).await;
}

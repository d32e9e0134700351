//! Databases and stores that do not belong together.

use super::*;

async fn another(fixture: &Fixture) -> Db {
    let url = Db::sqlite_url(&fixture.dir.path().join("another.db")).unwrap();
    Db::open(&url, System::shared()).await.unwrap()
}

#[tokio::test]
async fn a_backup_of_another_database_is_refused() {
    let fixture = filled().await;
    let folder = fixture.dir.path().join("store");
    let beside = Store::beside(&folder, another(&fixture).await).await;
    assert!(refusal(beside).contains("of another database"));
    let mixed = Store::open(&folder, another(&fixture).await).await.unwrap();
    let out = Box::new(Memory::default());
    let written = write(&mixed, out, Options::default(), unwatched()).await;
    assert!(refusal(written).contains("of another database"));
    let elsewhere = fixture.dir.path().join("elsewhere");
    let beside = Store::beside(&elsewhere, fixture.store.db().clone()).await;
    assert!(refusal(beside).contains("of another store"));
    let own = Store::beside(&folder, fixture.store.db().clone()).await;
    backup(&own.unwrap()).await;
}

#[tokio::test]
async fn a_database_that_is_missing_or_older_is_left_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("cairn.db");
    let url = Db::sqlite_url(&file).unwrap();
    let missing = Db::open_existing(&url, System::shared()).await;
    assert!(matches!(missing, Err(Error::NotFound(_))));
    assert!(!file.exists());
    crate::db::migrate_to(&url, 1).await.unwrap();
    let older = Db::open_existing(&url, System::shared()).await;
    assert!(refusal(older).contains("older than this program"));
    let db = Db::open_at(&url, System::shared(), 1).await.unwrap();
    assert_eq!(db.version().await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_of_a_restore_that_was_begun_anew_is_the_databases() {
    let (bytes, _) = backup(&filled().await.store).await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = Db::sqlite_url(&first.path().join("cairn.db")).unwrap();
    let cut = bytes[..bytes.len() / 2].to_vec();
    assert!(restore_to(cut, first.path(), url.clone()).await.is_err());
    let (_, store) = restore_to(bytes, second.path(), url).await.unwrap();
    crate::gc::belongs(&store).await.unwrap();
    assert!(store.within("database").exists());
}

//! Databases and stores that do not belong together.

use super::*;
use crate::capture::testing::{migrated, statement};

async fn another(fixture: &Fixture) -> Db {
    let url = Db::sqlite_url(&fixture.dir.path().join("another.db")).unwrap();
    Db::open(&url, System::shared()).await.unwrap()
}

#[tokio::test]
async fn a_backup_of_another_database_is_refused() {
    let fixture = filled().await;
    let folder = fixture.dir.path().join("store");
    let beside = Store::beside(&folder, another(&fixture).await, None).await;
    assert!(refusal(beside).contains("of another database"));
    let mixed = Store::open(&folder, another(&fixture).await).await.unwrap();
    let out = Box::new(Memory::default());
    let written = write(&mixed, out, Options::default(), unwatched()).await;
    assert!(refusal(written).contains("of another database"));
    let elsewhere = fixture.dir.path().join("elsewhere");
    let beside = Store::beside(&elsewhere, fixture.store.db().clone(), None).await;
    assert!(refusal(beside).contains("of another store"));
    let own = Store::beside(&folder, fixture.store.db().clone(), None).await;
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
    assert_eq!(db.version().await.unwrap(), Some(1));
}

/// Everything below a folder, with its content.
fn all_below(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name();
    let entries = entries.into_iter().map(|entry| entry.unwrap().into_path());
    entries
        .map(|path| (path.clone(), std::fs::read(&path).unwrap_or_default()))
        .collect()
}

/// Restoring to `data` is refused, and nothing is there afterwards that was not before.
async fn refused_unchanged(bytes: &[u8], data: &Path, url: &str) -> String {
    let before = all_below(data);
    let incoming = Incoming::open(Box::new(Cursor::new(bytes.to_vec()))).unwrap();
    let target = target(data, url.to_owned());
    let why = refusal(check(&target, &incoming).await);
    assert_eq!(refusal(begin(target, incoming).await), why);
    assert_eq!(all_below(data), before, "{why}");
    why
}

#[tokio::test]
async fn a_refused_restore_changes_nothing() {
    let (bytes, _) = backup(&filled().await.store).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("cairn.db");
    let url = Db::sqlite_url(&file).unwrap();

    // Of an older Cairn, and in use: it is not brought up to date.
    let text = "INSERT INTO users (id, name, display_name, admin, disabled, uid_slot, created_ms) \
         VALUES ('01a22775-796d-7000-bd93-d24c92078064', 'ada', '', 1, 0, 7, 1)";
    migrated(&url, 9, text.to_owned()).await;
    let why = refused_unchanged(&bytes, place.path(), &url).await;
    assert!(why.contains("the database is not empty"), "{why}");
    let look = Db::look(&url, System::shared()).await.unwrap().unwrap();
    assert_eq!(look.version().await.unwrap(), Some(9));
    look.close().await;

    // Somebody else's.
    std::fs::remove_file(&file).unwrap();
    let text = "CREATE TABLE \"other's\" (x)";
    statement(&format!("{url}?mode=rwc"), text.to_owned()).await;
    let why = refused_unchanged(&bytes, place.path(), &url).await;
    assert!(why.contains("other's"), "{why}");
    std::fs::remove_file(&file).unwrap();

    // On PostgreSQL where a server is named.
    let used = filled().await;
    let before = records(&used.store).await;
    let why = refused_unchanged(&bytes, place.path(), used.url()).await;
    assert!(why.contains("the database is not empty"), "{why}");
    assert_eq!(records(&used.store).await, before);

    // A store that is in use beside a database that is not there.
    let objects = place.path().join("store/objects/ab");
    std::fs::create_dir_all(&objects).unwrap();
    std::fs::write(objects.join("cd"), "x").unwrap();
    let why = refused_unchanged(&bytes, place.path(), &url).await;
    assert!(why.contains("the store in"), "{why}");
}

//! What the database has and what a backup takes of it.

use std::collections::BTreeSet;

use super::*;
use crate::backup::archive::Writer;
use crate::backup::tables::{KEPT, LEFT_OUT, OWN};
use crate::db::{Record, Row, all, newest_version};
use crate::users;

#[tokio::test]
async fn every_table_is_in_a_backup_or_said_not_to_be() {
    let fixture = Fixture::new().await;
    let tables = fixture.store.db().tables().await.unwrap();
    let kept = KEPT.iter().map(|kept| kept.name);
    let named: Vec<&str> = kept.chain(LEFT_OUT.iter().map(|(name, _)| *name)).collect();
    let once: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(once.len(), named.len(), "a table is in both lists");
    let there: BTreeSet<&str> = tables.iter().map(String::as_str).collect();
    assert_eq!(
        there, once,
        "say in backup/tables.rs whether a new table is in a backup, or why not"
    );
}

/// A column that refers to a table.
struct Reference {
    from: String,
    column: String,
    to: String,
}

impl Record for Reference {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            from: row.text("child")?,
            column: row.text("col")?,
            to: row.text("parent")?,
        })
    }
}

#[tokio::test]
async fn what_is_referred_to_comes_first() {
    let fixture = Fixture::sqlite().await;
    let text = "SELECT m.name AS child, f.\"from\" AS col, f.\"table\" AS parent \
         FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'";
    let found: Vec<Reference> = all(fixture.store.db(), sql(text)).await.unwrap();
    assert!(found.len() > 20);
    let place = |table: &str| KEPT.iter().position(|kept| kept.name == table);
    for Reference { from, column, to } in found {
        let Some(at) = place(&from) else { continue };
        if from == to {
            assert!(
                OWN.contains(&(from.as_str(), column.as_str())),
                "{from}.{column}"
            );
            continue;
        }
        let first = place(&to);
        assert!(
            first.is_some_and(|first| first < at),
            "{from}.{column} refers to {to}, which must come before it"
        );
    }
}

#[tokio::test]
async fn a_new_database_has_rows_in_no_table_that_is_not_known_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = Db::sqlite_url(&folder.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, System::shared()).await.unwrap();
    let state = crate::backup::load::state(&db, "x").await.unwrap();
    assert_eq!(state, crate::backup::load::State::Empty);
}

#[tokio::test]
async fn a_backup_of_older_tables_is_brought_up_to_date() {
    for version in OLDEST_SCHEMA..=newest_version() {
        let bytes = of_version(version).await;
        let place = tempfile::tempdir().unwrap();
        let (_, store) = restore_into(bytes, place.path()).await.unwrap();
        let version_now = store.db().version().await.unwrap();
        assert_eq!(version_now, Some(newest_version()));
        let ada = users::by_name(store.db(), "ada").await.unwrap().unwrap();
        let slot = users::uid_slot(store.db(), ada.id).await.unwrap();
        assert_eq!(slot, Some(7), "of version {version}");
    }
}

#[tokio::test]
async fn tables_from_before_there_were_backups_are_refused() {
    let incoming = Incoming::open(Box::new(Cursor::new(of_version(OLDEST_SCHEMA - 1).await)));
    assert!(refusal(incoming).contains("from before there were backups"));
}

/// A backup of tables as they were, with one person.
async fn of_version(version: i64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let url = Db::sqlite_url(&folder.path().join("old.db")).unwrap();
    let db = Db::open_at(&url, System::shared(), version).await.unwrap();
    let text = "INSERT INTO users (id, name, display_name, admin, disabled, uid_slot, created_ms) \
         VALUES ('01a22775-796d-7000-bd93-d24c92078064', 'ada', '', 1, 0, 7, 1)";
    let work = |mut tx: Tx| async move { execute(&mut tx, sql(text)).await };
    db.write(work).await.unwrap();
    let mut files = Vec::new();
    for name in ["counters", "users"] {
        let mut lines = String::new();
        let each = &mut |row| {
            lines += &serde_json::Value::Object(row).to_string();
            lines.push('\n');
            Ok(())
        };
        let mut snapshot = db.snapshot().await.unwrap();
        snapshot.rows(name, "", each).await.unwrap();
        files.push((name, lines));
    }
    let table = |(name, lines): &(&str, String)| Table {
        name: (*name).to_owned(),
        rows: lines.lines().count() as u64,
    };
    let header = Header {
        format: FORMAT,
        cairn: "0.0.1".to_owned(),
        schema: version,
        created_ms: 1,
        machine_id: None,
        tables: files.iter().map(table).collect(),
    };
    let memory = Memory::default();
    let mut out = Writer::new(Box::new(memory.clone()), false, 1).unwrap();
    out.small(HEADER, &json(&header).unwrap()).unwrap();
    for (name, lines) in &files {
        let name = format!("{ROWS}{name}{ROWS_END}");
        out.small(&name, lines.as_bytes()).unwrap();
    }
    out.small(LOST, b"").unwrap();
    let totals = |digest| Totals {
        manifests: 0,
        objects: 0,
        bytes: 0,
        lost: 0,
        digest,
    };
    out.finish(totals).unwrap();
    memory.bytes()
}

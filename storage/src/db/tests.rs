//! The database itself, on every kind that can be reached.

use super::*;

fn sendable<T: Send>(work: T) -> T {
    work
}

#[tokio::test]
async fn write_can_be_spawned_and_borrow() {
    let folder = tempfile::tempdir().unwrap();
    let url = Db::sqlite_url(&folder.path().join("cairn.db")).unwrap();
    let db = Db::open(&url, crate::clock::System::shared())
        .await
        .unwrap();
    let name = String::from("borrowed");
    let (db, name) = (&db, &name);
    let done = sendable(db.write(|mut tx| async move {
        let seen: i64 = required(&mut tx, sql("SELECT value FROM counters")).await?;
        execute(
            &mut tx,
            sql("UPDATE counters SET value = $1").bind(seen + 1),
        )
        .await?;
        helper(&mut tx).await?;
        Ok(name.len())
    }))
    .await;
    assert_eq!(done.unwrap(), 8);
}

async fn helper(tx: &mut Tx) -> Result<i64> {
    let _: i64 = required(&mut *tx, sql("SELECT value FROM counters")).await?;
    required(tx, sql("SELECT value FROM counters")).await
}

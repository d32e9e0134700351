//! The audit record: who did what to what. Lines are added, never changed.

use serde::Serialize;
use serde_json::Value;

use crate::db::{Db, Record, Row, Tx, all, execute, sql};
use crate::error::Result;
use crate::ids::{AuditId, UserId};
use crate::list::{List, Page};

/// A line of the audit record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When, in milliseconds UTC.
    pub created_ms: i64,
    /// Who; none for the service itself and for people who are not signed in.
    pub user_id: Option<UserId>,
    /// Their name.
    pub user: Option<String>,
    /// What they did: the name of the operation.
    pub action: String,
    /// What to.
    pub subject: String,
    /// What else is worth knowing; never a secret.
    pub detail: Value,
}

impl Record for Entry {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            created_ms: row.int("created_ms")?,
            user_id: row.maybe_parsed("user_id")?,
            user: row.maybe_text("user_name")?,
            action: row.text("action")?,
            subject: row.text("subject")?,
            detail: row.json("detail")?,
        })
    }
}

/// Adds a line, which is kept if and only if the rest of the transaction is.
pub async fn record(
    tx: &mut Tx,
    user_id: Option<UserId>,
    action: &str,
    subject: &str,
    detail: &Value,
) -> Result<()> {
    let id = AuditId::new(tx.clock());
    let text = "INSERT INTO audit (id, created_ms, user_id, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sql(text)
        .bind(id)
        .bind(tx.now_ms())
        .bind(user_id)
        .bind(action)
        .bind(subject)
        .bind(detail.to_string());
    execute(tx, query).await?;
    Ok(())
}

/// The lines, newest first.
pub async fn list(db: &Db, page: &Page) -> Result<List<Entry>> {
    let text = "SELECT a.*, u.name AS user_name FROM audit a LEFT JOIN users u ON u.id = a.user_id \
         WHERE ($1 IS NULL OR a.id < $1) ORDER BY a.id DESC LIMIT $2";
    let items = all(
        db,
        sql(text).bind(page.after::<AuditId>()?).bind(page.fetch()),
    )
    .await?;
    Ok(List::cut(items, page, |entry: &Entry| entry.id))
}

//! Workspace sessions: browsers let in to the origin of one workspace. Each dies with the session or token it came from.

use serde::Serialize;

use crate::db::{Db, Record, Row, Tx, execute, optional, sql};
use crate::error::{Error, Result};
use crate::ids::{UserId, WorkspaceId, WorkspaceSessionId};
use crate::links::Parent;
use crate::secret::{Secret, hash};

/// A workspace session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkspaceSession {
    /// Its id.
    pub id: WorkspaceSessionId,
    /// What it came from.
    pub parent: Parent,
    /// Who is let in.
    pub user_id: UserId,
    /// Where to.
    pub workspace_id: WorkspaceId,
    /// When it began, in milliseconds UTC.
    pub created_ms: i64,
    /// When it ends by itself.
    pub expires_ms: i64,
}

impl Record for WorkspaceSession {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            parent: Parent::read(row)?
                .ok_or_else(|| Error::fault("a workspace session came from nowhere"))?,
            user_id: row.parsed("user_id")?,
            workspace_id: row.parsed("workspace_id")?,
            created_ms: row.int("created_ms")?,
            expires_ms: row.int("expires_ms")?,
        })
    }
}

/// Begins a workspace session that lasts `ttl_ms`; the secret is for the cookie.
///
/// # Errors
/// `NotFound` for an unknown parent, user or workspace.
pub async fn create(
    tx: &mut Tx,
    parent: Parent,
    user_id: UserId,
    workspace_id: WorkspaceId,
    ttl_ms: i64,
) -> Result<(WorkspaceSession, Secret)> {
    let (id, secret, now_ms) = (
        WorkspaceSessionId::new(tx.clock()),
        Secret::mint(),
        tx.now_ms(),
    );
    let expires_ms = now_ms.saturating_add(ttl_ms);
    let (session_id, token_id) = parent.columns();
    let text = "INSERT INTO workspace_sessions (id, token_hash, session_id, token_id, user_id, workspace_id, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let query = sql(text)
        .bind(id)
        .bind(secret.hash())
        .bind(session_id)
        .bind(token_id)
        .bind(user_id);
    execute(tx, query.bind(workspace_id).bind(now_ms).bind(expires_ms)).await?;
    Ok((
        WorkspaceSession {
            id,
            parent,
            user_id,
            workspace_id,
            created_ms: now_ms,
            expires_ms,
        },
        secret,
    ))
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT ws.* FROM workspace_sessions ws JOIN users u ON u.id = ws.user_id AND u.disabled = 0 \
             LEFT JOIN sessions s ON s.id = ws.session_id LEFT JOIN tokens t ON t.id = ws.token_id \
             WHERE ws.expires_ms > $1 AND (s.expires_ms > $1 \
             OR (t.id IS NOT NULL AND t.revoked_ms IS NULL AND (t.expires_ms IS NULL OR t.expires_ms > $1))) AND ",
            $rest
        )
    };
}

/// The workspace session that a cookie of this workspace's origin stands for; `None` where it or what it came from ended, or the user is
/// disabled.
pub async fn authenticate(
    db: &Db,
    workspace_id: WorkspaceId,
    secret: &str,
) -> Result<Option<WorkspaceSession>> {
    let query = sql(select!("ws.workspace_id = $2 AND ws.token_hash = $3"));
    optional(
        db,
        query
            .bind(db.now_ms())
            .bind(workspace_id)
            .bind(hash(secret)),
    )
    .await
}

/// The workspace session with this id while it works: for looking again while a tunnel is open.
pub async fn get(db: &Db, id: WorkspaceSessionId) -> Result<Option<WorkspaceSession>> {
    optional(db, sql(select!("ws.id = $2")).bind(db.now_ms()).bind(id)).await
}

/// Ends a workspace session. Returns whether there was one.
pub async fn revoke(tx: &mut Tx, id: WorkspaceSessionId) -> Result<bool> {
    Ok(execute(
        tx,
        sql("DELETE FROM workspace_sessions WHERE id = $1").bind(id),
    )
    .await?
        > 0)
}

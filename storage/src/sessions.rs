//! Sessions: browsers that are signed in. Only the hash of what the browser holds is stored.

use serde::Serialize;

use crate::db::{Db, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{SessionId, UserId};
use crate::secret::{Secret, hash};
use crate::users::{self, User};

const USER_AGENT_BYTES: usize = 300;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Who is signed in.
    pub user_id: UserId,
    /// What the browser called itself.
    pub user_agent: String,
    /// When it began, in milliseconds UTC.
    pub created_ms: i64,
    /// When it ends by itself.
    pub expires_ms: i64,
    /// When it was last used.
    pub last_seen_ms: i64,
}

impl Record for Session {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            user_id: row.parsed("user_id")?,
            user_agent: row.text("user_agent")?,
            created_ms: row.int("created_ms")?,
            expires_ms: row.int("expires_ms")?,
            last_seen_ms: row.int("last_seen_ms")?,
        })
    }
}

/// Begins a session that lasts `ttl_ms`; the secret is for the cookie.
///
/// # Errors
/// `NotFound` for an unknown user, `Conflict` for a disabled one.
pub async fn create(
    tx: &mut Tx,
    user_id: UserId,
    user_agent: &str,
    ttl_ms: i64,
) -> Result<(Session, Secret)> {
    let user = users::get(&mut *tx, user_id)
        .await?
        .ok_or_else(|| Error::not_found("there is no such user"))?;
    if user.disabled {
        return Err(Error::conflict("the user is disabled"));
    }
    let (id, secret, now_ms) = (SessionId::new(tx.clock()), Secret::mint(), tx.now_ms());
    let end = user_agent.floor_char_boundary(USER_AGENT_BYTES);
    let user_agent: String = user_agent[..end]
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let session = Session {
        id,
        user_id,
        user_agent,
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(ttl_ms),
        last_seen_ms: now_ms,
    };
    let text = "INSERT INTO sessions (id, user_id, token_hash, user_agent, created_ms, expires_ms, last_seen_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $5)";
    let query = sql(text)
        .bind(id)
        .bind(user_id)
        .bind(secret.hash())
        .bind(session.user_agent.clone());
    execute(tx, query.bind(now_ms).bind(session.expires_ms)).await?;
    Ok((session, secret))
}

/// The session that a cookie stands for, and its user; `None` where it ended or the user is disabled.
pub async fn authenticate(db: &Db, secret: &str) -> Result<Option<(Session, User)>> {
    let query = sql("SELECT * FROM sessions WHERE token_hash = $1 AND expires_ms > $2")
        .bind(hash(secret))
        .bind(db.now_ms());
    let Some(session) = optional::<Session>(db, query).await? else {
        return Ok(None);
    };
    let user = users::get(db, session.user_id)
        .await?
        .filter(|user| !user.disabled);
    Ok(user.map(|user| (session, user)))
}

/// The session with this id, unless it ended or its user is disabled: for looking again while a tunnel is open.
pub async fn get(db: &Db, id: SessionId) -> Result<Option<Session>> {
    let text = "SELECT s.* FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND s.expires_ms > $2 AND u.disabled = 0";
    optional(db, sql(text).bind(id).bind(db.now_ms())).await
}

/// The sessions of a user that have not ended, newest first.
pub async fn list(db: &Db, user_id: UserId) -> Result<Vec<Session>> {
    let text =
        "SELECT * FROM sessions WHERE user_id = $1 AND expires_ms > $2 ORDER BY id DESC LIMIT 1000";
    all(db, sql(text).bind(user_id).bind(db.now_ms())).await
}

/// Records use and puts off the end to `ttl_ms` from now. Callers do so now and then, not for every request.
pub async fn touch(tx: &mut Tx, id: SessionId, ttl_ms: i64) -> Result<()> {
    let text =
        "UPDATE sessions SET last_seen_ms = $2, expires_ms = $3 WHERE id = $1 AND expires_ms > $2";
    let now_ms = tx.now_ms();
    execute(
        tx,
        sql(text)
            .bind(id)
            .bind(now_ms)
            .bind(now_ms.saturating_add(ttl_ms)),
    )
    .await?;
    Ok(())
}

/// Ends a session, and every workspace session that came of it. Returns whether there was one.
pub async fn revoke(tx: &mut Tx, id: SessionId) -> Result<bool> {
    let query = sql("DELETE FROM sessions WHERE id = $1 RETURNING user_id").bind(id);
    let Some(user_id) = optional::<String>(&mut *tx, query).await? else {
        return Ok(false);
    };
    revoked(tx, user_id.parse()?, &id.to_string());
    Ok(true)
}

/// Ends every session of a user. Returns how many there were.
pub async fn revoke_all(tx: &mut Tx, user_id: UserId) -> Result<usize> {
    let ended: Vec<String> = all(
        &mut *tx,
        sql("DELETE FROM sessions WHERE user_id = $1 RETURNING id").bind(user_id),
    )
    .await?;
    for id in &ended {
        revoked(tx, user_id, id);
    }
    Ok(ended.len())
}

/// Ends every session of a user but `kept`, as a change of password does. Returns how many there were.
pub async fn revoke_others(tx: &mut Tx, user_id: UserId, kept: Option<SessionId>) -> Result<usize> {
    let text = "DELETE FROM sessions WHERE user_id = $1 AND ($2 IS NULL OR id <> $2) RETURNING id";
    let ended: Vec<String> = all(&mut *tx, sql(text).bind(user_id).bind(kept)).await?;
    for id in &ended {
        revoked(tx, user_id, id);
    }
    Ok(ended.len())
}

fn revoked(tx: &mut Tx, user_id: UserId, id: &str) {
    tx.notice(Notice {
        kind: Kind::SessionRevoked,
        project_id: None,
        user_id: Some(user_id),
        subject: id.to_owned(),
    });
}

//! One-use links: signing in, and entering the origin of a workspace. Only the hash of their code is stored.

use serde::Serialize;

use crate::db::{Record, Row, Tx, execute, optional, sql};
use crate::error::Result;
use crate::ids::{LinkId, SessionId, TokenId, UserId, WorkspaceId};
use crate::names::named;
use crate::secret::{Secret, hash};

named! {
    /// What a link is for.
    Kind {
        /// Signing in to the app.
        SignIn = "sign_in",
        /// Entering the origin of a workspace.
        Workspace = "workspace",
    }
}

/// The sign-in that a workspace session comes from, and dies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// A browser's session.
    Session(SessionId),
    /// A token.
    Token(TokenId),
}

impl Parent {
    pub(crate) fn columns(self) -> (Option<SessionId>, Option<TokenId>) {
        match self {
            Self::Session(id) => (Some(id), None),
            Self::Token(id) => (None, Some(id)),
        }
    }

    pub(crate) fn read(row: &Row) -> Result<Option<Self>> {
        if let Some(id) = row.maybe_parsed("session_id")? {
            return Ok(Some(Self::Session(id)));
        }
        Ok(row.maybe_parsed("token_id")?.map(Self::Token))
    }
}

/// A link that was redeemed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// Whom it lets in.
    pub user_id: UserId,
    /// The workspace it leads to, for [`Kind::Workspace`].
    pub workspace_id: Option<WorkspaceId>,
    /// The sign-in it was made by, for [`Kind::Workspace`].
    pub parent: Option<Parent>,
}

impl Record for Link {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.parsed("id")?,
            user_id: row.parsed("user_id")?,
            workspace_id: row.maybe_parsed("workspace_id")?,
            parent: Parent::read(row)?,
        })
    }
}

/// Makes a link that signs a user in, once, within `ttl_ms`.
///
/// # Errors
/// `NotFound` for an unknown user.
pub async fn create_sign_in(tx: &mut Tx, user_id: UserId, ttl_ms: i64) -> Result<Secret> {
    insert(tx, (Kind::SignIn, user_id), None, ttl_ms).await
}

/// Makes a link that lets the owner of `parent` into a workspace, once, within `ttl_ms`. It dies with `parent`.
///
/// # Errors
/// `NotFound` for an unknown user, workspace or parent.
pub async fn create_workspace(
    tx: &mut Tx,
    user_id: UserId,
    workspace_id: WorkspaceId,
    parent: Parent,
    ttl_ms: i64,
) -> Result<Secret> {
    insert(
        tx,
        (Kind::Workspace, user_id),
        Some((workspace_id, parent)),
        ttl_ms,
    )
    .await
}

async fn insert(
    tx: &mut Tx,
    (kind, user_id): (Kind, UserId),
    target: Option<(WorkspaceId, Parent)>,
    ttl_ms: i64,
) -> Result<Secret> {
    let (id, secret, now_ms) = (LinkId::new(tx.clock()), Secret::mint(), tx.now_ms());
    let (session_id, token_id) = target.map_or((None, None), |(_, parent)| parent.columns());
    let text = "INSERT INTO links (id, code_hash, kind, user_id, session_id, token_id, workspace_id, created_ms, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let query = sql(text)
        .bind(id)
        .bind(secret.hash())
        .bind(kind.as_str())
        .bind(user_id)
        .bind(session_id)
        .bind(token_id);
    execute(
        tx,
        query
            .bind(target.map(|(workspace, _)| workspace))
            .bind(now_ms)
            .bind(now_ms.saturating_add(ttl_ms)),
    )
    .await?;
    Ok(secret)
}

/// Uses a link up. `None` for a code that is unknown, of another kind, used, too old, or of a disabled user.
pub async fn redeem(tx: &mut Tx, kind: Kind, code: &str) -> Result<Option<Link>> {
    let text = "UPDATE links SET used_ms = $3 WHERE code_hash = $1 AND kind = $2 AND used_ms IS NULL AND expires_ms > $3 \
         AND EXISTS (SELECT 1 FROM users u WHERE u.id = links.user_id AND u.disabled = 0) RETURNING *";
    let now_ms = tx.now_ms();
    optional(
        tx,
        sql(text).bind(hash(code)).bind(kind.as_str()).bind(now_ms),
    )
    .await
}

/// Ends every sign-in link of a user that is not used, as one does before making the next. Returns how many.
pub async fn revoke_sign_in(tx: &mut Tx, user_id: UserId) -> Result<u64> {
    execute(
        tx,
        sql("DELETE FROM links WHERE user_id = $1 AND kind = 'sign_in' AND used_ms IS NULL")
            .bind(user_id),
    )
    .await
}

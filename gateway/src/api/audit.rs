//! The audit record, for administrators: who signed in and out, and who changed what about people, tokens and others' workspaces.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use storage::{
    audit as records,
    ids::{AuditId, UserId},
};
use utoipa::ToSchema;

use super::types::{Listing, PageQuery};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Query},
};

/// A line of the audit record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Never changes.
    #[schema(value_type = String)]
    id: AuditId,
    /// Milliseconds since 1970, UTC.
    created_ms: i64,
    /// Who; null for the server itself and for those who work on its machine.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// Their name.
    user: Option<String>,
    /// What they did: the name of an operation of this API, or of a command on the server's machine (`host_…`).
    action: String,
    /// What to: a name, or an id where there is no name.
    subject: String,
    /// What else is worth knowing.
    #[schema(value_type = Object)]
    detail: Value,
}

impl From<records::Entry> for AuditEntry {
    fn from(entry: records::Entry) -> Self {
        Self {
            id: entry.id,
            created_ms: entry.created_ms,
            user_id: entry.user_id,
            user: entry.user,
            action: entry.action,
            subject: entry.subject,
            detail: entry.detail,
        }
    }
}

/// Lists who did what, newest first.
#[utoipa::path(get, path = "/audit", operation_id = "list_audit", tag = "users", params(PageQuery),
    responses((status = 200, body = Listing<AuditEntry>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_audit(
    State(app): State<App>,
    principal: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Listing<AuditEntry>>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    Ok(Json(records::list(app.db(), &page.page()?).await?.into()))
}

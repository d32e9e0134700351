//! What anybody may know about this server.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{auth::MaybePrincipal, extract::Json};

/// The server, before sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ServerInfo {
    /// Its version.
    version: &'static str,
    /// The ways to sign in: `link`, `password`.
    sign_in: Vec<&'static str>,
    /// Whether this request carried credentials that hold.
    signed_in: bool,
}

/// Says what this server is and how to sign in.
#[utoipa::path(get, path = "/info", operation_id = "get_info", tag = "server",
    responses((status = 200, body = ServerInfo)), security(()))]
pub(crate) async fn get_info(MaybePrincipal(principal): MaybePrincipal) -> Json<ServerInfo> {
    Json(ServerInfo {
        version: env!("CARGO_PKG_VERSION"),
        sign_in: vec!["link", "password"],
        signed_in: principal.is_some(),
    })
}

//! Who belongs to a project.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::{audit, ids::UserId, members as records};
use utoipa::ToSchema;

use super::types::{Listing, Role};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path},
};

/// A member of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// Who.
    #[schema(value_type = String)]
    user_id: UserId,
    /// Their name in paths and commands.
    name: String,
    /// Their name for people.
    display_name: String,
    /// What they may do.
    role: Role,
}

impl From<records::Member> for Member {
    fn from(member: records::Member) -> Self {
        Self {
            user_id: member.user_id,
            name: member.name,
            display_name: member.display_name,
            role: member.role.into(),
        }
    }
}

/// What a member is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMember {
    /// What they may do.
    role: Role,
}

/// Lists the members of a project by name.
#[utoipa::path(get, path = "/projects/{project}/members", operation_id = "list_members", tag = "projects",
    params(("project" = String, Path, description = "Id or name")),
    responses((status = 200, body = Listing<Member>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_members(
    State(app): State<App>,
    principal: Principal,
    Path(project): Path<String>,
) -> Result<Json<Listing<Member>>, ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::ReadProject, &project).await?;
    let members = records::list(app.db(), project.id).await?;
    Ok(Json(Listing::whole(members)))
}

/// Makes a person a member, or gives a member another role.
#[utoipa::path(put, path = "/projects/{project}/members/{user}", operation_id = "put_member", tag = "projects",
    request_body = UpdateMember,
    params(("project" = String, Path, description = "Id or name"), ("user" = String, Path, description = "Id or name")),
    responses((status = 200, body = Member), (status = "4XX", body = Envelope)))]
pub(crate) async fn put_member(
    State(app): State<App>,
    principal: Principal,
    Path((project, user)): Path<(String, String)>,
    Json(update): Json<UpdateMember>,
) -> Result<Json<Member>, ApiError> {
    let (project, _) = authz::project(&app, &principal, Action::ManageMembers, &project).await?;
    let user = super::users::find(&app, &user).await?;
    let by = Some(principal.user.id);
    let subject = format!("{}/{}", project.name, user.name);
    let (subject, detail) = (subject.as_str(), &json!({"role": update.role}));
    let (project, member, role) = (project.id, user.id, update.role.into());
    app.db()
        .write(move |mut tx| async move {
            records::put(&mut tx, project, member, role).await?;
            audit::record(&mut tx, by, "put_member", subject, detail).await
        })
        .await?;
    Ok(Json(Member {
        user_id: user.id,
        name: user.name,
        display_name: user.display_name,
        role: update.role,
    }))
}

/// Takes a person out of a project. Anybody may leave.
#[utoipa::path(delete, path = "/projects/{project}/members/{user}", operation_id = "delete_member", tag = "projects",
    params(("project" = String, Path, description = "Id or name"), ("user" = String, Path, description = "Id or name")),
    responses((status = 204), (status = "4XX", body = Envelope)))]
pub(crate) async fn delete_member(
    State(app): State<App>,
    principal: Principal,
    Path((project, user)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let is_self = user == principal.user.name || user == principal.user.id.to_string();
    let action = if is_self {
        Action::LeaveProject
    } else {
        Action::ManageMembers
    };
    let (project, _) = authz::project(&app, &principal, action, &project).await?;
    let user = super::users::find(&app, &user).await?;
    let by = Some(principal.user.id);
    let subject = format!("{}/{}", project.name, user.name);
    let (project, member, subject) = (project.id, user.id, subject.as_str());
    let was_member = app
        .db()
        .write(move |mut tx| async move {
            let was_member = records::remove(&mut tx, project, member).await?;
            if was_member {
                audit::record(&mut tx, by, "delete_member", subject, &json!({})).await?;
            }
            Ok(was_member)
        })
        .await?;
    if was_member {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("member"))
    }
}

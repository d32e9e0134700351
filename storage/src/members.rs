//! Who belongs to a project, and with which role.

use serde::Serialize;

use crate::db::{Db, Read, Record, Row, Tx, all, execute, optional, sql};
use crate::error::{Error, Result};
use crate::events::{Kind, Notice};
use crate::ids::{ProjectId, UserId};
use crate::names::named;
use crate::projects;

named! {
    /// What a member may do.
    Role {
        /// Everything, with the project and its members.
        Owner = "owner",
        /// Make and run.
        Editor = "editor",
        /// Look.
        Viewer = "viewer",
    }
}

/// A member of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// Their name.
    pub name: String,
    /// Their name for people.
    pub display_name: String,
    /// What they may do.
    pub role: Role,
}

impl Record for Member {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            user_id: row.parsed("user_id")?,
            name: row.text("name")?,
            display_name: row.text("display_name")?,
            role: row.parsed("role")?,
        })
    }
}

/// The members of a project, by name.
pub async fn list(db: &Db, project_id: ProjectId) -> Result<Vec<Member>> {
    let text = "SELECT m.user_id, u.name, u.display_name, m.role FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.project_id = $1 ORDER BY u.name";
    all(db, sql(text).bind(project_id)).await
}

/// The role of a user in a project that is not deleted.
pub async fn role<'c>(
    from: impl Read<'c>,
    project_id: ProjectId,
    user_id: UserId,
) -> Result<Option<Role>> {
    let text = "SELECT m.role FROM members m JOIN projects p ON p.id = m.project_id \
         WHERE m.project_id = $1 AND m.user_id = $2 AND p.deleted_ms IS NULL";
    optional::<String>(from, sql(text).bind(project_id).bind(user_id))
        .await?
        .map(|role| role.parse())
        .transpose()
}

/// Makes a user a member, or gives a member another role.
///
/// # Errors
/// `NotFound` for an unknown project or user; `Conflict` where no owner would be left.
pub async fn put(tx: &mut Tx, project_id: ProjectId, user_id: UserId, role: Role) -> Result<()> {
    projects::lock(tx, project_id).await?;
    if role != Role::Owner {
        keep_another_owner(tx, project_id, user_id).await?;
    }
    let text = "INSERT INTO members (project_id, user_id, role) VALUES ($1, $2, $3) \
         ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role";
    execute(
        tx,
        sql(text).bind(project_id).bind(user_id).bind(role.as_str()),
    )
    .await?;
    changed(tx, project_id, user_id);
    Ok(())
}

/// Takes a user out of a project. Returns whether they were a member.
///
/// # Errors
/// `NotFound` for an unknown project; `Conflict` where no owner would be left.
pub async fn remove(tx: &mut Tx, project_id: ProjectId, user_id: UserId) -> Result<bool> {
    projects::lock(tx, project_id).await?;
    keep_another_owner(tx, project_id, user_id).await?;
    let query = sql("DELETE FROM members WHERE project_id = $1 AND user_id = $2")
        .bind(project_id)
        .bind(user_id);
    let was = execute(tx, query).await? > 0;
    if was {
        changed(tx, project_id, user_id);
    }
    Ok(was)
}

/// Refuses to go on if `user_id` is the only owner. The project must be locked.
async fn keep_another_owner(tx: &mut Tx, project_id: ProjectId, user_id: UserId) -> Result<()> {
    let text = "SELECT COUNT(*) FROM members WHERE project_id = $1 AND user_id = $2 AND role = 'owner' AND NOT EXISTS \
         (SELECT 1 FROM members WHERE project_id = $1 AND user_id <> $2 AND role = 'owner')";
    let only: Option<i64> = optional(tx, sql(text).bind(project_id).bind(user_id)).await?;
    if only.unwrap_or_default() > 0 {
        return Err(Error::conflict("a project keeps at least one owner"));
    }
    Ok(())
}

fn changed(tx: &mut Tx, project_id: ProjectId, user_id: UserId) {
    let subject = user_id.to_string();
    tx.notice(Notice {
        kind: Kind::MemberChanged,
        project_id: Some(project_id),
        user_id: Some(user_id),
        subject,
    });
}

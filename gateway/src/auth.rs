//! Who is asking: turns cookies and `Authorization` headers into a [`Principal`], or into 401.
//! What a principal may do is `authz`'s matter.

pub(crate) mod changes;
pub mod cookies;
pub mod csrf;
mod identify;
pub mod next;
pub(crate) mod passwords;
pub(crate) mod rate;
mod scopes;

use std::time::Duration;

use storage::{
    ids::{JobId, ProjectId, SessionId, TokenId, WorkspaceId},
    links::Parent,
    users::User,
};

pub(crate) use identify::{MaybePrincipal, of_token};
pub use identify::{bearer, identify};
pub use scopes::{Scope, Scopes};

/// Somebody whose credentials hold.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The person, as they are now.
    pub user: User,
    /// What they showed.
    pub credential: Credential,
}

/// What was shown.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A browser's session.
    Session {
        /// Its id.
        id: SessionId,
    },
    /// A token, in the `Authorization` header.
    Token {
        /// Its id.
        id: TokenId,
        /// What it may do at most.
        scopes: Scopes,
        /// What it is confined to.
        bound: Bound,
        /// When it ends.
        expires_ms: Option<i64>,
    },
    /// A page of a workspace that somebody has opened: it may what the workspace's own token may.
    Page {
        /// The sign-in with which it was opened.
        parent: Parent,
        /// The workspace.
        workspace: WorkspaceId,
        /// Its project.
        project: ProjectId,
    },
}

/// What a token is confined to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing: a personal token.
    None,
    /// One workspace, and what it needs of its project.
    Workspace {
        /// The workspace.
        workspace: WorkspaceId,
        /// Its project.
        project: ProjectId,
    },
    /// One job.
    Job {
        /// The job.
        job: JobId,
        /// Its project.
        project: ProjectId,
    },
}

impl Principal {
    /// What the credential is confined to.
    pub fn bound(&self) -> Bound {
        match &self.credential {
            Credential::Session { .. } => Bound::None,
            Credential::Token { bound, .. } => *bound,
            Credential::Page {
                workspace, project, ..
            } => Bound::Workspace {
                workspace: *workspace,
                project: *project,
            },
        }
    }

    /// The credential's own scopes, whatever the person may do.
    pub fn scopes(&self) -> Scopes {
        match &self.credential {
            Credential::Session { .. } => Scopes::all(),
            Credential::Token { scopes, .. } => *scopes,
            Credential::Page { .. } => identify::within_workspace(),
        }
    }

    /// Whether the credential is good for `scope`.
    pub fn has_scope(&self, scope: Scope) -> bool {
        self.scopes().contains(scope)
    }

    /// Whether they act as an administrator: the person is one now, and the credential is good for it.
    pub fn is_admin(&self) -> bool {
        self.user.admin && self.bound() == Bound::None && self.has_scope(Scope::Admin)
    }

    /// The session, where it is one.
    pub fn session(&self) -> Option<SessionId> {
        match &self.credential {
            Credential::Session { id } => Some(*id),
            Credential::Token { .. } | Credential::Page { .. } => None,
        }
    }

    /// The sign-in that all of this comes from; what is made of it ends with it.
    pub(crate) fn parent(&self) -> Parent {
        match &self.credential {
            Credential::Session { id } => Parent::Session(*id),
            Credential::Token { id, .. } => Parent::Token(*id),
            Credential::Page { parent, .. } => *parent,
        }
    }
}

/// A duration in the unit of the records.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

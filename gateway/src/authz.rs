//! Who may do what: `Principal` × `Action` × `Resource` → allow, not found or forbidden. The only place that decides it.
//! It decides from what it is given; `authz::load` finds the records.

use storage::{
    ids::{JobId, ProjectId, UserId, WorkspaceId},
    members::Role,
};

use crate::{
    auth::{Bound, Principal, Scope},
    error::ApiError,
};

mod load;

pub(crate) use load::{dataset, decide_workspace, job, own_job, project, upload, workspace};

/// Everything that a caller can want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See who one is.
    ReadSelf,
    /// See one's own sessions and tokens.
    ReadAccount,
    /// Change one's own name or password, end sessions, make and revoke tokens, approve devices.
    ChangeAccount,
    /// Manage people, see everything.
    Administer,
    /// See which environments and machine types there are.
    ReadCatalog,
    /// Prepare an environment.
    BuildEnvironment,
    /// Change one's own password.
    ChangePassword,
    /// Let a program sign in as oneself.
    ApproveDevice,
    /// Follow what changes.
    ReadEvents,
    /// List one's projects, or the jobs and workspaces of all of them.
    ListProjects,
    /// Create a project.
    CreateProject,
    /// See a project and its members.
    ReadProject,
    /// Change a project's name and description.
    ChangeProject,
    /// Delete a project.
    DeleteProject,
    /// Add, change and remove members.
    ManageMembers,
    /// Cease to be a member.
    LeaveProject,
    /// Create a workspace of one's own.
    CreateWorkspace,
    /// See a workspace and its server's log.
    ReadWorkspace,
    /// Start a workspace.
    StartWorkspace,
    /// Attach inputs to a workspace, and detach them.
    ChangeInputs,
    /// Reach what runs in a workspace.
    OpenWorkspace,
    /// Stop a workspace.
    StopWorkspace,
    /// Delete a workspace.
    DeleteWorkspace,
    /// List the jobs of a project.
    ListJobs,
    /// Run the code of a workspace.
    RunFromWorkspace,
    /// See a job with its log, series, files and outputs.
    ReadJob,
    /// Submit a job.
    SubmitJob,
    /// Stop a job.
    StopJob,
    /// Say how a job that is held goes on.
    ResumeJob,
    /// Say that the job is held, as its own run does.
    HoldJob,
    /// Send content into a project.
    Upload,
    /// See a dataset with its versions and files.
    ReadDataset,
    /// Make and change datasets, versions and aliases.
    ChangeDatasets,
    /// Delete datasets, and say who else may read them.
    ManageDatasets,
}

/// What the action is done to. Only the parts that apply are set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource {
    /// The project, and the caller's role as a member of it.
    pub project: Option<(ProjectId, Option<Role>)>,
    /// The person that it belongs to, where it is personal.
    pub owner: Option<UserId>,
    /// The workspace.
    pub workspace: Option<WorkspaceId>,
    /// The job.
    pub job: Option<JobId>,
    /// The workspace whose code the job runs.
    pub origin: Option<WorkspaceId>,
    /// Whether everybody who is signed in may see it.
    pub shared: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Allow,
    /// Behave as if it did not exist.
    NotFound,
    /// The caller may know that it exists, but may not do this.
    Forbidden,
}

/// What an action takes.
struct Rule {
    /// The scope that a token needs.
    scope: Scope,
    /// The least role in the project, where the action is done in one.
    least: Option<Role>,
    /// Whether a workspace's own token may do it.
    by_workspace: bool,
    /// Whether a job's own token may do it.
    by_job: bool,
}

impl Action {
    fn rule(self) -> Rule {
        use Action as A;
        let (scope, least) = match self {
            A::ReadAccount | A::ChangeAccount | A::ChangePassword | A::ApproveDevice => {
                (Scope::Account, None)
            }
            A::Administer => (Scope::Admin, None),
            A::ReadSelf | A::ReadCatalog | A::ReadEvents | A::ListProjects => (Scope::Read, None),
            A::CreateProject | A::BuildEnvironment => (Scope::Write, None),
            A::ReadProject
            | A::ListJobs
            | A::ReadJob
            | A::ReadWorkspace
            | A::ReadDataset
            | A::HoldJob => (Scope::Read, Some(Role::Viewer)),
            A::LeaveProject => (Scope::Write, Some(Role::Viewer)),
            A::ChangeProject | A::DeleteProject | A::ManageMembers | A::ManageDatasets => {
                (Scope::Write, Some(Role::Owner))
            }
            A::CreateWorkspace | A::StartWorkspace | A::ChangeInputs | A::OpenWorkspace => {
                (Scope::Workspaces, Some(Role::Editor))
            }
            A::StopWorkspace | A::DeleteWorkspace => (Scope::Workspaces, Some(Role::Viewer)),
            A::SubmitJob
            | A::RunFromWorkspace
            | A::StopJob
            | A::ResumeJob
            | A::Upload
            | A::ChangeDatasets => (Scope::Write, Some(Role::Editor)),
        };
        let by_workspace = matches!(
            self,
            A::ReadSelf
                | A::ReadCatalog
                | A::ReadEvents
                | A::ListProjects
                | A::ReadProject
                | A::ReadWorkspace
                | A::ListJobs
                | A::ReadJob
                | A::ChangeInputs
                | A::RunFromWorkspace
                | A::StopJob
                | A::ResumeJob
                | A::SubmitJob
                | A::Upload
                | A::ReadDataset
                | A::ChangeDatasets
        );
        Rule {
            scope,
            least,
            by_workspace,
            by_job: matches!(
                self,
                A::ReadSelf | A::ReadProject | A::ReadJob | A::ReadDataset | A::HoldJob
            ),
        }
    }

    /// What would give more than a token was given: only a person at a browser may do it.
    fn needs_session(self) -> bool {
        matches!(self, Self::ChangePassword | Self::ApproveDevice)
    }

    /// What a job's own run says of itself, and nobody for it.
    fn is_of_job(self) -> bool {
        matches!(self, Self::HoldJob)
    }

    /// What only the person whose workspace it is may do; owners and administrators may see, stop and delete it.
    fn is_personal(self) -> bool {
        matches!(
            self,
            Self::StartWorkspace
                | Self::ChangeInputs
                | Self::OpenWorkspace
                | Self::RunFromWorkspace
        )
    }
}

/// Whether `principal` may do `action` to `resource`.
pub fn decide(principal: &Principal, action: Action, resource: &Resource) -> Decision {
    let needs = action.rule();
    let role = effective_role(principal, resource);
    if resource.project.is_some() && (role.is_none() || !is_visible(principal, role, resource)) {
        return from_outside(principal, action, resource);
    }
    let is_in_bounds = match principal.bound() {
        Bound::None => !action.is_of_job(),
        Bound::Workspace { .. } => needs.by_workspace,
        Bound::Job { .. } => needs.by_job,
    };
    let is_admin_enough = action != Action::Administer || principal.is_admin();
    let is_role_enough = needs
        .least
        .is_none_or(|least| role.is_some_and(|role| rank(role) >= rank(least)));
    let is_session_enough = !action.needs_session() || principal.session().is_some();
    let is_person_right = !action.is_personal() || resource.owner == Some(principal.user.id);
    // Other jobs of the project a workspace may look at.
    let is_origin_right = match principal.bound() {
        Bound::Workspace { workspace, .. }
            if matches!(action, Action::StopJob | Action::ResumeJob) =>
        {
            resource.origin == Some(workspace)
        }
        _ => true,
    };
    let is_allowed = is_in_bounds
        && is_origin_right
        && principal.has_scope(needs.scope)
        && is_admin_enough
        && is_role_enough
        && is_session_enough
        && is_person_right;
    if is_allowed {
        Decision::Allow
    } else {
        Decision::Forbidden
    }
}

/// Whether `principal` may do `action` to what lies in a project that is none of theirs.
fn from_outside(principal: &Principal, action: Action, resource: &Resource) -> Decision {
    let reads = action == Action::ReadDataset && principal.has_scope(action.rule().scope);
    match (resource.shared, reads) {
        (true, true) => Decision::Allow,
        (true, false) => Decision::Forbidden,
        (false, _) => Decision::NotFound,
    }
}

/// Like [`decide`], as a result that a handler can return.
///
/// # Errors
/// 404 or 403; `what` names the thing in the message.
pub(crate) fn require(
    principal: &Principal,
    action: Action,
    resource: &Resource,
    what: &'static str,
) -> Result<(), ApiError> {
    match decide(principal, action, resource) {
        Decision::Allow => Ok(()),
        Decision::NotFound => Err(ApiError::not_found(what)),
        Decision::Forbidden => Err(ApiError::forbidden("You may not do this.")),
    }
}

/// For actions that are not done to one thing in a project.
///
/// # Errors
/// 403.
pub(crate) fn require_general(principal: &Principal, action: Action) -> Result<(), ApiError> {
    require(principal, action, &Resource::default(), "thing")
}

/// Administrators act as owners of every project.
fn effective_role(principal: &Principal, resource: &Resource) -> Option<Role> {
    if principal.is_admin() {
        return Some(Role::Owner);
    }
    resource.project.and_then(|(_, role)| role)
}

/// Whether the caller, who has `role` in the project, may know of the resource.
fn is_visible(principal: &Principal, role: Option<Role>, resource: &Resource) -> bool {
    let project = resource.project.map(|(project, _)| project);
    let is_in_reach = match principal.bound() {
        Bound::None => true,
        Bound::Workspace {
            workspace,
            project: own,
        } => project == Some(own) && resource.workspace.is_none_or(|id| id == workspace),
        Bound::Job { job, project: own } => {
            project == Some(own)
                && resource.workspace.is_none()
                && resource.job.is_none_or(|id| id == job)
        }
    };
    let is_own = resource
        .owner
        .is_none_or(|owner| owner == principal.user.id);
    is_in_reach && (is_own || role == Some(Role::Owner))
}

/// Higher may do more.
pub(crate) fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 1,
        Role::Editor => 2,
        Role::Owner => 3,
    }
}

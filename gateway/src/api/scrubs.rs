//! What reading the store again found, for administrators.

use axum::extract::State;
use serde::Serialize;
use storage::scrub;
use utoipa::ToSchema;

use super::{
    datasets::{ConcernKind, FaultKind, Integrity},
    types::{Listing, PageQuery},
};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Query},
};

/// How far a pass is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ScrubState {
    /// It goes on.
    Running,
    /// It came to its end.
    Done,
}

/// One pass through everything in the store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scrub {
    /// 1 for the first.
    number: i64,
    /// How far it is.
    state: ScrubState,
    /// How much of it is done, 0 to 100.
    percent: i64,
    /// How many files it has read.
    files: i64,
    /// Their bytes.
    bytes: i64,
    /// How many of them, and of the lists of files, were missing or damaged, known before or not.
    damaged: i64,
    /// How many of them the system could not read, so that nothing is known of them; the log says why.
    unread: i64,
    /// What it found that was not known; at most 100. The audit record has more: of each time at most 100, and how many more.
    found: Vec<Damage>,
    /// Milliseconds since 1970, UTC.
    started_ms: i64,
    /// When it ended.
    ended_ms: Option<i64>,
}

/// What was found damaged at one time, of one list of files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Damage {
    /// The digest of its manifest; null for what is in none, such as a log.
    manifest_digest: Option<String>,
    /// What followed for it.
    integrity: Integrity,
    /// The files, at most 100; none where it is only the list of files itself.
    files: Vec<ScrubbedFile>,
    /// How many more there are.
    more: u64,
    /// Whom it concerns, at most 100.
    concerns: Vec<ScrubConcern>,
    /// How many more there are, at least.
    more_concerns: u64,
}

/// A file that is missing or damaged.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScrubbedFile {
    /// Its path; empty for what is in no list of files.
    path: String,
    /// The BLAKE3 of the content that should be there.
    hash: String,
    /// What is wrong.
    fault: FaultKind,
}

/// Something that has to do with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScrubConcern {
    /// How.
    kind: ConcernKind,
    /// The name of its project.
    project: String,
    /// What: `digits:3`, `#12`, or the name of a workspace.
    name: String,
}

impl From<scrub::Damage> for Damage {
    fn from(damage: scrub::Damage) -> Self {
        let file = |file: scrub::DamagedFile| ScrubbedFile {
            path: file.path,
            hash: file.hash.to_string(),
            fault: file.fault.into(),
        };
        let concern = |one: storage::datasets::Use| ScrubConcern {
            kind: one.user.into(),
            project: one.project,
            name: one.name,
        };
        Self {
            manifest_digest: damage.manifest_digest.map(|digest| digest.to_string()),
            integrity: damage.integrity.into(),
            files: damage.files.into_iter().map(file).collect(),
            more: damage.more,
            concerns: damage.uses.into_iter().map(concern).collect(),
            more_concerns: damage.more_uses,
        }
    }
}

impl From<scrub::Pass> for Scrub {
    fn from(pass: scrub::Pass) -> Self {
        Self {
            number: pass.number,
            state: match pass.state {
                scrub::State::Running => ScrubState::Running,
                scrub::State::Done => ScrubState::Done,
            },
            percent: pass.percent(),
            files: pass.files,
            bytes: pass.bytes,
            damaged: pass.damaged,
            unread: pass.unread,
            found: pass.found.into_iter().map(Damage::from).collect(),
            started_ms: pass.started_ms,
            ended_ms: pass.ended_ms,
        }
    }
}

/// Lists the passes in which everything in the store was read again, newest first; the last 100.
#[utoipa::path(get, path = "/scrubs", operation_id = "list_scrubs", tag = "store", params(PageQuery),
    responses((status = 200, body = Listing<Scrub>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_scrubs(
    State(app): State<App>,
    principal: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Listing<Scrub>>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    Ok(Json(scrub::list(app.db(), &page.page()?).await?.into()))
}

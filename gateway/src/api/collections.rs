//! Garbage collection of the store, for administrators: begin a cycle or only look, and what came of each.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::{gc, ids::UserId};
use utoipa::ToSchema;

use super::types::{Listing, PageQuery};
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    extract::{Json, Path, Query},
};

/// A collection to begin.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCollection {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// How far a collection is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CollectionState {
    /// It goes on.
    Running,
    /// It came to its end.
    Done,
    /// It did not.
    Failed,
}

/// One cycle of garbage collection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Collection {
    /// 1 for the first.
    number: i64,
    /// How far it is.
    state: CollectionState,
    /// Whether it only looked.
    dry_run: bool,
    /// Who asked for it; null for the server itself.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    /// Milliseconds since 1970, UTC.
    started_ms: i64,
    /// When it ended.
    ended_ms: Option<i64>,
    /// What it did, or would have done; null until it ends.
    report: Option<CollectionReport>,
}

/// How many, and how many bytes as they lie in the store.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Tally {
    /// How many.
    count: u64,
    /// Their bytes.
    bytes: u64,
}

/// How long ago something came in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ages {
    /// Within a day.
    day: Tally,
    /// Within a week.
    week: Tally,
    /// Within thirty days.
    month: Tally,
    /// Before that.
    older: Tally,
    /// Not on record: lists of files, logs, and what a crash left.
    unknown: Tally,
}

/// A list of files that nothing uses any more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Faded {
    /// The digest of its manifest.
    manifest_digest: String,
    /// How many files.
    files: u64,
    /// Their bytes, of which others may use some.
    bytes: u64,
    /// What used it last, such as `vision/digits:3`; null where that is not known.
    held_by: Option<String>,
    /// Whether it goes with this collection.
    goes: bool,
}

/// What a collection did, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionReport {
    /// Found unused for the first time: goes with a later collection, unless something uses it again.
    condemned: Tally,
    /// Found unused before, and not for long enough yet.
    waiting: Tally,
    /// Removed.
    swept: Tally,
    /// Found unused before, and used again.
    revived: Tally,
    /// Of those condemned, waiting and swept: what no record names, such as logs of what was deleted and what a crash left.
    unrecorded: Tally,
    /// Of those condemned, waiting and swept: when they came in.
    age: Ages,
    /// What used them last; at most 100.
    faded: Vec<Faded>,
    /// How many of those there are.
    faded_count: u64,
    /// Damaged objects put aside, which are kept for 30 days.
    damaged_kept: Tally,
    /// Those that were older.
    damaged_removed: Tally,
    /// Images and trees of what is gone.
    leftovers: Tally,
    /// Manifests that are used and cannot be read. While there are any no file is removed, for what they need is not known.
    unreadable: Vec<String>,
    /// Whether another process works on the store: then nothing is removed.
    shared: bool,
}

impl From<gc::Tally> for Tally {
    fn from(gc::Tally { count, bytes }: gc::Tally) -> Self {
        Self { count, bytes }
    }
}

impl From<gc::Report> for CollectionReport {
    fn from(report: gc::Report) -> Self {
        let faded = |one: gc::Faded| Faded {
            manifest_digest: one.manifest_digest.to_string(),
            files: one.files,
            bytes: one.bytes,
            held_by: one.held_by,
            goes: one.goes,
        };
        Self {
            condemned: report.condemned.into(),
            waiting: report.waiting.into(),
            swept: report.swept.into(),
            revived: report.revived.into(),
            unrecorded: report.unrecorded.into(),
            age: Ages {
                day: report.age.day.into(),
                week: report.age.week.into(),
                month: report.age.month.into(),
                older: report.age.older.into(),
                unknown: report.age.unknown.into(),
            },
            faded: report.faded.into_iter().map(faded).collect(),
            faded_count: report.faded_count,
            damaged_kept: report.damaged_kept.into(),
            damaged_removed: report.damaged_removed.into(),
            leftovers: report.leftovers.into(),
            unreadable: report.unreadable.iter().map(ToString::to_string).collect(),
            shared: report.shared,
        }
    }
}

impl From<gc::Collection> for Collection {
    fn from(one: gc::Collection) -> Self {
        Self {
            number: one.number,
            state: match one.state {
                gc::State::Running => CollectionState::Running,
                gc::State::Done => CollectionState::Done,
                gc::State::Failed => CollectionState::Failed,
            },
            dry_run: one.dry,
            user_id: one.user_id,
            started_ms: one.started_ms,
            ended_ms: one.ended_ms,
            report: one.report.map(CollectionReport::from),
        }
    }
}

/// Begins a collection, which goes on by itself: ask for it by its number. What nothing uses is removed by the second that finds it so,
/// a day later.
#[utoipa::path(post, path = "/collections", operation_id = "create_collection", tag = "store", request_body = NewCollection,
    responses((status = 202, body = Collection), (status = "4XX", body = Envelope)))]
pub(crate) async fn create_collection(
    State(app): State<App>,
    principal: Principal,
    Json(new): Json<NewCollection>,
) -> Result<(StatusCode, Json<Collection>), ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let by = Some(principal.user.id);
    let begun = app.control().collect(by, new.dry_run).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}

/// Lists the collections, newest first.
#[utoipa::path(get, path = "/collections", operation_id = "list_collections", tag = "store", params(PageQuery),
    responses((status = 200, body = Listing<Collection>), (status = "4XX", body = Envelope)))]
pub(crate) async fn list_collections(
    State(app): State<App>,
    principal: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Listing<Collection>>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    Ok(Json(gc::list(app.db(), &page.page()?).await?.into()))
}

/// A collection.
#[utoipa::path(get, path = "/collections/{number}", operation_id = "get_collection", tag = "store",
    params(("number" = i64, Path, description = "The number of the collection.")),
    responses((status = 200, body = Collection), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_collection(
    State(app): State<App>,
    principal: Principal,
    Path(number): Path<i64>,
) -> Result<Json<Collection>, ApiError> {
    authz::require_general(&principal, Action::Administer)?;
    let found = gc::get(app.db(), number).await?;
    let missing = || ApiError::not_found("collection");
    Ok(Json(found.ok_or_else(missing)?.into()))
}

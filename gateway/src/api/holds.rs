//! Jobs that are held at a cell that failed: people resume them; their own runs say that they wait, and ask for the answer.

use std::time::Duration;

use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use storage::{
    holds::{self as records, NewHold},
    ids::{JobId, UserId},
};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use super::jobs::Job;
use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    events::RECHECK,
    extract::{Json, Path, Query},
};

/// How long a run that asks for the answer is kept waiting before it is told that there is none yet.
const WAIT: Duration = Duration::from_secs(25);
/// Between two looks for the answer meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// How long a corrected notebook may take to come.
const BODY_LIMIT: Duration = Duration::from_mins(2);

/// What has come of a hold. The first two are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HoldState {
    /// The run waits for somebody to resume it.
    Held,
    /// Somebody has, and the run is taking that in.
    Answered,
    /// The run went on.
    Resumed,
    /// Nobody resumed it in time.
    Expired,
    /// The job was stopped.
    Stopped,
    /// The kernel was gone.
    Died,
    /// The attempt ended without a word about it.
    Lost,
}

impl From<records::State> for HoldState {
    fn from(state: records::State) -> Self {
        match state {
            records::State::Held => Self::Held,
            records::State::Answered => Self::Answered,
            records::State::Resumed => Self::Resumed,
            records::State::Expired => Self::Expired,
            records::State::Stopped => Self::Stopped,
            records::State::Died => Self::Died,
            records::State::Lost => Self::Lost,
        }
    }
}

/// A run that is or was held at a cell that failed, with its kernel and everything in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hold {
    /// The number of the attempt.
    attempt: i64,
    /// 1 for the first hold of the attempt.
    number: i64,
    /// What has come of it.
    state: HoldState,
    /// The cell's number among the code cells, from 1.
    cell_number: i64,
    /// How many code cells the notebook had.
    cells: i64,
    /// The cell's first line.
    title: String,
    /// The exception's name; `TimeLimitError` where the cell ran too long.
    ename: String,
    /// What happened, in a sentence.
    message: String,
    /// When it began, in milliseconds since 1970, UTC.
    since_ms: i64,
    /// When it ends by itself.
    until_ms: i64,
    /// When it ended.
    ended_ms: Option<i64>,
    /// How many times somebody said how to go on.
    answers: i64,
    /// Why the run could not go on with the last corrected notebook.
    refused: Option<String>,
    /// Who resumed it.
    #[schema(value_type = Option<String>)]
    resumed_by: Option<UserId>,
    /// Their name.
    resumed_by_name: Option<String>,
    /// The BLAKE3 of the corrected notebook that it went on with: from the cell on, the job ran other code than that of its snapshot.
    notebook_hash: Option<String>,
}

impl From<&records::Hold> for Hold {
    fn from(hold: &records::Hold) -> Self {
        let hold = hold.clone();
        Self {
            attempt: hold.attempt,
            number: hold.number,
            state: hold.state.into(),
            cell_number: hold.cell_number,
            cells: hold.cells,
            title: hold.title,
            ename: hold.ename,
            message: hold.message,
            since_ms: hold.held_ms,
            until_ms: hold.until_ms,
            ended_ms: hold.ended_ms,
            answers: hold.answers,
            refused: hold.refused,
            resumed_by: hold.resumed_by,
            resumed_by_name: hold.resumed_by_name,
            notebook_hash: hold.notebook.map(|notebook| notebook.hash.to_hex()),
        }
    }
}

/// How a job that is held goes on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumeRequest {
    /// A corrected notebook, in format 4, whose cells are taken from the failed one on. Left out: the cell is tried again as it was.
    #[schema(value_type = Option<Object>)]
    notebook: Option<Box<RawValue>>,
}

/// What a run says when it is held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldRequest {
    /// 1 for the first hold of the run.
    number: i64,
    /// The cell's number among the code cells, from 1.
    cell_number: i64,
    /// How many code cells there are.
    cells: i64,
    /// The cell's first line.
    title: String,
    /// The exception's name.
    ename: String,
    /// What happened.
    message: String,
    /// How long it waits.
    limit_ms: i64,
    /// The answer that could not be used, and why.
    refused: Option<RefusedAnswer>,
}

/// An answer that a run could not go on with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedAnswer {
    /// Its number.
    answer: i64,
    /// Why.
    reason: String,
}

/// Which hold of the run.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HoldQuery {
    /// Its number.
    #[param(minimum = 1)]
    number: i64,
}

/// Which hold of the run, and how it ended.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HoldEndQuery {
    /// Its number.
    #[param(minimum = 1)]
    number: i64,
    /// How it ended.
    #[param(inline)]
    end: HoldEnd,
}

/// How a run says that a hold ended.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HoldEnd {
    /// It goes on.
    Resumed,
    /// Nobody answered in time.
    Expired,
    /// It is being stopped.
    Stopped,
    /// Its kernel is gone.
    Died,
}

/// How a run is to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HoldAnswer {
    /// The number of this answer.
    answer: i64,
    /// The corrected notebook; null to try the cell again as it was.
    #[schema(value_type = Option<Object>)]
    notebook: Option<Box<RawValue>>,
}

/// Lets a job that is held go on from the cell that failed.
///
/// Answered before the run has taken it in: `hold` of the job is null once it goes on, and has `refused` where it cannot go on with the
/// notebook, because one of the cells that have run is not the same in it. Then the job is still held.
#[utoipa::path(post, path = "/projects/{project}/jobs/{number}/resume", operation_id = "resume_job", tag = "jobs",
    request_body = Option<ResumeRequest>,
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)),
    responses((status = 202, body = Job), (status = "4XX", body = Envelope)))]
pub(crate) async fn resume_job(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let job = authz::job(&app, &principal, Action::ResumeJob, (&project, &number)).await?;
    // A notebook is read from nobody who may not send one, nor for ever.
    let body = Option::<Json<ResumeRequest>>::from_request(request, &app);
    let body = tokio::time::timeout(BODY_LIMIT, body).await;
    let body = body.map_err(|_| ApiError::unavailable("the notebook did not come in time"))??;
    let notebook = body.and_then(|Json(request)| request.notebook);
    let user = principal.user.id;
    app.control().resume_job(user, job.id, notebook).await?;
    Ok((StatusCode::ACCEPTED, Json(Job::of(&app, job).await?)))
}

/// Says that the job's run is held, or still is after an answer that it could not use. For the job's own run.
#[utoipa::path(put, path = "/projects/{project}/jobs/{number}/hold", operation_id = "hold_job", tag = "jobs", request_body = HoldRequest,
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path)),
    responses((status = 200, body = Hold), (status = "4XX", body = Envelope)))]
pub(crate) async fn hold_job(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Json(new): Json<HoldRequest>,
) -> Result<Json<Hold>, ApiError> {
    let job = authz::own_job(&app, &principal, (&project, &number)).await?;
    if let Some(RefusedAnswer { answer, reason }) = &new.refused {
        let which = (new.number, *answer);
        app.control().refuse_answer(job.id, which, reason).await?;
    }
    let told = NewHold {
        number: new.number,
        cell_number: new.cell_number,
        cells: new.cells,
        title: new.title,
        ename: new.ename,
        message: new.message,
        limit_ms: new.limit_ms,
    };
    let hold = app.control().hold_job(job.id, told).await?;
    Ok(Json(Hold::from(&hold)))
}

/// Asks how the job's run is to go on; waits up to 25 s for that. For the job's own run.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/hold/answer", operation_id = "get_hold_answer", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), HoldQuery),
    responses((status = 200, body = HoldAnswer), (status = 204, description = "None yet"), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_hold_answer(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<HoldQuery>,
) -> Result<Response, ApiError> {
    let job = authz::own_job(&app, &principal, (&project, &number)).await?;
    let waited = app
        .ending()
        .run_until_cancelled(answered(&app, job.id, query.number));
    let Some(answer) = waited.await.transpose()?.flatten() else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let raw =
        |text| RawValue::from_string(text).map_err(|error| ApiError::internal(error.to_string()));
    let notebook = answer.notebook.map(raw).transpose()?;
    let answer = answer.number;
    Ok(Json(HoldAnswer { answer, notebook }).into_response())
}

/// Waits for an answer for as long as a request may last.
async fn answered(app: &App, job: JobId, hold: i64) -> Result<Option<control::Answer>, ApiError> {
    let until = Instant::now() + WAIT;
    let mut news = app.db().changed();
    loop {
        news.mark_unchanged();
        let answer = app.control().hold_answer(job, hold).await?;
        if answer.is_some() || Instant::now() >= until {
            return Ok(answer);
        }
        let _ = tokio::time::timeout(RECHECK, news.changed()).await;
        // Most news are of others.
        tokio::time::sleep(LOOK).await;
    }
}

/// Says how the run's hold ended. For the job's own run.
///
/// 409 where somebody answered before it could expire: then ask for the answer.
#[utoipa::path(delete, path = "/projects/{project}/jobs/{number}/hold", operation_id = "end_hold", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), HoldEndQuery),
    responses((status = 204, description = "It is recorded"), (status = "4XX", body = Envelope)))]
pub(crate) async fn end_hold(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<HoldEndQuery>,
) -> Result<StatusCode, ApiError> {
    let job = authz::own_job(&app, &principal, (&project, &number)).await?;
    let how = match query.end {
        HoldEnd::Resumed => records::State::Resumed,
        HoldEnd::Expired => records::State::Expired,
        HoldEnd::Stopped => records::State::Stopped,
        HoldEnd::Died => records::State::Died,
    };
    app.control().end_hold(job.id, query.number, how).await?;
    Ok(StatusCode::NO_CONTENT)
}

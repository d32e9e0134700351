//! Logs in pages, and jobs' logs as they grow.

use std::convert::Infallible;

use async_stream::stream;
use axum::{
    extract::State,
    response::{Response, sse::Event as Message},
};
use control::log::{Line, Page, Stream as Source};
use futures_util::Stream;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use storage::{ids::JobId, jobs};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    auth::Principal,
    authz::{self, Action},
    error::{ApiError, Envelope},
    events::{GATHER, Place, RECHECK, Watch, last_event_id, respond},
    extract::{Json, Path, Query},
};

/// Bytes of log in one page where the client does not say.
const USUAL_BYTES: usize = 256 << 10;

/// The most bytes of log in one page.
const MOST_BYTES: usize = 4 << 20;

/// Which part of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// Where to begin: 0, or `next` of the page before.
    #[param(minimum = 0)]
    offset: Option<u64>,
    /// About how many bytes of the log at most. Usually 262144.
    #[param(minimum = 1, maximum = 4_194_304)]
    limit: Option<usize>,
}

impl LogQuery {
    pub(super) fn offset(&self) -> u64 {
        self.offset.unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.limit.unwrap_or(USUAL_BYTES).clamp(1, MOST_BYTES)
    }
}

/// Where a line of a log came from.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Cairn itself.
    System,
}

/// One line of a log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogLine {
    /// Where it stands; a link to it holds for ever.
    offset: u64,
    /// When it was written, in milliseconds since 1970, UTC.
    ms: i64,
    /// Where it came from.
    stream: LogStream,
    /// Its text without the line break.
    text: String,
    /// Whether it goes on in a later line of the same stream.
    partial: bool,
}

impl From<Line> for LogLine {
    fn from(line: Line) -> Self {
        Self {
            offset: line.offset,
            ms: line.ms,
            stream: match line.stream {
                Source::Stdout => LogStream::Stdout,
                Source::Stderr => LogStream::Stderr,
                Source::System => LogStream::System,
            },
            text: line.text,
            partial: line.partial,
        }
    }
}

/// Lines of a log, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    /// The lines.
    items: Vec<LogLine>,
    /// The offset to ask for next.
    next: u64,
    /// Whether nothing will follow.
    ended: bool,
}

impl From<Page> for LogPage {
    fn from(page: Page) -> Self {
        Self {
            items: page.items.into_iter().map(LogLine::from).collect(),
            next: page.next,
            ended: page.ended,
        }
    }
}

/// Reads a job's log.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/log", operation_id = "get_job_log", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), LogQuery),
    responses((status = 200, body = LogPage), (status = "4XX", body = Envelope)))]
pub(crate) async fn get_job_log(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<LogQuery>,
) -> Result<Json<LogPage>, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let page = app
        .control()
        .job_log(&job, query.offset(), query.bytes())
        .await?;
    Ok(Json(page.into()))
}

/// Where to begin to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowLogQuery {
    /// 0, or `next` of a page; the header `Last-Event-ID` wins over it.
    #[param(minimum = 0)]
    offset: Option<u64>,
}

/// Follows a job's log.
///
/// A stream of server-sent events, one for each line; an event's id is the offset to go on from after it. It closes with an event
/// `end` once the job has ended and everything was sent.
#[utoipa::path(get, path = "/projects/{project}/jobs/{number}/log/stream", operation_id = "follow_job_log", tag = "jobs",
    params(("project" = String, Path, description = "Id or name"), ("number" = i64, Path), FollowLogQuery),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = LogLine),
        (status = "4XX", body = Envelope)))]
pub(crate) async fn follow_job_log(
    State(app): State<App>,
    principal: Principal,
    Path((project, number)): Path<(String, String)>,
    Query(query): Query<FollowLogQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = authz::job(&app, &principal, Action::ReadJob, (&project, &number)).await?;
    let place = app.streams().enter(principal.user.id)?;
    let offset = last_event_id(&headers).or(query.offset).unwrap_or(0);
    let watch = Watch::of_job(app, principal, &job);
    Ok(respond(lines(watch, job.id, offset, place)))
}

fn lines(
    mut watch: Watch,
    job: JobId,
    mut offset: u64,
    place: Place,
) -> impl Stream<Item = Result<Message, Infallible>> + Send + 'static {
    stream! {
        let _place = place;
        let app = watch.app().clone();
        let _held = app.metrics().streams.hold();
        while watch.holds().await {
            let Ok(page) = page(&app, job, offset).await else { break };
            let is_idle = page.items.is_empty();
            let ends: Vec<u64> = page.items.iter().skip(1).map(|line| line.offset).chain([page.next]).collect();
            for (line, end) in page.items.into_iter().zip(ends) {
                yield Ok(message(line, end));
            }
            offset = page.next;
            if page.ended {
                yield Ok(Message::default().event("end").id(offset.to_string()).data("{}"));
                break;
            }
            if is_idle {
                grown(&app, job, offset).await;
            }
        }
    }
}

/// The lines from `offset` on, as far as there are any now.
async fn page(app: &App, id: JobId, offset: u64) -> Result<Page, ApiError> {
    let job = jobs::get(app.db(), id).await?;
    let job = job.ok_or_else(|| ApiError::not_found("job"))?;
    Ok(app.control().job_log(&job, offset, USUAL_BYTES).await?)
}

/// Waits until there may be more, or until it is time to look at the follower's rights again.
async fn grown(app: &App, id: JobId, offset: u64) {
    let mut news = app.db().changed();
    let wait = async {
        let begun = tokio::time::Instant::now();
        let grew = app.control().job_log_grown(id, offset).await;
        if grew.is_err() || begun.elapsed() < GATHER {
            // Nothing runs yet, or any more: the next change of the job says so.
            let _ = news.changed().await;
        }
    };
    let wait = tokio::time::timeout(RECHECK, wait);
    let _ = app.ending().run_until_cancelled(wait).await;
    tokio::time::sleep(GATHER).await;
}

fn message(line: Line, end: u64) -> Message {
    let data = serde_json::to_string(&LogLine::from(line)).expect("plain data");
    Message::default().id(end.to_string()).data(data)
}

//! Live changes as server-sent events: resumable, filtered by what the follower may see, ended soon after a revocation, bounded in number.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_stream::stream;
use axum::{
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event as Message, KeepAlive, Sse},
    },
};
use futures_util::Stream;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use storage::{
    events::{self, Event, Kind},
    ids::{JobId, ProjectId, UserId},
    jobs::Job,
    members::{self, Role},
};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    auth::{Bound, Principal},
    authz::{self, Action, Decision, Resource},
    error::{ApiError, Envelope},
    extract::Query,
};

/// Events looked at in one read.
const BATCH: u32 = 500;

/// How long a follower waits after a batch, so that a burst comes as one.
pub(crate) const GATHER: Duration = Duration::from_millis(50);

/// How often a quiet stream asks whether its credentials still hold.
pub(crate) const RECHECK: Duration = Duration::from_secs(2);

/// How often a quiet stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Counts the streams of each person.
#[derive(Debug)]
pub(crate) struct Streams {
    most: usize,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// One open stream; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    user: UserId,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

impl Streams {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            open: Arc::default(),
        }
    }

    /// Takes a place for a stream of `user`.
    ///
    /// # Errors
    /// 429 where they have too many open.
    pub(crate) fn enter(&self, user: UserId) -> Result<Place, ApiError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user).or_default();
        if *count >= self.most {
            return Err(ApiError::too_many("Too many streams are open.", 5));
        }
        *count += 1;
        drop(open);
        let open = Arc::clone(&self.open);
        Ok(Place { user, open })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowQuery {
    /// The number of the last event already seen; the header `Last-Event-ID` wins over it. Without either: from now on.
    since: Option<i64>,
}

/// The data of a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    /// Its place in the line of all events.
    number: i64,
    /// What happened, such as `job.changed`.
    kind: &'static str,
    /// The project it happened in.
    project_id: Option<String>,
    /// The id of what it happened to.
    subject: String,
}

/// Follows what changes.
///
/// A stream of server-sent events that the caller may see. It opens with an event `ready`, or with `reset` where events after
/// `since` are no longer kept: then read everything anew. Each later message has the change as its data and the number as its id.
/// It ends within seconds after the credentials do.
#[utoipa::path(get, path = "/events", operation_id = "follow_events", tag = "events", params(FollowQuery),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = Change),
        (status = "4XX", body = Envelope)))]
pub(crate) async fn follow_events(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    authz::require_general(&principal, Action::ReadEvents)?;
    let place = app.streams().enter(principal.user.id)?;
    let asked = last_event_id(&headers).or(query.since);
    let newest = events::newest(app.db()).await?;
    let kept = match asked {
        Some(number) => events::kept_after(app.db(), number).await?,
        None => true,
    };
    let at = asked.filter(|_| kept).unwrap_or(newest);
    let greeting = Message::default()
        .event(if kept { "ready" } else { "reset" })
        .id(at.to_string())
        .data(format!("{{\"number\":{at}}}"));
    Ok(respond(changes(app, principal, at, greeting, place)))
}

/// The offset or number that a reconnecting client has seen last.
pub(crate) fn last_event_id<T: std::str::FromStr>(headers: &HeaderMap) -> Option<T> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// A stream as a response that no proxy on the way holds back.
pub(crate) fn respond(
    stream: impl Stream<Item = Result<Message, Infallible>> + Send + 'static,
) -> Response {
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(stream).keep_alive(keep_alive).into_response();
    let no = HeaderValue::from_static("no");
    response.headers_mut().insert("x-accel-buffering", no);
    response
}

fn changes(
    app: App,
    principal: Principal,
    mut at: i64,
    greeting: Message,
    place: Place,
) -> impl Stream<Item = Result<Message, Infallible>> + Send + 'static {
    stream! {
        let _place = place;
        let _held = app.metrics().streams.hold();
        let mut news = app.db().changed();
        let mut watch = Watch::new(app.clone(), principal);
        yield Ok(greeting);
        while watch.holds().await {
            news.mark_unchanged();
            let Ok((visible, upto)) = next(&watch, at).await else { break };
            for event in &visible {
                yield Ok(message(event));
            }
            let is_idle = upto == at;
            at = upto;
            if is_idle {
                let wait = tokio::time::timeout(RECHECK, news.changed());
                let _ = app.ending().run_until_cancelled(wait).await;
            }
            tokio::time::sleep(GATHER).await;
        }
    }
}

fn message(event: &Event) -> Message {
    let change = Change {
        number: event.number,
        kind: event.kind.as_str(),
        project_id: event.project_id.map(|id| id.to_string()),
        subject: event.subject.clone(),
    };
    let data = serde_json::to_string(&change).expect("plain data");
    Message::default().id(event.number.to_string()).data(data)
}

/// The visible events of the next batch after `at`, and where to go on.
async fn next(watch: &Watch, at: i64) -> storage::Result<(Vec<Event>, i64)> {
    let db = watch.app.db();
    let principal = &watch.principal;
    if principal.is_admin() {
        let events = events::after(db, at, BATCH).await?;
        let upto = events.last().map_or(at, |event| event.number);
        return Ok((events, upto));
    }
    let seen = events::visible_after(db, principal.user.id, at, BATCH).await?;
    let mut visible = Vec::with_capacity(seen.events.len());
    for event in seen.events {
        if is_visible(watch, &event).await? {
            visible.push(event);
        }
    }
    Ok((visible, seen.upto))
}

/// What remains hidden from a member: other people's workspaces, and whatever lies outside a token's bounds.
async fn is_visible(watch: &Watch, event: &Event) -> storage::Result<bool> {
    let user = watch.principal.user.id;
    match watch.principal.bound() {
        Bound::None => {}
        Bound::Job { .. } => return Ok(false),
        Bound::Workspace { workspace, project } => {
            let is_job = matches!(event.kind, Kind::JobChanged | Kind::JobMetadata);
            let is_itself = event.subject == workspace.to_string();
            return Ok(event.project_id == Some(project) && (is_job || is_itself));
        }
    }
    let is_own = event.user_id.is_none_or(|owner| owner == user);
    let (Kind::WorkspaceChanged, false, Some(project)) = (event.kind, is_own, event.project_id)
    else {
        return Ok(true);
    };
    let role = members::role(watch.app.db(), project, user).await?;
    Ok(role == Some(Role::Owner))
}

/// Asks from time to time whether a stream's credentials still hold.
pub(crate) struct Watch {
    app: App,
    principal: Principal,
    /// What is read, where that is one job.
    job: Option<(ProjectId, JobId)>,
    checked: Instant,
}

impl Watch {
    pub(crate) fn new(app: App, principal: Principal) -> Self {
        Self {
            app,
            principal,
            job: None,
            checked: Instant::now(),
        }
    }

    /// For a stream of one job, which must stay readable.
    pub(crate) fn of_job(app: App, principal: Principal, job: &Job) -> Self {
        let mut watch = Self::new(app, principal);
        watch.job = Some((job.project_id, job.id));
        watch
    }

    /// Whether they do, by an answer that is at most 2 s old. The end of the database's patience is no end of rights.
    pub(crate) async fn holds(&mut self) -> bool {
        if self.app.ending().is_cancelled() {
            return false;
        }
        if self.checked.elapsed() < RECHECK {
            return true;
        }
        self.checked = Instant::now();
        self.ask().await.unwrap_or(true)
    }

    async fn ask(&mut self) -> Result<bool, ApiError> {
        let Some(principal) = self.principal.renew(&self.app).await? else {
            return Ok(false);
        };
        self.principal = principal;
        let Some((project, job)) = self.job else {
            return Ok(authz::require_general(&self.principal, Action::ReadEvents).is_ok());
        };
        let role = members::role(self.app.db(), project, self.principal.user.id).await?;
        let resource = Resource {
            project: Some((project, role)),
            job: Some(job),
            ..Resource::default()
        };
        Ok(authz::decide(&self.principal, Action::ReadJob, &resource) == Decision::Allow)
    }

    /// The gateway.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }
}

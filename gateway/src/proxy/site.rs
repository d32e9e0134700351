//! What the proxy remembers of one workspace: answers that are at most 2 s old, idle connections to its server, and how much of the
//! gateway it uses now. Everything here has a bound.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use http::HeaderValue;
use storage::ids::WorkspaceId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    exchange::Link,
    workspaces::{Address, Credential, Upstream, Verdict},
};

/// How old an answer may be (DESIGN.md: a decision may be cached for 2 s at most).
const FRESH: Duration = Duration::from_secs(2);
/// Idle connections kept to one server.
const IDLE_LINKS: usize = 64;
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Credentials remembered for one workspace.
const CREDENTIALS: usize = 256;
/// How often activity is passed on.
const TOUCH_EVERY: Duration = Duration::from_secs(15);

/// What one workspace may use of the gateway at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Requests in flight to the server.
    pub requests: usize,
    /// Requests that wait for one of those places; more are refused.
    pub waiting: usize,
    /// Live tunnels.
    pub tunnels: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            requests: 256,
            waiting: 1024,
            tunnels: 4096,
        }
    }
}

/// A place in one of a site's bounds; freed when dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// Every place that this kind of work may have is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Full;

/// Where the server is, ready for use.
#[derive(Clone)]
pub(super) enum Route {
    Running {
        address: Arc<Address>,
        authorization: HeaderValue,
    },
    Starting,
    Stopped,
}

/// One workspace, as the proxy sees it.
pub(super) struct Site {
    pub(super) id: WorkspaceId,
    /// `/w/{id}/`.
    pub(super) base: String,
    requests: Arc<Semaphore>,
    queue: Semaphore,
    tunnels: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<Box<str>, Remembered<Arc<str>>>,
    cookies: HashMap<Box<str>, Remembered<Arc<str>>>,
    route: Option<Remembered<Route>>,
    links: Vec<Idle>,
    touched: Option<Instant>,
    used: Option<Instant>,
}

struct Remembered<T> {
    value: T,
    at: Instant,
    /// The number of `Workspaces::changes` before the question was asked.
    change: u64,
}

struct Idle {
    link: Link,
    address: Arc<Address>,
    since: Instant,
}

impl<T: Clone> Remembered<T> {
    fn fresh(&self, now: Instant, change: u64) -> Option<T> {
        (self.change == change && now.duration_since(self.at) < FRESH).then(|| self.value.clone())
    }
}

impl Site {
    pub(super) fn new(id: WorkspaceId, bounds: &Bounds) -> Self {
        Self {
            base: format!("/w/{id}/"),
            id,
            requests: Arc::new(Semaphore::new(bounds.requests)),
            queue: Semaphore::new(bounds.waiting),
            tunnels: Arc::new(Semaphore::new(bounds.tunnels)),
            state: Mutex::default(),
        }
    }

    /// The person whom `credential` stands for, if that was found out just now.
    pub(super) fn known(&self, credential: Credential<'_>, change: u64) -> Option<Arc<str>> {
        let now = Instant::now();
        let mut state = self.state();
        state.used = Some(now);
        let (people, key) = state.people(credential);
        people.get(key)?.fresh(now, change)
    }

    /// Remembers a verdict. Refusals are not kept: whoever guesses must not fill the memory.
    pub(super) fn remember(&self, credential: Credential<'_>, verdict: &Verdict, change: u64) {
        let mut state = self.state();
        let (people, key) = state.people(credential);
        let Verdict::Allowed { user } = verdict else {
            people.remove(key);
            return;
        };
        let at = Instant::now();
        if people.len() >= CREDENTIALS {
            people.retain(|_, known| known.fresh(at, change).is_some());
        }
        if people.len() < CREDENTIALS {
            people.insert(
                key.into(),
                Remembered {
                    value: user.clone(),
                    at,
                    change,
                },
            );
        }
    }

    /// Where the server was a moment ago.
    pub(super) fn route(&self, change: u64) -> Option<Route> {
        self.state().route.as_ref()?.fresh(Instant::now(), change)
    }

    /// Remembers where the server is, and gives that back.
    pub(super) fn set_route(&self, upstream: Upstream, change: u64) -> Route {
        let value = match upstream {
            Upstream::Running { address, token } => {
                match HeaderValue::from_str(&format!("token {token}")) {
                    Ok(mut authorization) => {
                        authorization.set_sensitive(true);
                        Route::Running {
                            address: Arc::new(address),
                            authorization,
                        }
                    }
                    Err(_) => Route::Stopped,
                }
            }
            Upstream::Starting => Route::Starting,
            Upstream::Stopped => Route::Stopped,
        };
        let mut state = self.state();
        if let (
            Some(Remembered {
                value:
                    Route::Running {
                        address: old,
                        authorization: was,
                    },
                ..
            }),
            Route::Running {
                address,
                authorization,
            },
        ) = (&state.route, &value)
            && (old != address || was != authorization)
        {
            state.links.clear();
        }
        state.route = Some(Remembered {
            value: value.clone(),
            at: Instant::now(),
            change,
        });
        value
    }

    /// Forgets where the server was, after it did not answer there.
    pub(super) fn forget_route(&self) {
        let mut state = self.state();
        state.route = None;
        state.links.clear();
    }

    /// An idle connection to `address` that still works.
    pub(super) async fn take(&self, address: &Arc<Address>) -> Option<Link> {
        loop {
            let mut idle = {
                let mut state = self.state();
                let idle = state.links.pop()?;
                drop(state);
                idle
            };
            if idle.address != *address {
                continue;
            }
            if poll_fn(|cx| Poll::Ready(idle.link.is_alive(cx))).await {
                return Some(idle.link);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, link: Link, address: &Arc<Address>) {
        let mut state = self.state();
        if state.links.len() < IDLE_LINKS {
            state.links.push(Idle {
                link,
                address: address.clone(),
                since: Instant::now(),
            });
        }
    }

    /// A place for a request, after waiting for one if there are not too many who wait already.
    pub(super) async fn place(&self) -> Result<Place, Full> {
        if let Ok(place) = self.requests.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _queued = self.queue.try_acquire().map_err(|_| Full)?;
        self.requests
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Full)
    }

    /// A place for a tunnel.
    pub(super) fn tunnel_place(&self) -> Result<Place, Full> {
        self.tunnels.clone().try_acquire_owned().map_err(|_| Full)
    }

    /// Whether activity should be passed on now; at most every 15 s.
    pub(super) fn touches(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let due = state
            .touched
            .is_none_or(|last| now.duration_since(last) >= TOUCH_EVERY);
        if due {
            state.touched = Some(now);
        }
        due
    }

    /// Lets go of what is too old, and says whether nothing is left worth keeping.
    pub(super) fn tidy(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        state
            .links
            .retain(|idle| now.duration_since(idle.since) < IDLE_FOR);
        let change = state.route.as_ref().map_or(0, |route| route.change);
        state
            .tokens
            .retain(|_, known| known.fresh(now, change).is_some());
        state
            .cookies
            .retain(|_, known| known.fresh(now, change).is_some());
        state.links.is_empty()
            && state
                .used
                .is_none_or(|used| now.duration_since(used) > IDLE_FOR)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, and every field is valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn people<'a>(
        &mut self,
        credential: Credential<'a>,
    ) -> (&mut HashMap<Box<str>, Remembered<Arc<str>>>, &'a str) {
        match credential {
            Credential::Token(text) => (&mut self.tokens, text),
            Credential::Cookie(text) => (&mut self.cookies, text),
        }
    }
}

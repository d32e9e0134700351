//! When the server was last reached, and what follows from not reaching it: work ends here before the server gives it up.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gateway::machines::Worker;
use serde::{Deserialize, Serialize};
use storage::clock::{Clock as _, System};

use crate::service::DataFolder;

/// The file in the data directory, so that a restart does not begin to count anew.
const FILE: &str = "contact.json";
/// How often time is looked at, and the file written.
const PERIOD: Duration = Duration::from_secs(2);
/// This part of the server's patience, in hundredths, is ours: ending takes time, and clocks differ.
const SHARE: i64 = 80;

/// What is known of the contact. Cheap to clone.
#[derive(Clone)]
pub(super) struct Contact {
    folder: DataFolder,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct State {
    /// The connection is up.
    #[serde(skip)]
    now: bool,
    /// When it last was; none: never.
    last_ms: Option<i64>,
    /// The server's patience; none before it has said so.
    grace_ms: Option<i64>,
    /// Everything was ended since then.
    given_up: bool,
}

/// Held while the connection is up.
pub(super) struct Here(Contact);

impl Contact {
    /// Goes on from what the file says.
    pub(super) fn open(folder: &DataFolder) -> Self {
        let kept = folder.read(FILE).ok().flatten();
        let state = kept.and_then(|text| serde_json::from_str(&text).ok());
        Self {
            folder: folder.clone(),
            state: Arc::new(Mutex::new(state.unwrap_or_default())),
        }
    }

    /// Sets the server's patience.
    pub(super) fn allow(&self, grace: Duration) {
        self.change(|state| state.grace_ms = i64::try_from(grace.as_millis()).ok());
    }

    /// The connection is up until the guard is dropped.
    pub(super) fn begin(&self) -> Here {
        self.change(|state| {
            state.now = true;
            state.given_up = false;
        });
        Here(self.clone())
    }

    /// Ends all work once the server has been out of reach for too long, once each time.
    pub(super) async fn watch(&self, worker: &Worker) {
        loop {
            let overdue = self.change(|state| {
                if state.now {
                    state.last_ms = Some(System.now_ms());
                }
                is_overdue(state, System.now_ms())
            });
            if overdue {
                tracing::warn!(
                    "the server has been out of reach for too long: ending what runs here"
                );
                match worker.end_everything().await {
                    Ok(()) => self.change(|state| state.given_up = true),
                    Err(error) => {
                        tracing::error!(%error, "what runs here could not be ended; trying again");
                    }
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let text = serde_json::to_string(&*state).unwrap_or_default();
        if let Err(error) = self.folder.write(FILE, &text) {
            tracing::warn!(%error, "the time of the last contact cannot be written");
        }
        result
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.now = false;
            state.last_ms = Some(System.now_ms());
        });
    }
}

fn is_overdue(state: &State, now_ms: i64) -> bool {
    match (state.last_ms, state.grace_ms) {
        (Some(last_ms), Some(grace_ms)) if !state.now && !state.given_up => {
            now_ms - last_ms > grace_ms / 100 * SHARE
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(now: bool, given_up: bool) -> State {
        State {
            now,
            last_ms: Some(1_000_000),
            grace_ms: Some(100_000),
            given_up,
        }
    }

    #[test]
    fn work_ends_before_the_server_gives_it_up() {
        assert!(!is_overdue(&state(false, false), 1_079_000));
        assert!(is_overdue(&state(false, false), 1_081_000));
    }

    #[test]
    fn nothing_ends_while_the_server_is_there_or_twice_or_before_it_was_ever_reached() {
        assert!(!is_overdue(&state(true, false), 2_000_000));
        assert!(!is_overdue(&state(false, true), 2_000_000));
        assert!(!is_overdue(&State::default(), 2_000_000));
    }
}

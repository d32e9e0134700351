//! The live tunnels, by the credential that opened them: when that no longer opens its workspace, they are cut.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use storage::ids::WorkspaceId;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::workspaces::{Credential, Verdict, Workspaces};

/// How often every credential with live tunnels is asked about; with the time of asking this stays well below 5 s.
const EVERY: Duration = Duration::from_secs(2);
/// The least time between two rounds when changes come quickly.
const AT_LEAST: Duration = Duration::from_millis(100);
/// How long one question may take. No answer leaves the tunnels alone: a database that is down ends nobody's work.
const ANSWER: Duration = Duration::from_secs(2);
/// Questions asked at the same time.
const TOGETHER: usize = 16;

/// A credential and the workspace that it opened.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    workspace: WorkspaceId,
    token: bool,
    text: Arc<str>,
}

struct Group {
    cut: CancellationToken,
    tunnels: usize,
}

/// The live tunnels of a proxy.
#[derive(Default)]
pub(super) struct Live {
    groups: Mutex<HashMap<Key, Group>>,
}

/// A tunnel's entry; dropping it takes the tunnel off the books.
pub(super) struct Membership {
    live: Arc<Live>,
    key: Key,
    cut: CancellationToken,
}

impl Live {
    /// Enters a tunnel that `credential` opened.
    pub(super) fn enter(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        credential: Credential<'_>,
    ) -> Membership {
        let (token, text) = match credential {
            Credential::Token(text) => (true, text),
            Credential::Cookie(text) => (false, text),
        };
        let key = Key {
            workspace,
            token,
            text: text.into(),
        };
        let mut groups = self.groups();
        let group = groups.entry(key.clone()).or_insert_with(|| Group {
            cut: CancellationToken::new(),
            tunnels: 0,
        });
        group.tunnels += 1;
        let cut = group.cut.clone();
        drop(groups);
        Membership {
            live: self.clone(),
            key,
            cut,
        }
    }

    /// How many tunnels are live.
    pub(super) fn count(&self) -> usize {
        self.groups().values().map(|group| group.tunnels).sum()
    }

    /// Cuts every tunnel.
    pub(super) fn cut_all(&self) {
        for group in self.groups().values() {
            group.cut.cancel();
        }
    }

    /// Asks about every credential once and cuts the tunnels of those that open their workspace no longer.
    async fn review<W: Workspaces>(&self, workspaces: &W) {
        let keys: Vec<(Key, CancellationToken)> = self
            .groups()
            .iter()
            .map(|(key, group)| (key.clone(), group.cut.clone()))
            .collect();
        stream::iter(keys)
            .for_each_concurrent(TOGETHER, |(key, cut)| async move {
                let credential = if key.token { Credential::Token(&key.text) } else { Credential::Cookie(&key.text) };
                let verdict = timeout(ANSWER, workspaces.authorise(credential, &key.workspace)).await;
                if matches!(verdict, Ok(Ok(Verdict::Denied))) {
                    tracing::info!(workspace.id = %key.workspace, "tunnels cut: their credential was revoked");
                    cut.cancel();
                }
            })
            .await;
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Key, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reviews the tunnels of `live` every 2 s, and at once when something changes, until `stop`.
pub(super) async fn watch<W: Workspaces>(
    live: Arc<Live>,
    workspaces: Arc<W>,
    stop: CancellationToken,
) {
    let mut changes = workspaces.changes();
    loop {
        let next = Instant::now() + EVERY;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
            Ok(()) = changes.changed() => {}
        }
        live.review(workspaces.as_ref()).await;
        sleep(AT_LEAST).await;
    }
}

impl Membership {
    /// Completes when the tunnel must be cut.
    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut groups = self.live.groups();
        if let Some(group) = groups.get_mut(&self.key) {
            group.tunnels = group.tunnels.saturating_sub(1);
            if group.tunnels == 0 {
                groups.remove(&self.key);
            }
        }
    }
}

//! The engine, as it is asked here: every question has a time limit, and every trouble becomes a sentence for whoever started the run.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as Trouble;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptions,
};
use tokio::time::timeout;

use super::container::{INSTALLATION, RUN};
use crate::status::Failure;

/// How much of what the engine says is handed on.
const SAID_BYTES: usize = 600;

/// How much longer it may take to make something: the engine makes one network after the other, and many may be asked for at once.
const CROWD: u32 = 10;

/// Why the engine did not do it.
pub(crate) type Refusal = (Failure, String);

/// A connection that is made anew for each question.
pub(crate) struct Engine {
    pub(super) docker: Docker,
    patience: Duration,
}

impl Engine {
    /// Reaches the engine and agrees on a version with it.
    pub(crate) async fn connect(socket: &Path, patience: Duration) -> Result<Self, Refusal> {
        let path = socket.to_string_lossy();
        let seconds = (patience * CROWD).as_secs().max(1);
        let docker = Docker::connect_with_unix(&path, seconds, bollard::API_DEFAULT_VERSION)
            .map_err(|e| refusal("be reached", &e))?;
        let docker = within(patience, "be reached", docker.negotiate_version()).await?;
        Ok(Self { docker, patience })
    }

    /// Waits for an answer, not for ever. `what` goes into "The container engine could not …".
    pub(super) async fn ask<T>(
        &self,
        what: &str,
        question: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Refusal> {
        within(self.patience, what, question).await
    }

    /// The same for what waits in the engine's own queue.
    pub(super) async fn make<T>(
        &self,
        what: &str,
        question: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Refusal> {
        within(self.patience * CROWD, what, question).await
    }

    /// Whether the container runs, and what is to be said about its end.
    pub(crate) async fn look(&self, name: &str) -> Result<Option<Look>, Refusal> {
        let found = self
            .ask("look", self.docker.inspect_container(name, None))
            .await;
        let state = match found {
            Ok(found) => found.state.unwrap_or_default(),
            Err((Failure::ImageMissing, _)) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        Ok(Some(Look {
            running: state.running.unwrap_or(false),
            oom: state.oom_killed.unwrap_or(false),
            code: state.exit_code.unwrap_or(0),
            error: said(&state.error.unwrap_or_default()),
        }))
    }

    /// Ends the container at once, if it runs.
    pub(crate) async fn kill(&self, name: &str) {
        let killed = self
            .ask("kill", self.docker.kill_container(name, None))
            .await;
        if let Err((_, message)) = killed {
            tracing::debug!(message, name, "kill");
        }
    }

    /// Removes the container with all that it wrote, and its network. What is not there is fine.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), Refusal> {
        let options = RemoveContainerOptions {
            v: true,
            force: true,
            link: false,
        };
        let container = self.docker.remove_container(name, Some(options));
        gone(self.ask("remove a container", container).await)?;
        gone(
            self.ask("remove a network", self.docker.remove_network(name))
                .await,
        )
    }

    /// Names of the containers and networks of an installation, each with the run it is for.
    pub(super) async fn belongings(
        &self,
        installation: &str,
    ) -> Result<HashMap<String, String>, Refusal> {
        let label = format!("{INSTALLATION}={installation}");
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let list = self.docker.list_containers(Some(options));
        let containers = self.ask("list containers", list).await?;
        let options = ListNetworksOptionsBuilder::default()
            .filters(&filters)
            .build();
        let list = self.docker.list_networks(Some(options));
        let networks = self.ask("list networks", list).await?;
        let containers = containers.into_iter().filter_map(|c| {
            let name = c.names?.into_iter().next()?;
            Some((name.trim_start_matches('/').to_owned(), c.labels?))
        });
        let networks = networks
            .into_iter()
            .filter_map(|n| Some((n.name?, n.labels?)));
        Ok(containers
            .chain(networks)
            .filter_map(|(name, mut labels)| Some((name, labels.remove(RUN)?)))
            .collect())
    }
}

/// A container at one moment.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) running: bool,
    /// Whether the kernel ended anything in it for lack of memory.
    pub(crate) oom: bool,
    pub(crate) code: i64,
    pub(crate) error: String,
}

async fn within<T>(
    patience: Duration,
    what: &str,
    question: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Refusal> {
    match timeout(patience, question).await {
        Ok(answer) => answer.map_err(|e| refusal(what, &e)),
        Err(_) => Err(refusal(what, &Trouble::RequestTimeoutError)),
    }
}

/// Nothing there is as good as removed. A removal that somebody else has begun is left to them.
fn gone(removed: Result<(), Refusal>) -> Result<(), Refusal> {
    match removed {
        Err((Failure::ImageMissing, _)) => Ok(()),
        Err((_, message)) if message.contains("already in progress") => Ok(()),
        other => other,
    }
}

/// `404` becomes [`Failure::ImageMissing`]: the one thing that a start asks for by a name of others.
pub(super) fn refusal(what: &str, trouble: &Trouble) -> Refusal {
    let could_not = format!("The container engine could not {what}");
    match trouble {
        Trouble::DockerResponseServerError {
            status_code,
            message,
        } => {
            let message = said(message);
            let failure = match status_code {
                404 => Failure::ImageMissing,
                _ if message.contains("no space left") => Failure::Refused,
                _ => Failure::EngineFailed,
            };
            (failure, format!("{could_not}: {message}."))
        }
        Trouble::DockerStreamError { error } => (
            Failure::ImageMissing,
            format!("{could_not}: {}.", said(error)),
        ),
        Trouble::RequestTimeoutError => (
            Failure::EngineFailed,
            format!("{could_not}: it does not answer."),
        ),
        Trouble::JsonDataError { .. } | Trouble::APIVersionParseError {} => (
            Failure::EngineFailed,
            format!("{could_not}: its answer makes no sense."),
        ),
        other => (
            Failure::EngineFailed,
            format!("{could_not}: {}.", said(&chain(other))),
        ),
    }
}

/// An error with its causes: the outermost says little.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// What the engine says, as one short line.
pub(super) fn said(text: &str) -> String {
    let mut line: String = text
        .trim()
        .trim_end_matches('.')
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.truncate(line.floor_char_boundary(SAID_BYTES));
    line
}

/// Carries a future out on a thread of its own, for callers without a runtime.
pub(crate) fn blocking<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> std::io::Result<T> {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    std::thread::Builder::new()
        .name("docker".into())
        .spawn(move || Ok(runtime()?.block_on(work)))?
        .join()
        .map_err(|_| std::io::Error::other("the engine's thread broke"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_apart() {
        let server = |status_code, message: &str| Trouble::DockerResponseServerError {
            status_code,
            message: message.into(),
        };
        let table = [
            (server(404, "No such image: x"), Failure::ImageMissing),
            (
                server(500, "mkdir /a: no space left on device"),
                Failure::Refused,
            ),
            (server(500, "boom"), Failure::EngineFailed),
            (Trouble::RequestTimeoutError, Failure::EngineFailed),
            (
                Trouble::SocketNotFoundError("/x".into()),
                Failure::EngineFailed,
            ),
        ];
        for (trouble, failure) in table {
            assert_eq!(refusal("do it", &trouble).0, failure, "{trouble:?}");
        }
    }

    #[test]
    fn what_the_engine_says_is_one_short_line() {
        assert_eq!(said(" a\nb\u{1b}[31m.\n"), "a b [31m");
        assert!(said(&"ü".repeat(1000)).len() <= SAID_BYTES);
    }
}

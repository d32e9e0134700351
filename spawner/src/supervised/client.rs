//! Asks a run's supervisor, or what it left behind.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use super::{blocking, lost};
use crate::error::Context;
use crate::run::{Folder, VERSION};
use crate::supervisor::control::{Answer, Request};
use crate::{Error, Result, Status};

/// How long a supervisor may take to answer what needs no waiting.
const ANSWER: Duration = Duration::from_secs(5);
/// Between a supervisor's first breath and its socket, and between its last words and its end.
const BETWEEN: Duration = Duration::from_millis(5);
const ANSWER_BYTES: u64 = 256 << 10;

/// The run now; `None` if it was removed meanwhile.
pub(super) async fn status(folder: &Folder) -> Result<Option<Status>> {
    let deadline = Instant::now() + ANSWER;
    loop {
        let before = folder.clone();
        if let Some(status) = blocking(move || ended(&before)).await? {
            return Ok(Some(status));
        }
        let request = Request {
            version: VERSION,
            op: "status".into(),
            seen: None,
            grace_ms: None,
        };
        if let Ok(Ok(status)) = timeout(ANSWER, ask(folder, &request)).await {
            return Ok(Some(status));
        }
        let at = folder.clone();
        match blocking(move || lost::look(&at)).await? {
            lost::Found::Ended(status) => return Ok(Some(status)),
            lost::Found::Nothing => return Ok(None),
            lost::Found::Alive if Instant::now() > deadline => {
                let message = format!(
                    "the supervisor of {} does not answer",
                    folder.path().display()
                );
                return Err(Error::Unavailable {
                    message,
                    source: None,
                });
            }
            lost::Found::Alive => sleep(BETWEEN).await,
        }
    }
}

/// Waits until the status differs; `None` if the supervisor went away first.
pub(super) async fn changed(folder: &Folder, seen: &Status) -> Result<Option<Status>> {
    let request = Request {
        version: VERSION,
        op: "changed".into(),
        seen: Some(seen.clone()),
        grace_ms: None,
    };
    Ok(ask(folder, &request).await.ok())
}

/// Asks for the end; who listens, hears.
pub(super) async fn stop(folder: &Folder, grace: Duration) {
    let grace_ms = Some(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
    let request = Request {
        version: VERSION,
        op: "stop".into(),
        seen: None,
        grace_ms,
    };
    if let Ok(Err(e)) = timeout(ANSWER, ask(folder, &request)).await {
        tracing::debug!(error = %e, run = %folder.path().display(), "stop");
    }
}

fn ended(folder: &Folder) -> Result<Option<Status>> {
    folder
        .read_exit()
        .context(|| format!("the end of {} cannot be read", folder.path().display()))
}

async fn ask(folder: &Folder, request: &Request) -> io::Result<Status> {
    let at = folder.clone();
    let plan = tokio::task::spawn_blocking(move || at.read_plan())
        .await
        .map_err(io::Error::other)??;
    let socket = plan.ok_or(io::ErrorKind::NotFound)?.control_socket();
    let answer = exchange(&socket, request).await?;
    if let Some(problem) = answer.error {
        return Err(io::Error::other(format!(
            "{}: {}",
            problem.code, problem.message
        )));
    }
    answer
        .status
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

async fn exchange(socket: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = Vec::new();
    BufReader::new(stream)
        .take(ANSWER_BYTES)
        .read_until(b'\n', &mut answer)
        .await?;
    Ok(serde_json::from_slice(&answer)?)
}

//! The supervisor's private socket: newline-separated JSON, one answer per request, with a version so that older and newer programs talk.
//!
//! Requests: `{"version":1,"op":"status"}`, `{"op":"changed","seen":STATUS}`, `{"op":"stop","grace_ms":N}`.
//! Answers: `{"version":1,"status":STATUS}` or `{"version":1,"error":{"code","message"}}`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::events::Event;
use crate::run::VERSION;
use crate::status::{Phase, Status};

/// Connections at a time.
const CONNECTIONS: u32 = 256;
/// The longest request.
const LINE_BYTES: u64 = 64 << 10;
/// How long growth of the log alone may be kept back, so that a chatty job costs few answers.
const GROWTH: Duration = Duration::from_millis(50);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    #[serde(default)]
    pub(crate) version: u32,
    pub(crate) op: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grace_ms: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// The listening socket with all that its connections share.
#[derive(Clone)]
pub(super) struct Control {
    status: watch::Receiver<Status>,
    events: mpsc::UnboundedSender<Event>,
    slots: Arc<Semaphore>,
}

impl Control {
    /// Serves until the task is dropped.
    pub(super) fn listen(
        path: &Path,
        status: watch::Receiver<Status>,
        events: mpsc::UnboundedSender<Event>,
    ) -> io::Result<Self> {
        crate::files::remove_all(path)?;
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let control = Self {
            status,
            events,
            slots: Arc::new(Semaphore::new(CONNECTIONS as usize)),
        };
        tokio::spawn(control.clone().accept(listener));
        Ok(control)
    }

    /// Waits, not for long, until everyone who asked about the end has been told.
    pub(super) async fn settle(&self) {
        drop(
            tokio::time::timeout(Duration::from_secs(1), self.slots.acquire_many(CONNECTIONS))
                .await,
        );
    }

    async fn accept(self, listener: UnixListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            // Taken after the connection: when nobody is connected, all slots are free.
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                return;
            };
            let control = self.clone();
            tokio::spawn(async move {
                // A client that hangs up has no one to be told.
                drop(control.serve(stream).await);
                drop(slot);
            });
        }
    }

    async fn serve(mut self, stream: UnixStream) -> io::Result<()> {
        let own = rustix::process::geteuid().as_raw();
        if ![own, 0].contains(&stream.peer_cred()?.uid()) {
            return Ok(());
        }
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        let mut ended = self.status.clone();
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut read).take(LINE_BYTES);
            tokio::select! {
                count = limited.read_until(b'\n', &mut line) => if count? == 0 { return Ok(()) },
                () = until(&mut ended, |s| s.phase == Phase::Exited) => return Ok(()),
            }
            let answer = tokio::select! {
                answer = self.answer(&line) => answer,
                () = hung_up(&mut read) => return Ok(()),
            };
            let mut bytes = serde_json::to_vec(&Answer {
                version: VERSION,
                ..answer
            })?;
            bytes.push(b'\n');
            write.write_all(&bytes).await?;
        }
    }

    async fn answer(&mut self, line: &[u8]) -> Answer {
        let request: Request = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(e) => return problem("invalid", &format!("the request cannot be read: {e}")),
        };
        let status = match request.op.as_str() {
            "status" => self.status.borrow().clone(),
            "changed" => self.changed(request.seen).await,
            "stop" => {
                let grace = Duration::from_millis(request.grace_ms.unwrap_or(0));
                drop(self.events.send(Event::Stop(grace)));
                self.status.borrow().clone()
            }
            other => {
                return problem(
                    "unknown_op",
                    &format!("this supervisor does not know {other:?}"),
                );
            }
        };
        Answer {
            status: Some(status),
            ..Answer::default()
        }
    }

    async fn changed(&mut self, seen: Option<Status>) -> Status {
        let Some(seen) = seen else {
            return self.status.borrow().clone();
        };
        let grows = self.status.clone();
        let growth = Instant::now() + GROWTH;
        let more = |now: &Status| {
            now.phase == Phase::Exited
                || Status {
                    log_bytes: seen.log_bytes,
                    ..now.clone()
                } != seen
        };
        tokio::select! {
            () = until(&mut self.status, more) => {}
            () = grown(grows, seen.log_bytes, growth) => {}
        }
        self.status.borrow().clone()
    }
}

/// Waits for a status; the sender lives as long as this process.
async fn until(status: &mut watch::Receiver<Status>, fits: impl FnMut(&Status) -> bool) {
    drop(status.wait_for(fits).await.map(drop));
}

/// Returns when the client has closed its end; never if it sends more.
async fn hung_up(read: &mut BufReader<OwnedReadHalf>) {
    if !read.fill_buf().await.is_ok_and(<[u8]>::is_empty) {
        std::future::pending::<()>().await;
    }
}

async fn grown(mut status: watch::Receiver<Status>, bytes: u64, not_before: Instant) {
    until(&mut status, |now| now.log_bytes != bytes).await;
    sleep_until(not_before).await;
}

fn problem(code: &str, message: &str) -> Answer {
    Answer {
        error: Some(Problem {
            code: code.into(),
            message: message.into(),
        }),
        ..Answer::default()
    }
}

//! What can happen to a run while it is watched, and where each of it comes from.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::time::Duration;

use rustix::process::{Pid, WaitOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::frame::{self, MAX_REPORT_BYTES, Report, Request};

/// Grace when the machine, not a person, ends the run.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// How long reports are waited for whose connection somebody outside the run holds open.
const LAST_REPORT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) enum Event {
    /// Launcher or init had something to say.
    Report(Report),
    /// The launcher's process ended.
    LauncherEnded {
        code: Option<i32>,
        signal: Option<i32>,
    },
    /// No process of the run is left.
    TreeGone,
    /// The log is complete but for what was left out.
    LogDone,
    /// The endpoint answers.
    Ready,
    /// Someone wants the run to end.
    Stop(Duration),
}

pub(super) type Events = mpsc::UnboundedSender<Event>;

/// Waits for all children on a thread of its own. As this process adopts orphans, having no child left means that nothing is left.
pub(super) fn reap(launcher: u32, events: Events) -> io::Result<()> {
    let wait_all = move || {
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) if same(pid, launcher) => {
                    let (code, signal) = (status.exit_status(), status.terminating_signal());
                    drop(events.send(Event::LauncherEnded { code, signal }));
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        drop(events.send(Event::TreeGone));
    };
    std::thread::Builder::new()
        .name("reaper".into())
        .spawn(wait_all)
        .map(drop)
}

/// Turns signals to this process into a stop; a closed terminal means nothing.
pub(super) fn signals(events: Events) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => drop(events.send(Event::Stop(SHUTDOWN_GRACE))),
                _ = interrupt.recv() => drop(events.send(Event::Stop(SHUTDOWN_GRACE))),
                _ = hangup.recv() => {}
            }
        }
    });
    Ok(())
}

/// The connection to launcher and init. Dropping it makes the init kill everything.
pub(super) struct Line {
    requests: mpsc::UnboundedSender<Vec<u8>>,
    sender: JoinHandle<()>,
    receiver: JoinHandle<()>,
}

impl Line {
    /// Sends `first`, already encoded, then whatever is asked for; reports arrive as events.
    pub(super) fn open(first: Vec<u8>, connection: OwnedFd, events: Events) -> io::Result<Self> {
        let stream = StdStream::from(connection);
        stream.set_nonblocking(true)?;
        let (read, write) = UnixStream::from_std(stream)?.into_split();
        let (requests, outgoing) = mpsc::unbounded_channel();
        drop(requests.send(first));
        let sender = tokio::spawn(send(write, outgoing));
        let receiver = tokio::spawn(receive(read, events));
        Ok(Self {
            requests,
            sender,
            receiver,
        })
    }

    pub(super) fn terminate(&self) {
        if let Ok(bytes) = frame::encode(&Request::Terminate) {
            drop(self.requests.send(bytes));
        }
    }
}

impl Line {
    /// Waits until everything that was reported is among the events. To be called when nobody is left who could report.
    pub(super) async fn finish(&mut self) {
        drop(timeout(LAST_REPORT, &mut self.receiver).await);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.sender.abort();
        self.receiver.abort();
    }
}

/// A connection that broke shows itself by the launcher's end.
async fn send(mut write: OwnedWriteHalf, mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = outgoing.recv().await {
        if write.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Reports are not trusted: an oversized or senseless one ends the listening, not the supervisor.
async fn receive(mut read: OwnedReadHalf, events: Events) {
    while let Ok(length) = read.read_u32().await {
        if length > MAX_REPORT_BYTES {
            return;
        }
        let mut body = vec![0; length as usize];
        if read.read_exact(&mut body).await.is_err() {
            return;
        }
        let Ok(report) = serde_json::from_slice(&body) else {
            return;
        };
        drop(events.send(Event::Report(report)));
    }
}

fn same(pid: Pid, number: u32) -> bool {
    u32::try_from(pid.as_raw_nonzero().get()).is_ok_and(|p| p == number)
}

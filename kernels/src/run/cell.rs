//! Running one cell: from the request to its reply and the last of its messages, or to what keeps it from them.

use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout};

use super::Outcome;
use super::session::Session;
use crate::client::{Channel, Client, Event, Message};
use crate::lenient;
use crate::outputs::Raised;

/// How long an interrupted cell may take to end before its kernel is killed.
const INTERRUPT_PATIENCE: Duration = Duration::from_secs(5);
/// The same where the run is to be held with its kernel.
const HELD_PATIENCE: Duration = Duration::from_mins(1);
/// How long the messages of a cell whose reply has come may stay away.
const IDLE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a kernel that has closed its sockets may take to end.
const CLOSED_PATIENCE: Duration = Duration::from_secs(1);
/// How long after a kernel's end its last messages may take to come.
const LAST_MESSAGES: Duration = Duration::from_millis(200);

/// How a cell ended.
pub(super) enum End {
    /// The next one may run.
    Done,
    /// The cell asked for the run to end well.
    Exited,
    /// The run is over.
    Failed(Outcome),
}

/// A cell on its way.
struct Running {
    index: usize,
    request: String,
    reply: Option<Reply>,
    is_idle: bool,
    raised: Option<Raised>,
    interrupted: Option<Why>,
    /// When the current phase is over: the time limit, then the patience with an interrupt.
    deadline: Option<Instant>,
    /// When missing messages are given up.
    quiet: Option<Instant>,
    /// When a kernel that has closed its sockets counts as gone.
    closed: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Why {
    TimeLimit,
    Stop,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    status: String,
    #[serde(flatten)]
    raised: Raised,
}

#[derive(Deserialize)]
struct Status {
    execution_state: String,
}

/// What woke the loop.
enum Wake {
    Event(Event),
    Exit(ExitStatus),
    Stop,
    Deadline,
    Quiet,
    Closed,
    Save,
}

impl Session<'_> {
    /// Runs the cell at `index` and gives how it ended; its results are in the record.
    pub(super) async fn run_cell(&mut self, index: usize) -> End {
        let source = self.record.document().cells()[index].source();
        let (request, message) = Client::request(source);
        self.record.begin(index, request.clone());
        self.save_if_due(self.record.is_save_due()).await;
        let limit = self.execute.cell_timeout_ms.map(Duration::from_millis);
        let mut running = Running {
            index,
            request,
            reply: None,
            is_idle: false,
            raised: None,
            interrupted: None,
            deadline: limit.map(|limit| Instant::now() + limit),
            quiet: None,
            closed: None,
        };
        if self.client.send(message).await.is_err() {
            // The kernel is gone already; its process tells why.
            running.closed = Some(Instant::now() + CLOSED_PATIENCE);
        }
        let end = self.drive(&mut running).await;
        let failed = matches!(end, End::Failed(_));
        self.record.end(index, failed);
        end
    }

    async fn drive(&mut self, running: &mut Running) -> End {
        loop {
            match self.wake(running).await {
                Wake::Event(Event::Message(message)) => self.take(running, &message).await,
                Wake::Event(Event::Closed) => {
                    running
                        .closed
                        .get_or_insert(Instant::now() + CLOSED_PATIENCE);
                }
                Wake::Exit(status) => return self.died(running, Some(status)).await,
                Wake::Closed => return self.died(running, None).await,
                Wake::Stop if running.interrupted.is_none() => {
                    self.interrupt(running, Why::Stop).await;
                }
                Wake::Deadline if running.interrupted.is_none() => {
                    self.interrupt(running, Why::TimeLimit).await;
                }
                Wake::Stop | Wake::Deadline => {
                    self.process.kill().await;
                    return self.ended(running);
                }
                Wake::Quiet => {
                    tracing::warn!("a kernel did not say that it was idle after a cell");
                    return self.ended(running);
                }
                Wake::Save => self.save_if_due(true).await,
            }
            if running.is_idle && running.reply.is_some() {
                return self.ended(running);
            }
        }
    }

    async fn wake(&mut self, running: &Running) -> Wake {
        let stops = match running.interrupted {
            None | Some(Why::TimeLimit) => 1,
            Some(Why::Stop) => 2,
        };
        let save = self
            .record
            .is_save_due()
            .then(Instant::now)
            .unwrap_or_else(|| self.record.next_save().into());
        let far = || Instant::now() + Duration::from_hours(1);
        tokio::select! {
            biased;
            () = self.stop.requested(stops) => Wake::Stop,
            () = sleep_until(running.deadline.unwrap_or_else(far)), if running.deadline.is_some() => Wake::Deadline,
            () = sleep_until(save), if self.record.has_changes() => Wake::Save,
            event = self.client.next() => Wake::Event(event),
            status = self.process.exited() => Wake::Exit(status),
            () = sleep_until(running.closed.unwrap_or_else(far)), if running.closed.is_some() => Wake::Closed,
            () = sleep_until(running.quiet.unwrap_or_else(far)), if running.quiet.is_some() => Wake::Quiet,
        }
    }

    async fn take(&mut self, running: &mut Running, message: &Message) {
        let is_own = message.parent == running.request;
        if message.channel == Channel::Shell {
            if is_own && message.kind == "execute_reply" {
                running.reply = lenient::from_slice(&message.content).ok();
                running.reply.get_or_insert_with(Reply::unreadable);
            }
        } else {
            if is_own && message.kind == "error" {
                running.raised = lenient::from_slice(&message.content).ok();
            }
            if is_own && message.kind == "status" {
                let status = serde_json::from_slice::<Status>(&message.content);
                running.is_idle |= status.is_ok_and(|status| status.execution_state == "idle");
            }
            self.receive(message, Some(running.index)).await;
        }
        if is_own && (running.reply.is_some() || running.is_idle) {
            running.quiet = Some(Instant::now() + IDLE_PATIENCE);
        }
    }

    async fn interrupt(&mut self, running: &mut Running, why: Why) {
        running.interrupted = Some(why);
        // What is held is the kernel: code that looks up only now and then gets the time to.
        let patience = match why {
            Why::TimeLimit if self.execute.hold_ms.is_some() => HELD_PATIENCE,
            _ => INTERRUPT_PATIENCE,
        };
        running.deadline = Some(Instant::now() + patience);
        let asked = self.interrupt_by_message
            && matches!(
                timeout(CLOSED_PATIENCE, self.client.ask_interrupt()).await,
                Ok(Ok(()))
            );
        if !asked {
            self.process.signal(Signal::INT);
        }
    }

    /// The end of a cell whose kernel is still there, or was killed by us.
    fn ended(&mut self, running: &mut Running) -> End {
        let cell = self.record.at(running.index);
        match running.interrupted {
            Some(Why::Stop) => {
                let signal = self.stop.signal().unwrap_or(15);
                return End::Failed(Outcome::Stopped {
                    signal,
                    cell: Some(cell),
                });
            }
            Some(Why::TimeLimit) => {
                let limit_ms = self.execute.cell_timeout_ms.unwrap_or_default();
                let outcome = Outcome::TimedOut { cell, limit_ms };
                self.explain(running.index, "TimeLimitError", &outcome, Vec::new());
                return End::Failed(outcome);
            }
            None => {}
        }
        let reported = running.reply.take().filter(|reply| reply.status == "error");
        let Some(raised) = reported
            .map(|reply| reply.raised)
            .or_else(|| running.raised.take())
        else {
            return End::Done;
        };
        if raised.ename == "SystemExit" && matches!(raised.evalue.as_str(), "" | "0" | "None") {
            return End::Exited;
        }
        if self.record.document().cells()[running.index].has_tag("raises-exception") {
            return End::Done;
        }
        let Raised {
            ename,
            evalue,
            traceback,
        } = raised;
        End::Failed(Outcome::Raised {
            cell,
            ename,
            evalue,
            traceback,
        })
    }

    /// The end of a cell whose kernel is gone: what it still sent is taken in, the rest is explained.
    async fn died(&mut self, running: &mut Running, status: Option<ExitStatus>) -> End {
        while let Ok(Event::Message(message)) = timeout(LAST_MESSAGES, self.client.next()).await {
            self.take(running, &message).await;
        }
        let reason = match status {
            Some(status) => self.process.describe(status),
            None => "closed its connection".into(),
        };
        // A stop reaches the kernel, too, and may do so before us.
        let _ = timeout(LAST_MESSAGES, self.stop.requested(1)).await;
        if self.stop.signal().is_some() && running.interrupted.is_none() {
            running.interrupted = Some(Why::Stop);
        }
        if running.interrupted.is_some() {
            return self.ended(running);
        }
        let words = self.process.last_words().await;
        let cell = self.record.at(running.index);
        let outcome = Outcome::Died { cell, reason };
        let words = words.lines().map(str::to_owned).collect();
        self.explain(running.index, "DeadKernelError", &outcome, words);
        End::Failed(outcome)
    }

    /// Puts into the notebook why a cell did not end by itself.
    pub(super) fn explain(
        &mut self,
        index: usize,
        ename: &str,
        outcome: &Outcome,
        words: Vec<String>,
    ) {
        let evalue = outcome.to_string();
        let mut traceback = words;
        traceback.push(format!("{ename}: {evalue}"));
        let ename = ename.to_owned();
        self.record.add_error(
            index,
            Raised {
                ename,
                evalue,
                traceback,
            },
        );
    }
}

impl Reply {
    fn unreadable() -> Self {
        Self {
            status: String::new(),
            raised: Raised::default(),
        }
    }
}

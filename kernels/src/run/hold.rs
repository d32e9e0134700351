//! Holding a run at a cell that failed: its kernel stays, and somebody is asked how to go on.

use std::process::ExitStatus;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};

use super::session::Session;
use super::{FAREWELL, Outcome, report};
use crate::client::{Channel, Event};
use crate::clock;
use crate::error::Result;
use crate::hold::{Answer, Held, Hold, HoldEnd};
use crate::notebook::seconds;

/// How long a run looks for a late answer: a restart of the service takes less, and so does a large notebook.
const LAST_CHANCE: Duration = Duration::from_mins(2);
/// How long a kernel that has closed its sockets may take to end.
const CLOSED_PATIENCE: Duration = Duration::from_secs(1);

/// What follows a cell that failed.
pub(super) enum Next {
    /// The cell at this position runs next.
    Cell(usize),
    /// The run is over.
    End(Outcome),
}

/// What woke a run that is held.
enum Wake {
    Answer(Answer),
    Expired,
    Stop,
    Exit(Option<ExitStatus>),
}

impl Session<'_> {
    /// Holds the run at the cell that failed, if that is wanted and its kernel is there; gives how it goes on.
    pub(super) async fn hold(&mut self, index: usize, outcome: Outcome) -> Next {
        let (Some(hook), Some(limit_ms)) = (self.hold, self.execute.hold_ms) else {
            return Next::End(outcome);
        };
        let ename = match &outcome {
            Outcome::Raised { ename, .. } => ename.clone(),
            Outcome::TimedOut { .. } => "TimeLimitError".to_owned(),
            _ => return Next::End(outcome),
        };
        let is_gone = timeout(Duration::ZERO, self.process.exited()).await.is_ok();
        if is_gone || self.stop.signal().is_some() {
            return Next::End(outcome);
        }
        report(&outcome, self.sink).await;
        self.is_told = true;
        self.save_if_due(true).await;
        self.holds += 1;
        let held = Held {
            number: self.holds,
            cell: self.record.at(index),
            ename,
            message: outcome.to_string(),
            limit_ms,
        };
        self.sink.say(&waits(&held)).await;
        self.wait(hook, &held, index, outcome).await
    }

    async fn wait(&mut self, hook: &dyn Hold, held: &Held, index: usize, outcome: Outcome) -> Next {
        let began_ms = clock::now_ms();
        let until = Instant::now() + Duration::from_millis(held.limit_ms);
        let mut until = until;
        let mut last_chance = false;
        let mut refused: Option<String> = None;
        loop {
            let ask = hook.ask(held, refused.as_deref());
            let end = match self.woken(ask, until).await {
                Wake::Answer(Answer::Resume(notebook)) => {
                    match self.go_on(index, notebook.as_deref()) {
                        Ok(from) => {
                            let facts = (began_ms, notebook.is_some());
                            self.resumed(hook, held, facts).await;
                            return Next::Cell(from);
                        }
                        Err(error) => {
                            let why = error.to_string();
                            self.sink
                                .say(&format!("not resumed: {why}; the run is still held"))
                                .await;
                            refused = Some(why);
                            continue;
                        }
                    }
                }
                Wake::Answer(Answer::GiveUp(why)) => {
                    let line = format!("the run cannot be held any longer: {why}");
                    self.sink.say(&line).await;
                    return Next::End(outcome);
                }
                Wake::Expired => HoldEnd::Expired,
                Wake::Stop => HoldEnd::Stopped,
                Wake::Exit(status) => return self.gone(hook, held, index, status).await,
            };
            let stands = timeout(FAREWELL, hook.over(held, end)).await;
            if end == HoldEnd::Stopped {
                self.is_told = false;
                return Next::End(Outcome::Stopped {
                    signal: self.stop.signal().unwrap_or(15),
                    cell: Some(held.cell.clone()),
                });
            }
            // Where an answer came just before, or nobody can say because the service is away, the run looks once more.
            if last_chance || stands.unwrap_or(false) {
                self.sink.say("nobody resumed the run in time").await;
                return Next::End(outcome);
            }
            last_chance = true;
            until = Instant::now() + LAST_CHANCE;
        }
    }

    /// Waits for an answer while taking in what the kernel still says.
    async fn woken(&mut self, ask: impl Future<Output = Answer>, until: Instant) -> Wake {
        let mut ask = std::pin::pin!(ask);
        loop {
            let save = self.record.next_save().into();
            let event = tokio::select! {
                biased;
                () = self.stop.requested(1) => return Wake::Stop,
                status = self.process.exited() => return Wake::Exit(Some(status)),
                answer = &mut ask => return Wake::Answer(answer),
                () = sleep_until(until) => return Wake::Expired,
                event = self.client.next() => event,
                () = sleep_until(save), if self.record.has_changes() => {
                    self.save_if_due(true).await;
                    continue;
                }
            };
            match event {
                Event::Closed => {
                    let status = timeout(CLOSED_PATIENCE, self.process.exited()).await;
                    return Wake::Exit(status.ok());
                }
                // A thread that an earlier cell started may print on.
                Event::Message(message) if message.channel == Channel::Iopub => {
                    self.receive(&message, None).await;
                }
                Event::Message(_) => {}
            }
        }
    }

    /// Prepares the record for going on; gives the position of the first cell to look at.
    fn go_on(&mut self, index: usize, notebook: Option<&str>) -> Result<usize> {
        if let Some(text) = notebook {
            return self.record.correct(text, index);
        }
        self.record.clear(index);
        Ok(index)
    }

    async fn resumed(&mut self, hook: &dyn Hold, held: &Held, (began_ms, corrected): (u64, bool)) {
        self.is_told = false;
        let now_ms = clock::now_ms();
        self.record.note_resumed(json!({
            "cell": held.cell.number, "held_ms": began_ms, "resumed_ms": now_ms, "ename": held.ename, "corrected": corrected,
        }));
        let how = if corrected {
            "with a corrected notebook"
        } else {
            "with the cell as it was"
        };
        let waited = seconds(now_ms.saturating_sub(began_ms));
        let line = format!("resumed after {waited:.0} s, {how}");
        self.sink.say(&line).await;
        let _ = timeout(FAREWELL, hook.over(held, HoldEnd::Resumed)).await;
    }

    /// The end of a run whose kernel has gone while it was held.
    async fn gone(
        &mut self,
        hook: &dyn Hold,
        held: &Held,
        index: usize,
        status: Option<ExitStatus>,
    ) -> Next {
        self.is_told = false;
        let how = match status {
            Some(status) => self.process.describe(status),
            None => "closed its connection".into(),
        };
        let outcome = Outcome::Died {
            cell: held.cell.clone(),
            reason: format!("{how} while the run was held"),
        };
        self.explain(index, "DeadKernelError", &outcome, Vec::new());
        let _ = timeout(FAREWELL, hook.over(held, HoldEnd::Died)).await;
        Next::End(outcome)
    }
}

fn waits(held: &Held) -> String {
    let left = seconds(held.limit_ms);
    format!(
        "held: the kernel is kept for {left:.0} s with everything in it; once resumed, the run goes on from {}",
        held.cell
    )
}

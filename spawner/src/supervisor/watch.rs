//! The supervisor's loop: from the launch to the exit record, one event at a time.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::control::Control;
use super::events::{self, Event, Events, Line};
use super::outcome::Ended;
use super::prepare;
use super::pump::Pump;
use super::{Run, ready, tail, taken};
use crate::cgroup::Group;
use crate::frame::Report;
use crate::status::{Failure, Phase, Reason, Status};
use crate::{docker, files, host};

/// Grace after the time limit and after a start that took too long.
const GRACE: Duration = Duration::from_secs(10);
/// How often what refuses to die is killed again.
const KILL_AGAIN: Duration = Duration::from_millis(50);
/// How long output is waited for that someone outside the run holds open, or that the full disk does not take.
const LAST_OUTPUT: Duration = Duration::from_secs(5);
/// How long the engine may take to remove a container; what it did not is found later.
const REMOVAL: Duration = Duration::from_secs(8);

/// Looks after the run until its end is on disk.
pub(super) async fn run(mut run: Run, mut starter: UnixStream) -> io::Result<()> {
    let (events, mut inbox) = mpsc::unbounded_channel();
    let (status, seen) = watch::channel(run.first_status());
    let control = Control::listen(&run.plan.control_socket(), seen, events.clone())?;
    events::signals(events.clone())?;
    // The starter may be gone; the run is not its own any more.
    drop(taken(&mut starter));
    drop(starter);
    let mut watched = Watched {
        status,
        ended: Ended {
            contained: run.plan.docker.is_some(),
            ..Ended::default()
        },
        group: Group::default(),
        launcher: None,
        unseen: None,
    };
    watched.carry_out(&mut run, events, &mut inbox).await;
    let last = watched.last_status(&run);
    clean_up(&run, &watched.group);
    let last = run.folder.write_exit(last)?;
    watched.status.send_replace(last);
    if let Some(plan) = run.plan.docker.as_ref().filter(|_| run.state.on_engine) {
        plan.step("ended");
        if let Err((_, message)) = plan.remove(REMOVAL).await {
            super::note(&message);
        }
    }
    control.settle().await;
    // From here on the folder alone answers.
    files::remove_all(&run.plan.sockets)
}

/// What is left outside the run's folder; what cannot be removed now is removed with the run.
fn clean_up(run: &Run, group: &Group) {
    drop(group.remove());
    drop(files::remove_all(&run.plan.endpoint_socket()));
    drop(files::remove_all(&run.plan.endpoint_folder()));
}

pub(super) struct Watched {
    pub(super) status: watch::Sender<Status>,
    pub(super) ended: Ended,
    group: Group,
    /// The process that all of the work ends with.
    pub(super) launcher: Option<u32>,
    /// A container whose processes cannot be seen from here.
    pub(super) unseen: Option<docker::Plan>,
}

/// When the loop must act without an event.
#[derive(Default)]
pub(super) struct Deadlines {
    time_limit: Option<Instant>,
    pub(super) start: Option<Instant>,
    kill: Option<Instant>,
}

impl Deadlines {
    fn next(&self) -> Option<Instant> {
        [self.time_limit, self.start, self.kill]
            .into_iter()
            .flatten()
            .min()
    }

    /// Kills at the latest after `grace`.
    fn kill_after(&mut self, grace: Duration) {
        let at = Instant::now() + grace;
        self.kill = Some(self.kill.map_or(at, |k| k.min(at)));
    }
}

/// The parts of a launched run.
pub(super) struct Launched {
    pub(super) line: Line,
    pub(super) pump: Pump,
    pub(super) deadlines: Deadlines,
    pub(super) ready: Option<(std::path::PathBuf, std::path::PathBuf, String)>,
}

impl Watched {
    async fn carry_out(
        &mut self,
        run: &mut Run,
        events: Events,
        inbox: &mut mpsc::UnboundedReceiver<Event>,
    ) {
        let prepared = match prepare::prepare(run) {
            Ok(prepared) => prepared,
            Err(refusal) => return self.ended.failure = Some(refusal),
        };
        self.group = prepared.group.clone();
        let secrets_folder = prepared.secrets_folder.clone();
        if let Some(mut launched) = self.launch(run, prepared, &events, inbox).await {
            self.follow(run, &mut launched, &events, inbox).await;
            self.finish(run, launched, inbox).await;
        }
        drop(secrets_folder.map(|f| files::remove_all(&f)));
    }

    async fn follow(
        &mut self,
        run: &Run,
        launched: &mut Launched,
        events: &Events,
        inbox: &mut mpsc::UnboundedReceiver<Event>,
    ) {
        let probe = launched.ready.take().map(|(made, kept, path)| {
            let events = events.clone();
            tokio::spawn(async move {
                ready::wait(made, kept, path).await;
                drop(events.send(Event::Ready));
            })
        });
        let has_endpoint = probe.is_some();
        loop {
            let deadline = launched.deadlines.next();
            let event = tokio::select! {
                event = inbox.recv() => event,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => None,
            };
            match event {
                Some(Event::TreeGone) => break,
                Some(Event::Report(Report::Started)) => self.begun(run, launched, has_endpoint),
                Some(event) => self.take(event, launched),
                None => self.pass_deadline(launched),
            }
        }
        if let Some(probe) = probe {
            probe.abort();
        }
    }

    fn begun(&mut self, run: &Run, launched: &mut Launched, has_endpoint: bool) {
        self.ended.begun = true;
        let limit = run
            .plan
            .spec
            .limits
            .time_limit_ms
            .map(Duration::from_millis);
        launched.deadlines.time_limit = limit.and_then(|l| Instant::now().checked_add(l));
        if !has_endpoint {
            self.answers();
        }
    }

    fn answers(&mut self) {
        self.status
            .send_modify(|s| (s.phase, s.ready) = (Phase::Running, true));
    }

    fn take(&mut self, event: Event, launched: &mut Launched) {
        match event {
            Event::Report(Report::Failed { failure, message }) => {
                self.ended.failure.get_or_insert((failure, message));
                self.kill(launched);
            }
            Event::Report(Report::Exited {
                code,
                signal,
                oom_kills,
            }) => {
                self.ended.begun = true;
                self.ended.oom_kills = oom_kills;
                self.ended.command.get_or_insert((code, signal));
                self.kill(launched);
            }
            Event::LauncherEnded { code, signal } => {
                self.launcher = None;
                self.ended.launcher = Some((code, signal));
                self.kill(launched);
            }
            Event::Ready => {
                launched.deadlines.start = None;
                self.answers();
            }
            Event::Stop(grace) => self.ask(launched, Reason::Stopped, "It was stopped.", grace),
            Event::Report(Report::Started) | Event::TreeGone | Event::LogDone => {}
        }
    }

    /// Begins to end the run, or hurries the end that has begun.
    fn ask(&mut self, launched: &mut Launched, reason: Reason, message: &str, grace: Duration) {
        launched.deadlines.start = None;
        launched.deadlines.time_limit = None;
        launched.deadlines.kill_after(grace);
        if self.ended.asked.is_none() && self.ended.command.is_none() {
            self.ended.asked = Some((reason, message.to_owned()));
            launched.pump.note(message);
            launched.line.terminate();
        }
    }

    fn pass_deadline(&mut self, launched: &mut Launched) {
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if passed(launched.deadlines.kill) {
            self.kill(launched);
        } else if passed(launched.deadlines.start) {
            let message = "It did not answer within its time.";
            self.ended
                .failure
                .get_or_insert((Failure::NeverListened, message.to_owned()));
            self.ask(launched, Reason::StartFailed, message, GRACE);
        } else if passed(launched.deadlines.time_limit) {
            self.ask(
                launched,
                Reason::TimeLimit,
                "It reached its time limit.",
                GRACE,
            );
        }
    }

    /// Kills everything there is, now and again until nothing is left.
    fn kill(&mut self, launched: &mut Launched) {
        self.group.kill();
        if let (Some(plan), None) = (&self.unseen, self.launcher) {
            let plan = plan.clone();
            tokio::spawn(async move { plan.kill().await });
        }
        let own = std::process::id();
        for pid in host::descendants(own).into_iter().chain(self.launcher) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        launched.deadlines = Deadlines {
            kill: Some(Instant::now() + KILL_AGAIN),
            ..Deadlines::default()
        };
    }

    /// Collects what was said before the tree was gone, then completes the log.
    async fn finish(
        &mut self,
        run: &Run,
        mut launched: Launched,
        inbox: &mut mpsc::UnboundedReceiver<Event>,
    ) {
        launched.line.finish().await;
        while let Ok(event) = inbox.try_recv() {
            self.take(event, &mut launched);
        }
        self.ended.oom_kills = self.ended.oom_kills.max(self.group.oom_kills());
        if let (Some(plan), None) = (&run.plan.docker, self.ended.command) {
            // The init said nothing: perhaps it was what the kernel ended.
            self.ended.oom_kills += u64::from(plan.oom(LAST_OUTPUT).await);
        }
        self.complete_log(&launched.pump, inbox).await;
    }

    pub(super) async fn complete_log(
        &self,
        pump: &Pump,
        inbox: &mut mpsc::UnboundedReceiver<Event>,
    ) {
        if let Some(note) = self.ended.note() {
            pump.note(note);
        }
        pump.close();
        for _ in 0..2 {
            let done =
                async { while !matches!(inbox.recv().await, Some(Event::LogDone) | None) {} };
            if timeout(LAST_OUTPUT, done).await.is_ok() {
                return;
            }
            pump.abandon();
        }
    }

    fn last_status(&self, run: &Run) -> Status {
        let log_bytes = run.log.metadata().map_or(0, |m| m.len());
        let tail = tail::read(&run.folder.log());
        let exit = Some(self.ended.exit(&tail));
        let now = self.status.borrow().clone();
        Status {
            phase: Phase::Exited,
            pid: None,
            exit,
            log_bytes,
            oom_kills: self.ended.oom_kills,
            ..now
        }
    }
}

//! The beginning of a run: its log is opened, and what carries the work out is started, as a process or as a container.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::events::{self, Event, Events, Line};
use super::prepare::{Prepared, Refusal};
use super::pump::{Log, Pump};
use super::watch::{Deadlines, Launched, Watched};
use super::{Run, container};
use crate::status::{Failure, Reason};
use crate::{frame, host};

impl Watched {
    /// Starts the work; `None` if it does not run, with the log complete and the reason known.
    pub(super) async fn launch(
        &mut self,
        run: &mut Run,
        prepared: Prepared,
        events: &Events,
        inbox: &mut mpsc::UnboundedReceiver<Event>,
    ) -> Option<Launched> {
        let (pump, outputs) = match self.begin_log(run, events) {
            Ok(begun) => begun,
            Err(e) => {
                self.ended.failure = Some(refused(&e));
                return None;
            }
        };
        prepared.notes.iter().for_each(|n| pump.note(n));
        let socket = prepared.socket.clone();
        let line = if run.plan.docker.is_some() {
            let told = (&pump, events);
            self.launch_container((run, &prepared), outputs, told, inbox)
                .await
        } else {
            self.launch_process(&prepared, outputs, events)
                .map_err(|e| Some(refused(&e)))
        };
        let line = match line {
            Ok(line) => line,
            Err(refusal) => {
                self.ended.failure = refusal;
                self.complete_log(&pump, inbox).await;
                return None;
            }
        };
        let mut deadlines = Deadlines::default();
        let mut ready = None;
        if let (Some(endpoint), Some(socket)) = (&run.plan.spec.endpoint, socket) {
            deadlines.start =
                Some(Instant::now() + Duration::from_millis(endpoint.start_timeout_ms));
            ready = Some((
                socket,
                run.plan.endpoint_socket(),
                endpoint.ready_path.clone(),
            ));
        }
        Some(Launched {
            line,
            pump,
            deadlines,
            ready,
        })
    }

    /// Opens the log and the pipes that lead to it.
    fn begin_log(&self, run: &Run, events: &Events) -> io::Result<(Pump, [OwnedFd; 2])> {
        let (out, out_end) = io::pipe()?;
        let (err, err_end) = io::pipe()?;
        let status = self.status.clone();
        let grown = Box::new(move |bytes| status.send_modify(|s| s.log_bytes = bytes));
        let log = Log {
            file: run.log.try_clone()?,
            limit_bytes: run.plan.spec.limits.log_limit_bytes,
            grown,
        };
        let done = events.clone();
        let pump = Pump::start(log, out.into(), err.into(), move |_| {
            drop(done.send(Event::LogDone));
        })?;
        Ok((pump, [out_end.into(), err_end.into()]))
    }

    fn launch_process(
        &mut self,
        prepared: &Prepared,
        [out, err]: [OwnedFd; 2],
        events: &Events,
    ) -> io::Result<Line> {
        let mut first = frame::encode(&prepared.order)?;
        first.extend(frame::encode(&prepared.work)?);
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = super::launcher(theirs.into(), Stdio::from(out), Stdio::from(err));
        let child = command.spawn()?;
        drop(command);
        self.runs_as(child.id());
        events::reap(child.id(), events.clone())?;
        Line::open(first, ours.into(), events.clone())
    }

    /// Has the container made, which may take long; a stop meanwhile is the end, told by no refusal.
    async fn launch_container(
        &mut self,
        (run, prepared): (&mut Run, &Prepared),
        outputs: [OwnedFd; 2],
        (pump, events): (&Pump, &Events),
        inbox: &mut mpsc::UnboundedReceiver<Event>,
    ) -> Result<Line, Option<Refusal>> {
        let Some(plan) = run.plan.docker.clone() else {
            return Err(None);
        };
        let made = {
            let making = container::launch(run, &plan, &prepared.mounts, pump, outputs);
            let mut making = std::pin::pin!(making);
            loop {
                tokio::select! {
                    made = &mut making => break made.map_err(Some)?,
                    event = inbox.recv() => if matches!(event, Some(Event::Stop(_)) | None) {
                        let message = "It was stopped.";
                        self.ended.asked = Some((Reason::Stopped, message.to_owned()));
                        pump.note(message);
                        return Err(None);
                    }
                }
            }
        };
        let opened = || {
            let first = frame::encode(&prepared.work)?;
            container::watch(made.pid, &plan, events.clone())?;
            Line::open(first, made.line, events.clone())
        };
        let line = opened().map_err(|e| Some(refused(&e)))?;
        if let Some(pid) = made.pid {
            self.runs_as(pid);
            run.state.init = Some(host::Identity::of(pid));
            let kept = run.folder.update_state(&run.state);
            kept.map_err(|e| Some(refused(&e)))?;
        }
        self.unseen = made.pid.is_none().then(|| plan.clone());
        plan.step("work");
        Ok(line)
    }

    fn runs_as(&mut self, pid: u32) {
        self.launcher = Some(pid);
        self.status.send_modify(|s| s.pid = Some(pid));
    }
}

fn refused(error: &io::Error) -> Refusal {
    let message = format!("The machine refused to start it: {error}.");
    (Failure::Refused, message)
}

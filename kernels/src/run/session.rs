//! A run's kernel and record together: starting the one, closing both.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::cell::End;
use super::hold::Next;
use super::record::Record;
use super::{Execute, Outcome};
use crate::client::{Channel, Client, Event, Message};
use crate::error::{Error, Result};
use crate::hold::Hold;
use crate::kernelspec::Kernelspec;
use crate::process::{Process, Start};
use crate::sink::{Sink, Stream};
use crate::stop::Stop;

/// How long a kernel may take to end by itself when everything has run: what it does at exit counts.
const END_PATIENCE: Duration = Duration::from_secs(30);
/// The same after a failure or a stop.
const FAILED_PATIENCE: Duration = Duration::from_secs(2);

/// A run whose kernel answers.
pub(super) struct Session<'a> {
    pub(super) execute: &'a Execute,
    pub(super) record: Record,
    pub(super) process: Process,
    pub(super) client: Client,
    pub(super) interrupt_by_message: bool,
    pub(super) stop: &'a Stop,
    pub(super) sink: &'a Sink,
    /// Who is asked about a cell that failed.
    pub(super) hold: Option<&'a dyn Hold>,
    /// How often the run has been held.
    pub(super) holds: u32,
    /// Whether the log tells already of the outcome.
    pub(super) is_told: bool,
    /// Whether the last text of each stream ended its line.
    pub(super) open_lines: [bool; 2],
    save_has_failed: bool,
}

/// What came of starting.
pub(super) enum Started<'a> {
    Ready(Box<Session<'a>>),
    Stopped(u8),
}

impl<'a> Session<'a> {
    /// Starts the kernel and waits until it answers and its publishing socket is heard.
    pub(super) async fn start(
        execute: &'a Execute,
        mut record: Record,
        spec: &Kernelspec,
        (stop, hold): (&'a Stop, Option<&'a dyn Hold>),
        sink: &'a Sink,
    ) -> Result<Started<'a>> {
        let limit = Duration::from_millis(execute.start_timeout_ms);
        let mut over_tcp = false;
        let ready = loop {
            let start = Start {
                spec,
                cwd: &execute.cwd,
                environment: execute.environment.as_deref(),
                over_tcp,
            };
            let attempt = tokio::select! {
                biased;
                () = stop.requested(1) => Ok(None),
                attempt = timeout(limit, ready(&start, sink)) => attempt.unwrap_or_else(|_| Err(Failure::Final(slow(spec, limit)))).map(Some),
            };
            match attempt {
                // Kernels that do not know sockets in folders end at once.
                Err(Failure::Early(_)) if !over_tcp && spec.language != "python" => over_tcp = true,
                Err(Failure::Early(error) | Failure::Final(error)) => {
                    record.describe(Some(true));
                    record.save(true)?;
                    return Err(error);
                }
                Ok(ready) => break ready,
            }
        };
        let Some((process, client, info)) = ready else {
            record.describe(Some(true));
            record.save(true)?;
            return Ok(Started::Stopped(stop.signal().unwrap_or(15)));
        };
        record.set_language(&info);
        Ok(Started::Ready(Box::new(Self {
            execute,
            record,
            process,
            client,
            interrupt_by_message: spec.interrupt_by_message,
            stop,
            sink,
            hold,
            holds: 0,
            is_told: false,
            open_lines: [false; 2],
            save_has_failed: false,
        })))
    }

    /// Runs the cells one by one, until one ends the run.
    pub(super) async fn run_cells(&mut self) -> Outcome {
        let mut next = 0;
        while let Some(index) = self.record.code_cell_from(next) {
            next = index + 1;
            let cell = &self.record.document().cells()[index];
            if cell.source().trim().is_empty() || cell.has_tag("skip-execution") {
                self.record.end(index, false);
                continue;
            }
            if let Some(signal) = self.stop.signal() {
                return Outcome::Stopped { signal, cell: None };
            }
            let at = self.record.at(index);
            self.sink
                .say(&format!("[{}/{}] {}", at.number, at.total, at.title))
                .await;
            let end = self.run_cell(index).await;
            self.close_lines().await;
            match end {
                End::Done => self.progress(index, &at).await,
                End::Exited => return Outcome::Complete,
                End::Failed(outcome) => match self.hold(index, outcome).await {
                    Next::Cell(from) => next = from,
                    Next::End(outcome) => return outcome,
                },
            }
        }
        Outcome::Complete
    }

    /// Saves where that is due; a save that fails is said once and tried again later.
    pub(super) async fn save_if_due(&mut self, is_due: bool) {
        if !is_due {
            return;
        }
        match self.record.save(false) {
            Ok(()) => self.save_has_failed = false,
            Err(error) if !self.save_has_failed => {
                self.save_has_failed = true;
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let cause = cause.unwrap_or_default();
                self.sink
                    .say(&format!("warning: {error}: {cause}; it is tried again"))
                    .await;
            }
            Err(_) => {}
        }
    }

    /// Takes one message in and passes on what it prints; a stop request ends the wait for a slow reader.
    pub(super) async fn receive(&mut self, message: &Message, current: Option<usize>) {
        let Some((stream, text)) = self.record.receive(message, current) else {
            return;
        };
        if let Some(last) = text.as_bytes().last() {
            self.open_lines[stream as usize] = *last != b'\n';
        }
        tokio::select! {
            () = self.sink.write(stream, text.as_bytes()) => {}
            () = async { self.stop.requested(1).await; sleep(Duration::from_secs(2)).await } => {}
        }
    }

    /// Ends a line that a cell left open, so that the next cell's first line is a line of its own.
    async fn close_lines(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if std::mem::take(&mut self.open_lines[stream as usize]) {
                self.sink.write(stream, b"\n").await;
            }
        }
    }

    async fn progress(&mut self, index: usize, at: &super::At) {
        self.save_if_due(true).await;
        let ms = self.record.duration_ms(index);
        if ms >= 1000 {
            let seconds = crate::notebook::seconds(ms);
            self.sink
                .say(&format!(
                    "[{}/{}] done in {seconds:.1} s",
                    at.number, at.total
                ))
                .await;
        }
    }

    /// Ends the kernel and saves the notebook for good.
    ///
    /// # Errors
    /// `Save` when that fails.
    pub(super) async fn finish(mut self: Box<Self>, outcome: &Outcome) -> Result<()> {
        let is_complete = *outcome == Outcome::Complete;
        self.save_if_due(self.record.has_changes()).await;
        if !matches!(outcome, Outcome::Died { .. }) {
            let patience = if is_complete {
                END_PATIENCE
            } else {
                FAILED_PATIENCE
            };
            self.shut_down(patience).await;
        }
        self.process.kill().await;
        while let Some(event) = self.client.next_now() {
            self.late(event).await;
        }
        self.close_lines().await;
        self.record.describe(Some(!is_complete));
        self.record.save(true)
    }

    /// Asks the kernel to end and takes in what it still has to say.
    async fn shut_down(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        // A request that has led here is not one to hurry up.
        let hurry = if self.stop.signal().is_some() { 2 } else { 1 };
        if timeout(FAILED_PATIENCE, self.client.ask_shutdown())
            .await
            .is_err()
        {
            return;
        }
        loop {
            let event = tokio::select! {
                _ = self.process.exited() => return,
                () = sleep_until(deadline) => return,
                () = self.stop.requested(hurry) => return,
                event = self.client.next() => event,
            };
            if matches!(event, Event::Closed) {
                let _ = timeout(FAILED_PATIENCE, self.process.exited()).await;
                return;
            }
            self.late(event).await;
        }
    }

    async fn late(&mut self, event: Event) {
        if let Event::Message(message) = event
            && message.channel == Channel::Iopub
        {
            self.receive(&message, None).await;
        }
    }
}

/// After so many questions a kernel that answers, but publishes nothing, is taken as it is.
const UNHEARD_ROUNDS: u32 = 20;

/// Why a kernel did not come up.
enum Failure {
    /// Its process ended before it had made its sockets.
    Early(Error),
    Final(Error),
}

type Ready = (Process, Client, Value);

async fn ready(start: &Start<'_>, sink: &Sink) -> std::result::Result<Ready, Failure> {
    let mut process = Process::start(start, sink.clone())
        .await
        .map_err(Failure::Final)?;
    let sockets = process.sockets();
    let made = async {
        while !sockets.iter().all(|path| path.exists()) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let is_early = tokio::select! {
        _ = process.exited() => true,
        () = made => false,
    };
    if is_early {
        return Err(Failure::Early(
            ended_at_start(&mut process, start.spec).await,
        ));
    }
    let connection = process.connection.clone();
    let answered = tokio::select! {
        biased;
        answered = answer(&connection) => Some(answered),
        _ = process.exited() => None,
    };
    match answered {
        Some(Ok((client, info))) => Ok((process, client, info)),
        Some(Err(error)) => {
            // A kernel that ends while it is asked says more by how it ended.
            let ended = timeout(Duration::from_secs(1), process.exited()).await;
            let error = if ended.is_ok() {
                ended_at_start(&mut process, start.spec).await
            } else {
                let name = &start.spec.name;
                Error::Unavailable(format!("the kernel `{name}` cannot be reached: {error}"))
            };
            Err(Failure::Final(error))
        }
        None if process.sockets().is_empty()
            || process.sockets().iter().any(|path| path.exists()) =>
        {
            Err(Failure::Final(
                ended_at_start(&mut process, start.spec).await,
            ))
        }
        None => Err(Failure::Early(
            ended_at_start(&mut process, start.spec).await,
        )),
    }
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    language_info: Value,
}

/// Connects, and asks until a reply has come and the publishing socket has been heard: before that its messages are lost.
async fn answer(
    connection: &jupyter_zmq_client::ConnectionInfo,
) -> std::result::Result<(Client, Value), jupyter_zmq_client::RuntimeError> {
    let mut client = Client::connect(connection).await?;
    let mut info = None;
    let mut is_heard = false;
    let mut round = 0;
    loop {
        client.ask_info().await?;
        let until = Instant::now() + Duration::from_millis(500);
        while let Ok(event) = tokio::time::timeout_at(until, client.next()).await {
            let Event::Message(message) = event else {
                break;
            };
            match message.channel {
                Channel::Iopub => is_heard = true,
                Channel::Shell if message.kind == "kernel_info_reply" => {
                    info = serde_json::from_slice::<Info>(&message.content).ok();
                }
                Channel::Shell => {}
            }
            if let Some(info) = info.take_if(|_| is_heard || round >= UNHEARD_ROUNDS) {
                return Ok((client, info.language_info));
            }
        }
        round += 1;
    }
}

async fn ended_at_start(process: &mut Process, spec: &Kernelspec) -> Error {
    let status = process.exited().await;
    let reason = process.describe(status);
    let words = process.last_words().await;
    let words = if words.is_empty() {
        words
    } else {
        format!("; it said:\n{words}")
    };
    Error::Unavailable(format!(
        "the kernel `{}` {reason} while it was starting{words}",
        spec.name
    ))
}

fn slow(spec: &Kernelspec, limit: Duration) -> Error {
    Error::Unavailable(format!(
        "the kernel `{}` did not answer within {} s",
        spec.name,
        limit.as_secs_f64()
    ))
}

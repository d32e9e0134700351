//! A headless run of one notebook, from its file to its outcome.
//!
//! Order: everything is checked and the output saved once before a kernel starts; cells then run one by one; whatever happens,
//! the notebook is saved and the kernel's whole process group ended before this returns.

mod cell;
mod correct;
mod hold;
mod plan;
mod record;
mod session;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use self::plan::Plan;
use self::session::{Session, Started};
use crate::error::{Error, Result};
use crate::hold::Hold;
use crate::sink::Sink;
use crate::stop::Stop;

/// How long whoever answers holds may take to hear the last of it.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is to be run, and how.
#[derive(Debug, Clone)]
pub struct Execute {
    /// The notebook; it is only read.
    pub notebook: PathBuf,
    /// Where the executed notebook goes; its folder must exist.
    pub output: PathBuf,
    /// Values for the cell of parameters.
    pub parameters: Map<String, Value>,
    /// The kernel's name; else the notebook's own, else `python3`.
    pub kernel: Option<String>,
    /// The environment whose kernels and `python` are used.
    pub environment: Option<PathBuf>,
    /// The kernel's working folder.
    pub cwd: PathBuf,
    /// How long one cell may run.
    pub cell_timeout_ms: Option<u64>,
    /// How long a run whose cell failed is held with its kernel, if [`execute`] is given somebody to ask; else it ends there.
    pub hold_ms: Option<u64>,
    /// How long the kernel may take to start.
    pub start_timeout_ms: u64,
    /// How many bytes of output one cell keeps in the notebook.
    pub cell_output_bytes: usize,
}

impl Execute {
    /// A run with the default limits: no limit per cell, 120 s to start, 64 MiB of output kept per cell.
    pub fn new(
        notebook: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
        cwd: impl Into<PathBuf>,
    ) -> Self {
        Self {
            notebook: notebook.into(),
            output: output.into(),
            parameters: Map::new(),
            kernel: None,
            environment: None,
            cwd: cwd.into(),
            cell_timeout_ms: None,
            hold_ms: None,
            start_timeout_ms: 120_000,
            cell_output_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Which cell something happened in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct At {
    /// Its number among the code cells, from 1.
    pub number: usize,
    /// How many code cells there are.
    pub total: usize,
    /// Its first line.
    pub title: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every cell ran, or one called `sys.exit(0)`.
    Complete,
    /// A cell raised an exception and no later cell ran.
    Raised {
        /// The cell.
        cell: At,
        /// The exception's name.
        ename: String,
        /// What it says.
        evalue: String,
        /// Its lines, as the kernel wrote them.
        traceback: Vec<String>,
    },
    /// The kernel was gone before a cell was done.
    Died {
        /// The cell.
        cell: At,
        /// What became of the kernel, as in `was killed (SIGKILL)`.
        reason: String,
    },
    /// A cell ran longer than it may.
    TimedOut {
        /// The cell.
        cell: At,
        /// The limit.
        limit_ms: u64,
    },
    /// The run was asked to stop.
    Stopped {
        /// The signal that asked, 15 for SIGTERM.
        signal: u8,
        /// The cell that was interrupted, if one ran.
        cell: Option<At>,
    },
}

impl Outcome {
    /// The exit status of `cairn execute`: 0 complete, 1 a cell raised or ran too long, 3 the kernel died, 128 + signal.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Raised { .. } | Self::TimedOut { .. } => 1,
            Self::Died { .. } => 3,
            Self::Stopped { signal, .. } => 128 + (signal & 0x7f),
        }
    }
}

impl Outcome {
    /// One word for it: `complete`, `raised`, `died`, `timed_out` or `stopped`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Raised { .. } => "raised",
            Self::Died { .. } => "died",
            Self::TimedOut { .. } => "timed_out",
            Self::Stopped { .. } => "stopped",
        }
    }

    /// The cell that ended the run, if one did.
    pub fn cell(&self) -> Option<&At> {
        match self {
            Self::Complete => None,
            Self::Raised { cell, .. } | Self::Died { cell, .. } | Self::TimedOut { cell, .. } => {
                Some(cell)
            }
            Self::Stopped { cell, .. } => cell.as_ref(),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            total,
            title,
        } = self;
        write!(formatter, "cell {number} of {total} (`{title}`)")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => formatter.write_str("every cell has run"),
            Self::Raised {
                cell,
                ename,
                evalue,
                ..
            } if evalue.is_empty() => {
                write!(formatter, "{cell} raised {ename}")
            }
            Self::Raised {
                cell,
                ename,
                evalue,
                ..
            } => {
                write!(formatter, "{cell} raised {ename}: {evalue}")
            }
            Self::Died { cell, reason } => {
                write!(formatter, "the kernel died in {cell}: it {reason}")
            }
            Self::TimedOut { cell, limit_ms } => {
                let seconds = crate::notebook::seconds(*limit_ms);
                write!(
                    formatter,
                    "{cell} ran longer than its time limit of {seconds} s"
                )
            }
            Self::Stopped {
                cell: Some(cell), ..
            } => write!(formatter, "stopped in {cell}"),
            Self::Stopped { cell: None, .. } => formatter.write_str("stopped between cells"),
        }
    }
}

/// Runs a notebook and saves what it put out.
///
/// The output is saved before the first cell, after every cell and every few seconds within one. Text that cells print goes
/// to this process's stdout and stderr, whole and in order; progress lines go to stderr. `stop` interrupts the running cell.
/// A cell that raised or ran too long ends the run, unless it is to be held: then `hold` is asked, which may be often, and the run
/// goes on from that cell in the same kernel. Dropping the future kills the kernel and leaves the notebook as it was last saved. Needs a multi-threaded runtime, or
/// else messages wait while a notebook is saved.
///
/// # Errors
/// `Invalid` and `NotFound` before anything ran; `Unavailable` when the kernel does not start; `Save` when the folder of the
/// output cannot be written at first, or the end result cannot be saved: the cells have run then.
pub async fn execute(execute: Execute, stop: &Stop, hold: Option<&dyn Hold>) -> Result<Outcome> {
    let (sink, writer) = Sink::start()
        .map_err(|error| Error::internal("no thread for output can be started", error))?;
    let outcome = run(execute, (stop, hold), &sink).await;
    drop(sink);
    // Stopping must not take long, and nobody may be reading any more.
    let patience = if stop.signal().is_some() { 2 } else { 60 };
    writer.finish(Duration::from_secs(patience)).await;
    outcome
}

async fn run(
    execute: Execute,
    (stop, hold): (&Stop, Option<&dyn Hold>),
    sink: &Sink,
) -> Result<Outcome> {
    let Plan {
        mut record,
        spec,
        warnings,
    } = plan::prepare(&execute)?;
    for warning in warnings {
        sink.say(&format!("warning: {warning}")).await;
    }
    record.save(false)?;
    let started = Session::start(&execute, record, &spec, (stop, hold), sink).await?;
    let mut session = match started {
        Started::Ready(session) => session,
        Started::Stopped(signal) => return Ok(Outcome::Stopped { signal, cell: None }),
    };
    let outcome = session.run_cells().await;
    if !session.is_told {
        report(&outcome, sink).await;
    }
    session.finish(&outcome).await?;
    if let Some(hold) = hold {
        let _ = tokio::time::timeout(FAREWELL, hold.settled()).await;
    }
    Ok(outcome)
}

/// Puts an outcome that needs an explanation into the log.
async fn report(outcome: &Outcome, sink: &Sink) {
    if let Outcome::Raised { traceback, .. } = outcome {
        for line in traceback {
            sink.say(&without_escapes(line)).await;
        }
    }
    if *outcome != Outcome::Complete {
        sink.say(&format!("error: {outcome}")).await;
    }
}

/// Removes the colours that kernels put into tracebacks.
fn without_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            out.push(character);
            continue;
        }
        // `ESC [ … letter`
        if characters.next() == Some('[') {
            characters.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{At, Outcome, without_escapes};

    #[test]
    fn each_outcome_has_its_exit_status() {
        let cell = At {
            number: 1,
            total: 2,
            title: "x".into(),
        };
        let died = Outcome::Died {
            cell: cell.clone(),
            reason: "exited with status 9".into(),
        };
        assert_eq!(died.exit_code(), 3);
        assert_eq!(
            died.to_string(),
            "the kernel died in cell 1 of 2 (`x`): it exited with status 9"
        );
        let stopped = Outcome::Stopped {
            signal: 15,
            cell: Some(cell),
        };
        assert_eq!(stopped.exit_code(), 143);
        assert_eq!(Outcome::Complete.exit_code(), 0);
    }

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(
            without_escapes("\u{1b}[0;31mValueError\u{1b}[0m: a\u{1b}"),
            "ValueError: a"
        );
    }
}

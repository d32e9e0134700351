//! The hidden command `cairn execute`: its flags, and a whole run as a process of its own.

mod html;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

pub use self::html::{HtmlArgs, main_html};
use crate::error::{Error, Result};
use crate::hold::Hold;
use crate::run::{Execute, Outcome, execute};
use crate::save;
use crate::stop::Stop;

/// The flags of `cairn execute`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExecuteArgs {
    /// The notebook to run.
    pub notebook: PathBuf,
    /// Where the executed notebook goes.
    #[arg(long, short)]
    pub output: PathBuf,
    /// A JSON file with one object: the values of the parameters.
    #[arg(long)]
    pub parameters: Option<PathBuf>,
    /// The kernel's name, instead of the notebook's own.
    #[arg(long)]
    pub kernel: Option<String>,
    /// The environment whose kernels and python are used.
    #[arg(long)]
    pub environment: Option<PathBuf>,
    /// The kernel's working folder; else the notebook's.
    #[arg(long)]
    pub cwd: Option<PathBuf>,
    /// How long one cell may run, in milliseconds.
    #[arg(long)]
    pub cell_timeout_ms: Option<u64>,
    /// How long a run whose cell failed is held with its kernel, in milliseconds, for somebody to resume it.
    #[arg(long)]
    pub hold_ms: Option<u64>,
    /// How long the kernel may take to start, in milliseconds.
    #[arg(long, default_value_t = 120_000)]
    pub start_timeout_ms: u64,
    /// A file that gets the outcome as JSON: `{outcome, message, cell: {number, total, title} | null, exit_code}`.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// How many bytes of output one cell keeps in the notebook.
    #[arg(long, default_value_t = 64 * 1024 * 1024)]
    pub cell_output_bytes: usize,
}

/// Runs `cairn execute` and gives its exit status: 0 complete, 1 a cell raised or ran too long, 2 bad input, 3 the kernel died
/// or did not start, 4 the result could not be saved, 128 + signal when it was stopped.
///
/// `hold` is asked where `hold_ms` is given. Messages go to stderr. Blocks; must not be called from an async task.
pub fn main_execute(args: ExecuteArgs, hold: Option<&dyn Hold>) -> u8 {
    let report = args.report.clone();
    let ended = prepare(args).and_then(|execute| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::internal("no threads can be started", error))?;
        let outcome = runtime.block_on(run(execute, hold));
        // A write to a stream that nobody reads must not keep the process.
        runtime.shutdown_background();
        outcome
    });
    if let Err(error) = &ended {
        complain(&full_text(error));
    }
    let code = match &ended {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => error.exit_code(),
    };
    let written = report.map_or(Ok(()), |path| {
        let text = serde_json::to_string(&describe(&ended, code)).unwrap_or_default();
        save::replace(&path, &text, true)
    });
    if let Err(error) = written {
        complain(&format!(
            "the report of the run could not be written: {error}"
        ));
        return if code == 0 { 4 } else { code };
    }
    code
}

fn describe(ended: &Result<Outcome>, code: u8) -> Value {
    match ended {
        Ok(outcome) => json!({
            "outcome": outcome.word(), "message": outcome.to_string(), "cell": outcome.cell(), "exit_code": code,
        }),
        Err(error) => json!({
            "outcome": "error", "message": full_text(error), "cell": null, "exit_code": code,
        }),
    }
}

async fn run(job: Execute, hold: Option<&dyn Hold>) -> Result<Outcome> {
    let stop = Stop::default();
    stop.on_signals()
        .map_err(|error| Error::internal("signals cannot be handled", error))?;
    execute(job, &stop, hold).await
}

fn prepare(args: ExecuteArgs) -> Result<Execute> {
    let folder = args
        .notebook
        .parent()
        .filter(|path| !path.as_os_str().is_empty());
    let cwd = args
        .cwd
        .unwrap_or_else(|| folder.unwrap_or(Path::new(".")).to_path_buf());
    Ok(Execute {
        parameters: args
            .parameters
            .as_deref()
            .map_or_else(|| Ok(Map::new()), parameters)?,
        kernel: args.kernel,
        environment: args.environment,
        cell_timeout_ms: args.cell_timeout_ms,
        hold_ms: args.hold_ms,
        start_timeout_ms: args.start_timeout_ms,
        cell_output_bytes: args.cell_output_bytes,
        ..Execute::new(args.notebook, args.output, cwd)
    })
}

fn parameters(path: &Path) -> Result<Map<String, Value>> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| {
        Error::Invalid(format!("the parameters {shown} cannot be read: {error}"))
    })?;
    serde_json::from_slice(&text).map_err(|error| {
        Error::Invalid(format!(
            "the parameters {shown} are not a JSON object: {error}"
        ))
    })
}

/// An error with its causes.
fn full_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Says why on stderr; that nobody listens changes nothing.
fn complain(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

//! `cairn resume`: lets a job that is held at a cell that failed go on, as it was or with a corrected notebook.

mod told;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json, value::RawValue};
use tokio::time::{Instant, sleep};

use crate::api::types::{self, Hold, Job};
use crate::api::{Call, status_of};
use crate::reference::JobRef;
use crate::session::{Place, Session, block_on};
use crate::{exit, output};

pub(crate) use told::{how_to_go_on, told_meanwhile};

/// How long the run may take to say whether it can go on. It asks every moment, unless its machine is cut off.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at the job meanwhile.
const PAUSE: Duration = Duration::from_millis(200);

/// Arguments of `cairn resume`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: its number, or `project#N`.
    job: JobRef,
    /// A corrected notebook: from the failed cell on, its cells run. Left out, the cell is tried again as it was.
    #[arg(value_name = "NOTEBOOK")]
    notebook: Option<PathBuf>,
}

/// Resumes it, and says whether its run goes on.
///
/// # Errors
/// When the job is not held, the file is no notebook, or the run cannot go on with it; it is still held then.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let body = match &args.notebook {
        Some(path) => json!({ "notebook": read(path)? }),
        None => json!({}),
    };
    let session = Session::open()?;
    block_on(async {
        let place = session.job(&args.job).await?;
        let answered = session
            .client
            .call(Call::post(&place.path(&["resume"])).body(body)?)
            .await?;
        let answer = types::read::<Job>(&answered)?.hold;
        let taken = match answer {
            Some(hold) => taken(&session, &place, hold).await?,
            None => answered,
        };
        if json {
            return output::json(&taken);
        }
        let job: Job = types::read(&taken)?;
        match job.hold {
            Some(hold) if hold.is_answered() => output::note(format!(
                "{place}: resumed, and its run has not said yet that it goes on"
            )),
            _ => output::note(format!("{place}: goes on")),
        }
        Ok(())
    })?;
    Ok(exit::code(0))
}

/// Waits until the run has taken the answer in; gives the job as it is then.
async fn taken(session: &Session, place: &Place, answer: Hold) -> anyhow::Result<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let value = session.client.call(Call::get(&place.path(&[]))).await?;
        let job: Job = types::read(&value)?;
        match job.hold {
            Some(hold) if hold.is_same(&answer) && hold.is_answered() => {}
            Some(hold) if hold.is_same(&answer) && hold.answers == answer.answers => {
                let why = hold.refused.unwrap_or_default();
                anyhow::bail!(
                    "{place} cannot go on with this notebook, and is still held: {}",
                    output::clean(&why)
                );
            }
            _ => {
                let hold = job.holds.iter().find(|hold| hold.is_same(&answer));
                return match hold.map(|hold| hold.state.as_str()) {
                    Some("resumed") => Ok(value),
                    state => anyhow::bail!(
                        "{place} did not go on: its hold ended as `{}`, and the job is {}{}",
                        output::clean(state.unwrap_or("unknown")),
                        job.state,
                        job.message
                            .map_or_else(String::new, |why| format!(": {}", output::clean(&why)))
                    ),
                };
            }
        }
        if Instant::now() >= until {
            return Ok(value);
        }
        sleep(PAUSE).await;
    }
}

/// The notebook as it stands: numbers and the order of keys matter to nobody here.
fn read(path: &Path) -> anyhow::Result<Box<RawValue>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    kernels::notebook::Document::parse(&text).with_context(|| format!("{shown}"))?;
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .with_context(|| format!("{shown} is not a notebook"))
}

/// Whether a job cannot be looked at any more, however often one tries.
fn is_hopeless(error: &anyhow::Error) -> bool {
    status_of(error).is_some_and(|status| status.is_client_error() && status != 429)
}

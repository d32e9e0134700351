//! `cairn outputs`: what a job left, listed or fetched into a folder.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::api::Call;
use crate::api::types::Job;
use crate::exit;
use crate::files::{Listing, Wanted};
use crate::output;
use crate::reference::JobRef;
use crate::session::{Place, Session, block_on};

/// Arguments of `cairn outputs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job: its number, or `project#N`.
    job: JobRef,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do with the outputs.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List them.
    Ls {
        /// The folder to list; default the top.
        #[arg(value_name = "PATH", default_value = "")]
        path: String,
        /// With everything below.
        #[arg(long, short)]
        recursive: bool,
    },
    /// Fetch them into a folder. What is there already and the same is left alone; what was begun is gone on with.
    Get {
        /// The folder; it is made when it is not there. Nothing is ever written outside of it.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Only this file or folder of the outputs.
        #[arg(long, value_name = "PATH", default_value = "")]
        path: String,
        /// Replace files that are there and differ.
        #[arg(long, short)]
        force: bool,
    },
}

/// Lists or fetches.
pub(crate) fn run(args: Args, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        let place = session.job(&args.job).await?;
        match args.action {
            None => list(&session, &place, "", false, json).await,
            Some(Action::Ls { path, recursive }) => {
                list(&session, &place, &path, recursive, json).await
            }
            Some(Action::Get {
                folder,
                path,
                force,
            }) => {
                let wanted = Wanted {
                    folder,
                    path,
                    force,
                };
                get(&session, &place, wanted, json).await
            }
        }
    })?;
    Ok(exit::code(0))
}

async fn list(
    session: &Session,
    place: &Place,
    path: &str,
    recursive: bool,
    json: bool,
) -> anyhow::Result<()> {
    let listing = Listing::at(&place.path(&["outputs"]));
    listing
        .print(&session.client, path, recursive, json)
        .await?;
    if !json {
        note_skipped(&session.client.fetch(Call::get(&place.path(&[]))).await?);
    }
    Ok(())
}

async fn get(session: &Session, place: &Place, wanted: Wanted, json: bool) -> anyhow::Result<()> {
    let job: Job = session.client.fetch(Call::get(&place.path(&[]))).await?;
    let outputs = job.outputs.as_ref().with_context(|| {
        if job.is_over() {
            format!("{place} left no outputs")
        } else {
            format!("{place} has not ended yet: its outputs are kept when it does")
        }
    })?;
    let listing = Listing::at(&place.path(&["outputs"]));
    let digest = &outputs.manifest_digest;
    listing.get(&session.client, wanted, digest, json).await?;
    if !json {
        note_skipped(&job);
    }
    Ok(())
}

/// Says what was left out of the outputs when they were kept.
pub(crate) fn note_skipped(job: &Job) {
    const SHOWN: usize = 10;
    let skipped = job
        .outputs
        .as_ref()
        .map_or(&[][..], |outputs| &outputs.skipped);
    for skipped in skipped.iter().take(SHOWN) {
        output::note(format!(
            "Left out: {} ({})",
            output::clean(&skipped.path),
            output::clean(&skipped.reason.replace('_', " "))
        ));
    }
    if skipped.len() > SHOWN {
        output::note(format!(
            "Left out: {} more; `--json` shows all",
            skipped.len() - SHOWN
        ));
    }
}

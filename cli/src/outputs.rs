//! `cairn outputs`: what a job left, listed or fetched into a folder.

mod download;
mod fetch;
mod tree;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::api::types::{self, File, Job};
use crate::api::{Call, Client};
use crate::exit;
use crate::output::{self, Table};
use crate::reference::JobRef;
use crate::session::{Place, Session, block_on};

/// The most files that are listed or fetched at once.
const MAX_FILES: usize = 1_000_000;

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
                get(
                    &session,
                    &place,
                    fetch::Wanted {
                        folder,
                        path,
                        force,
                    },
                    json,
                )
                .await
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
    let path = path.trim_matches('/');
    let items = if recursive {
        walk(&session.client, place, path).await?
    } else {
        folder(&session.client, place, path).await?
    };
    if json {
        return output::json(&json!({ "items": items, "next": null }));
    }
    let mut table = Table::new(&["PATH", "SIZE"]);
    for item in &items {
        let file: File = types::read(item)?;
        let is_folder = file.kind == "directory";
        let size = if is_folder {
            String::new()
        } else {
            output::bytes(file.bytes)
        };
        table.row([
            if is_folder {
                format!("{}/", file.path)
            } else {
                file.path
            },
            size,
        ]);
    }
    table.print("No outputs.")?;
    note_skipped(&session.client.fetch(Call::get(&place.path(&[]))).await?);
    Ok(())
}

async fn get(
    session: &Session,
    place: &Place,
    wanted: fetch::Wanted,
    json: bool,
) -> anyhow::Result<()> {
    let job: Job = session.client.fetch(Call::get(&place.path(&[]))).await?;
    let outputs = job.outputs.as_ref().with_context(|| {
        if job.is_over() {
            format!("{place} left no outputs")
        } else {
            format!("{place} has not ended yet: its outputs are kept when it does")
        }
    })?;
    let items = walk(&session.client, place, wanted.path.trim_matches('/')).await?;
    let files: Vec<File> = items
        .iter()
        .map(types::read)
        .collect::<anyhow::Result<_>>()?;
    let folder = wanted.folder.clone();
    let got = fetch::all(
        &session.client,
        place,
        files,
        wanted,
        &outputs.manifest_digest,
    )
    .await?;
    if json {
        return output::json(&json!({ "items": items, "next": null }));
    }
    let unchanged = if got.unchanged > 0 {
        format!(", {} more were there already", got.unchanged)
    } else {
        String::new()
    };
    output::note(format!(
        "{} files, {}, in {}{unchanged}",
        got.files,
        output::bytes(got.bytes),
        folder.display()
    ));
    note_skipped(&job);
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

/// Every file at or below a path.
async fn walk(client: &Client, place: &Place, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut files = Vec::new();
    let mut folders = VecDeque::from([path.to_owned()]);
    while let Some(path) = folders.pop_front() {
        for item in folder(client, place, &path).await? {
            let file: File = types::read(&item)?;
            if file.kind == "directory" {
                // Only what lies below: a listing must not lead in circles.
                anyhow::ensure!(
                    path.is_empty() || file.path.starts_with(&format!("{path}/")),
                    "the server's listing of {path:?} is not below it"
                );
                anyhow::ensure!(
                    file.path.len() > path.len(),
                    "the server's listing of {path:?} holds itself"
                );
                folders.push_back(file.path);
            } else {
                files.push(item);
            }
            anyhow::ensure!(
                files.len() + folders.len() <= MAX_FILES,
                "more than {MAX_FILES} files: fetch one folder at a time with --path"
            );
        }
    }
    Ok(files)
}

async fn folder(client: &Client, place: &Place, path: &str) -> anyhow::Result<Vec<Value>> {
    let list = client
        .list(
            &place.path(&["outputs"]),
            &[("path", path.to_owned())],
            MAX_FILES,
        )
        .await?;
    types::items(&list)
}

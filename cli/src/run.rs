//! `cairn run`: the folder one stands in, or a workspace, as a job.

mod follow;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::api::Call;
use crate::api::types::{self, Job, Workspace};
use crate::reference::{self, Inputs, Parameter};
use crate::session::{Place, Session, block_on};
use crate::upload;
use crate::workspace::In;
use crate::{exit, output};

/// Arguments of `cairn run`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["command", "notebook"])))]
pub(crate) struct Args {
    /// The command to run, after `--`.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
    /// The notebook to run, by its path in the folder.
    #[arg(long, value_name = "F")]
    notebook: Option<String>,
    /// A parameter: a JSON value where V is one, else text.
    #[arg(long = "param", short = 'P', value_name = "K=V")]
    parameters: Vec<Parameter>,
    #[command(flatten)]
    inputs: Inputs,
    /// The environment.
    #[arg(long, value_name = "E")]
    env: Option<String>,
    /// The machine type.
    #[arg(long, value_name = "M")]
    machine: Option<String>,
    /// Run what is in this workspace now, instead of the folder you stand in.
    #[arg(long, short, value_name = "W", value_parser = reference::name)]
    workspace: Option<String>,
    /// A name for the job.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Stop the job after this long: 90s, 15m, 12h.
    #[arg(long, value_name = "T", value_parser = reference::duration_ms)]
    time_limit: Option<i64>,
    /// Stop it when one cell of its notebook has run this long.
    #[arg(long, value_name = "T", value_parser = reference::duration_ms)]
    cell_time_limit: Option<i64>,
    /// When a cell of the notebook fails, keep its kernel this long for `cairn resume`: 30m, 2h, 7d at most.
    #[arg(long, value_name = "T", value_parser = reference::duration_ms, requires = "notebook")]
    hold_on_error: Option<i64>,
    /// A word to find the job by. May be given more than once.
    #[arg(long = "tag", value_name = "TEXT")]
    tags: Vec<String>,
    /// Try again after a failure, up to N times.
    #[arg(long, value_name = "N")]
    retries: Option<u8>,
    /// Exit as the job does: its exit code, 128 + the signal that ended it, 130 if it was stopped, 125 if Cairn failed.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    place: In,
}

/// Runs it. With `--json` the log is not shown: the job is printed, as accepted or, with `--wait`, as it ended.
pub(crate) fn run(args: Args, json: bool) -> ExitCode {
    match block_on(submit_and_follow(args, json)) {
        Ok(code) => exit::code(code),
        Err(error) => {
            output::note(format!("cairn: {error:#}"));
            exit::code(exit::OWN_FAILURE)
        }
    }
}

async fn submit_and_follow(mut args: Args, json: bool) -> anyhow::Result<u8> {
    let session = Session::open()?;
    let wait = args.wait;
    let accepted = submit(&session, &mut args).await?;
    let job: Job = types::read(&accepted)?;
    if json && !wait {
        output::json(&accepted)?;
        return Ok(0);
    }
    let page = session
        .client
        .page(&["p", &job.project, "jobs", &job.number.to_string()]);
    output::note(format!(
        "cairn: {} accepted: {page}",
        output::clean(&job.reference())
    ));
    let ended = follow::to_the_end(&session.client, &Place::of(&job), json).await?;
    let Some(ended) = ended else {
        return Ok(if wait { exit::STOPPED } else { 0 });
    };
    let job: Job = types::read(&ended)?;
    if json {
        output::json(&ended)?;
    } else {
        follow::summary(&job);
    }
    Ok(if wait { exit::of_job(&job) } else { 0 })
}

/// Sends what is to be run, and returns the job as it was accepted.
async fn submit(session: &Session, args: &mut Args) -> anyhow::Result<Value> {
    let mut body = json!({ "idempotency_key": uuid::Uuid::new_v4().to_string() });
    let parameters = reference::parameters(std::mem::take(&mut args.parameters))?;
    body["parameters"] = Value::Object(parameters);
    body["inputs"] = serde_json::to_value(args.inputs.to_send())?;
    if !args.command.is_empty() {
        body["command"] = json!(args.command);
    }
    let optional = [
        ("environment", args.env.take().map(Value::String)),
        ("machine", args.machine.take().map(Value::String)),
        ("name", args.name.take().map(Value::String)),
        ("time_limit_ms", args.time_limit.map(Value::from)),
        ("cell_time_limit_ms", args.cell_time_limit.map(Value::from)),
        ("hold_ms", args.hold_on_error.map(Value::from)),
        ("retries", args.retries.map(Value::from)),
        ("tags", (!args.tags.is_empty()).then(|| json!(args.tags))),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            body[key] = value;
        }
    }
    let project = match &args.workspace {
        Some(name) => {
            let workspace: Workspace = session
                .workspace(args.place.project.as_deref(), name)
                .await?;
            body["workspace_id"] = Value::String(workspace.id);
            if let Some(notebook) = &args.notebook {
                body["notebook"] = json!(notebook);
            }
            workspace.project
        }
        None => from_here(session, args, &mut body).await?,
    };
    // The key makes a second arrival of the same request find the first one's job.
    session
        .client
        .call(
            Call::post(&["projects", &project, "jobs"])
                .body(body)?
                .repeats(),
        )
        .await
}

/// Sends the folder one stands in, and returns the project that the job is for.
async fn from_here(session: &Session, args: &Args, body: &mut Value) -> anyhow::Result<String> {
    let folder = std::env::current_dir()
        .and_then(std::fs::canonicalize)
        .context("cannot tell the folder you stand in")?;
    refuse_whole_home(
        &folder,
        crate::home::variable("HOME").map(PathBuf::from).as_deref(),
    )?;
    let notebook = args
        .notebook
        .as_deref()
        .map(|path| within(&folder, path))
        .transpose()?;
    let project = session
        .project_to_fill(args.place.project.as_deref())
        .await?;
    let snapshot = upload::folder(session, &project, &folder).await?;
    if let Some(path) = notebook {
        anyhow::ensure!(
            snapshot.holds(&path),
            "{path} is not sent with the folder: is it in .gitignore or .cairnignore, or over 100 MB?"
        );
        body["notebook"] = Value::String(path);
    }
    body["snapshot_id"] = Value::String(snapshot.id);
    Ok(project)
}

/// A snapshot is of a project's folder, never of everything one has.
fn refuse_whole_home(folder: &Path, home: Option<&Path>) -> anyhow::Result<()> {
    let home = home.and_then(|home| std::fs::canonicalize(home).ok());
    let holds_home = home.as_deref().is_some_and(|home| home.starts_with(folder));
    anyhow::ensure!(
        !holds_home && folder.parent().is_some(),
        "you stand in {}, which is more than a project's folder: all of it would be sent. Change into the folder to run",
        folder.display()
    );
    Ok(())
}

/// The path of a notebook within the folder, as the job sees it.
fn within(folder: &Path, path: &str) -> anyhow::Result<String> {
    let found = std::fs::canonicalize(folder.join(path))
        .with_context(|| format!("there is no notebook {path}"))?;
    let inner = found.strip_prefix(folder).ok().with_context(|| {
        format!("{path} is not in the folder you stand in, which is what is sent")
    })?;
    anyhow::ensure!(found.is_file(), "{path} is not a file");
    inner
        .to_str()
        .map(str::to_owned)
        .with_context(|| format!("the path {path} is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_folder_is_not_sent_whole() {
        let home = tempfile::tempdir().unwrap();
        let home = std::fs::canonicalize(home.path()).unwrap();
        let project = home.join("project");
        std::fs::create_dir(&project).unwrap();
        assert!(refuse_whole_home(&home, Some(&home)).is_err());
        assert!(refuse_whole_home(home.parent().unwrap(), Some(&home)).is_err());
        assert!(refuse_whole_home(Path::new("/"), None).is_err());
        assert!(refuse_whole_home(&project, Some(&home)).is_ok());
    }

    #[test]
    fn notebooks_are_named_from_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let folder = std::fs::canonicalize(folder.path()).unwrap();
        std::fs::create_dir(folder.join("nb")).unwrap();
        std::fs::write(folder.join("nb/a.ipynb"), "{}").unwrap();
        assert_eq!(within(&folder, "./nb/../nb/a.ipynb").unwrap(), "nb/a.ipynb");
        assert_eq!(
            within(&folder, folder.join("nb/a.ipynb").to_str().unwrap()).unwrap(),
            "nb/a.ipynb"
        );
        assert!(within(&folder, "nb").is_err());
        assert!(within(&folder, "missing.ipynb").is_err());
        assert!(within(&folder.join("nb"), "/etc/passwd").is_err());
    }
}

//! `cairn jobs` and `cairn stop`.

use std::process::ExitCode;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::api::types::{self, Job};
use crate::api::{Call, status_of};
use crate::output::{self, Table};
use crate::reference::JobRef;
use crate::session::{Session, block_on};
use crate::workspace::In;
use crate::{clock, exit, resume};

/// How many jobs are looked through at most for those that a filter wants.
const LOOK_THROUGH: usize = 10_000;
const STATES: [&str; 7] = [
    "created", "queued", "started", "stopping", "stopped", "error", "complete",
];

/// Arguments of `cairn jobs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only jobs to which all of this applies: a state (`error`), `user=NAME`, `tag=TEXT`, `param.K=V`, or words of the name or command.
    #[arg(value_name = "FILTER")]
    filter: Vec<Term>,
    #[command(flatten)]
    place: In,
    /// The latest jobs of all your projects.
    #[arg(long, short, conflicts_with = "project")]
    all: bool,
    /// How many at most, newest first.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
}

/// Arguments of `cairn stop`.
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {
    /// The job: its number, or `project#N`.
    job: JobRef,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
enum Term {
    State(String),
    User(String),
    Tag(String),
    Parameter(String, String),
    Words(String),
}

impl FromStr for Term {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if STATES.contains(&text) {
            return Ok(Self::State(text.to_owned()));
        }
        match text.split_once('=') {
            Some(("state", state)) if STATES.contains(&state) => Ok(Self::State(state.to_owned())),
            Some(("state", state)) => Err(format!("`{state}` is no state: {}", STATES.join(", "))),
            Some(("tag", tag)) => Ok(Self::Tag(tag.to_owned())),
            Some(("user", user)) => Ok(Self::User(user.to_owned())),
            Some((key, value)) if key.starts_with("param.") => Ok(Self::Parameter(
                key["param.".len()..].to_owned(),
                value.to_owned(),
            )),
            _ => Ok(Self::Words(text.to_lowercase())),
        }
    }
}

impl Term {
    fn holds(&self, job: &Job) -> bool {
        match self {
            Self::State(state) => job.state == *state,
            Self::User(user) => job.user == *user,
            Self::Tag(tag) => job.tags.contains(tag),
            Self::Parameter(key, value) => job
                .parameters
                .get(key)
                .is_some_and(|given| output::plain(given) == *value),
            Self::Words(words) => job.title().to_lowercase().contains(words),
        }
    }
}

/// Lists jobs, newest first.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        let list = list(&session, args).await?;
        if json {
            output::json(&list)
        } else {
            print(&list)
        }
    })?;
    Ok(exit::code(0))
}

/// Stops a job. Stopping one that has ended is no error.
pub(crate) fn stop(args: &StopArgs, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        let place = session.job(&args.job).await?;
        let value = session
            .client
            .call(
                Call::post(&place.path(&["stop"]))
                    .body(json!({}))?
                    .repeats(),
            )
            .await?;
        if json {
            return output::json(&value);
        }
        let state = value
            .get("state")
            .and_then(Value::as_str)
            .unwrap_or("stopping");
        output::note(format!("{place}: {}", output::clean(state)));
        Ok(())
    })?;
    Ok(exit::code(0))
}

async fn list(session: &Session, args: &Args) -> anyhow::Result<Value> {
    let limit = usize::from(args.limit);
    let wanted = if args.filter.is_empty() {
        limit
    } else {
        LOOK_THROUGH
    };
    let found = if args.all {
        session.client.list(&["jobs"], &[], wanted).await
    } else {
        let project = session.project(args.place.project.as_deref()).await?;
        session
            .client
            .list(&["projects", &project, "jobs"], &[], wanted)
            .await
    };
    let mut list = match found {
        // One's own project is made with the first thing in it.
        Err(error)
            if args.place.project.is_none()
                && !args.all
                && status_of(&error).is_some_and(|status| status == 404) =>
        {
            types::empty_list()
        }
        other => other?,
    };
    if args.filter.is_empty() {
        return Ok(list);
    }
    if let Some(Value::Array(items)) = list.get_mut("items") {
        items.retain(|item| {
            types::read::<Job>(item)
                .is_ok_and(|job| args.filter.iter().all(|term| term.holds(&job)))
        });
        items.truncate(limit);
    }
    Ok(list)
}

fn print(list: &Value) -> anyhow::Result<()> {
    let now_ms = clock::now_ms();
    let mut table = Table::new(&[
        "JOB",
        "STATE",
        "NAME",
        "PARAMETERS",
        "METADATA",
        "USER",
        "CREATED",
        "TOOK",
    ]);
    let jobs = types::items::<Job>(list)?;
    for job in &jobs {
        let took = job.started_ms.map_or_else(String::new, |start| {
            output::duration(job.ended_ms.unwrap_or(now_ms) - start)
        });
        table.row([
            job.reference(),
            state(job),
            output::shorten(&job.title(), 32),
            output::pairs(&job.parameters, 32),
            output::pairs(&job.metadata, 40),
            job.user.clone(),
            output::ago(job.created_ms, now_ms),
            took,
        ]);
    }
    table.print("No such jobs. `cairn run -- COMMAND` runs the folder you stand in as one.")?;
    for job in &jobs {
        if let Some(hold) = job.hold.as_ref().filter(|hold| !hold.is_answered()) {
            output::note(resume::how_to_go_on(&job.reference(), hold));
        }
    }
    Ok(())
}

fn state(job: &Job) -> String {
    match job.hold {
        Some(_) => format!("{}, held", job.state),
        None => job.state.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(term: &str, job: &Value) -> bool {
        term.parse::<Term>()
            .unwrap()
            .holds(&types::read(job).unwrap())
    }

    #[test]
    fn filters_say_which_jobs_are_meant() {
        let job = json!({
            "id": "x", "number": 1, "project": "p", "state": "error", "user": "ada",
            "command": ["python", "Train.py"], "parameters": { "lr": 0.1, "opt": "adam" }, "tags": ["nightly"],
        });
        for term in [
            "error",
            "state=error",
            "user=ada",
            "tag=nightly",
            "param.lr=0.1",
            "param.opt=adam",
            "train",
        ] {
            assert!(holds(term, &job), "{term}");
        }
        for term in [
            "complete",
            "user=bob",
            "tag=x",
            "param.lr=0.2",
            "param.x=1",
            "eval",
        ] {
            assert!(!holds(term, &job), "{term}");
        }
        assert!("state=done".parse::<Term>().is_err());
    }
}

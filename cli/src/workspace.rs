//! `cairn ws`: make, start, stop, open and remove workspaces.

mod wait;

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::api::types::{self, Workspace};
use crate::api::{Call, snapshot_of, status_of};
use crate::output::{self, Table};
use crate::reference::{self, InputRef, Inputs};
use crate::session::{Session, block_on};
use crate::{browser, exit};

/// Which project a command is about.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct In {
    /// The project; default the current one.
    #[arg(long, short, value_name = "P", value_parser = reference::name)]
    pub(crate) project: Option<String>,
}

/// A workspace by name.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The workspace.
    #[arg(value_parser = reference::name)]
    name: String,
    #[command(flatten)]
    place: In,
}

/// Where to start a server, and from which files.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The machine type to start on.
    #[arg(long, value_name = "M")]
    machine: Option<String>,
    /// Go on from this snapshot of the home, where the machine with newer files cannot be reached; what is newer comes back later, in a
    /// folder `conflict-…`.
    #[arg(long, value_name = "ID")]
    accept_snapshot: Option<String>,
}

/// What to do with workspaces.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Make a workspace.
    Create(Create),
    /// Start its server.
    Start {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        from: Where,
        /// Wait until it runs.
        #[arg(long)]
        wait: bool,
    },
    /// Stop its server; what lies in its home stays.
    Stop {
        #[command(flatten)]
        which: Which,
        /// Wait until it has stopped.
        #[arg(long)]
        wait: bool,
    },
    /// Stop its server and start it again, on another machine type where one is given.
    Restart {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        from: Where,
        /// Wait until it runs.
        #[arg(long)]
        wait: bool,
    },
    /// List the workspaces of the project.
    Ls {
        #[command(flatten)]
        place: In,
        /// Your workspaces of every project.
        #[arg(long)]
        mine: bool,
    },
    /// Print an address that opens it, good for one use within a minute, and open it where there is a browser.
    Open {
        #[command(flatten)]
        which: Which,
        /// Start it if need be, and wait until it runs.
        #[arg(long)]
        wait: bool,
    },
    /// Attach inputs, read-only, from the next start on.
    Attach {
        #[command(flatten)]
        which: Which,
        /// What to attach, as `[NAME=]REF`.
        #[arg(required = true, value_name = "[NAME=]REF")]
        inputs: Vec<InputRef>,
        /// Take inputs with damaged files all the same, without these. The record says so.
        #[arg(long)]
        allow_damaged: bool,
    },
    /// Detach an input.
    Detach {
        #[command(flatten)]
        which: Which,
        /// The input's name.
        #[arg(value_parser = reference::name)]
        input: String,
    },
    /// Delete it with its home.
    Rm {
        #[command(flatten)]
        which: Which,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// Arguments of `cairn ws create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[command(flatten)]
    which: Which,
    /// The environment.
    #[arg(long, value_name = "E")]
    env: Option<String>,
    /// The machine type.
    #[arg(long, value_name = "M")]
    machine: Option<String>,
    #[command(flatten)]
    inputs: Inputs,
}

/// Carries it out.
pub(crate) fn run(action: Action, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        match action {
            Action::Create(args) => create(&session, args, json).await,
            Action::Start { which, from, wait } => {
                let change = Change::to("start", "running", wait).with(from);
                act(&session, &which, change, json).await
            }
            Action::Stop { which, wait } => {
                let change = Change::to("stop", "stopped", wait);
                act(&session, &which, change, json).await
            }
            Action::Restart { which, from, wait } => {
                let change = Change::to("restart", "running", wait).with(from);
                act(&session, &which, change, json).await
            }
            Action::Ls { place, mine } => list(&session, &place, mine, json).await,
            Action::Open { which, wait } => open(&session, &which, wait, json).await,
            Action::Attach {
                which,
                inputs,
                allow_damaged,
            } => {
                let inputs = reference::allowed(inputs, allow_damaged);
                attach(&session, &which, inputs, json).await
            }
            Action::Detach { which, input } => detach(&session, &which, &input, json).await,
            Action::Rm { which, yes } => remove(&session, &which, yes, json).await,
        }
    })?;
    Ok(exit::code(0))
}

async fn create(session: &Session, args: Create, json: bool) -> anyhow::Result<()> {
    let project = session
        .project_to_fill(args.which.place.project.as_deref())
        .await?;
    let mut body = json!({ "name": args.which.name, "inputs": args.inputs.to_send() });
    for (key, value) in [("environment", args.env), ("machine", args.machine)] {
        if let Some(value) = value {
            body[key] = Value::String(value);
        }
    }
    let workspace = session
        .client
        .call(Call::post(&["projects", &project, "workspaces"]).body(body)?)
        .await?;
    if json {
        return output::json(&workspace);
    }
    let name = args.which.name;
    output::note(format!(
        "Made the workspace {name} in {project}. `cairn ws open {name} --project {project} --wait` starts and opens it."
    ));
    Ok(())
}

async fn find(session: &Session, which: &Which) -> anyhow::Result<Workspace> {
    session
        .workspace(which.place.project.as_deref(), &which.name)
        .await
}

/// What to ask of a workspace, and what to wait for.
struct Change {
    verb: &'static str,
    body: Value,
    until: Option<&'static str>,
}

impl Change {
    fn to(verb: &'static str, state: &'static str, wait: bool) -> Self {
        let until = wait.then_some(state);
        Self {
            verb,
            body: json!({}),
            until,
        }
    }

    fn with(mut self, from: Where) -> Self {
        for (key, value) in [
            ("machine", from.machine),
            ("accept_snapshot", from.accept_snapshot),
        ] {
            if let Some(value) = value {
                self.body[key] = Value::String(value);
            }
        }
        self
    }

    async fn ask(&self, session: &Session, id: &str) -> anyhow::Result<Value> {
        let path = ["workspaces", id, self.verb];
        let mut call = Call::post(&path).body(&self.body)?;
        // Asking twice for the same state is asking once; a restart is not.
        if self.verb != "restart" {
            call = call.repeats();
        }
        session.client.call(call).await
    }
}

async fn act(
    session: &Session,
    which: &Which,
    mut change: Change,
    json: bool,
) -> anyhow::Result<()> {
    let workspace = find(session, which).await?;
    let mut value = match change.ask(session, &workspace.id).await {
        Err(error) => {
            change.body["accept_snapshot"] = Value::String(agreed(error, &workspace.name)?);
            change.ask(session, &workspace.id).await?
        }
        Ok(value) => value,
    };
    let Change { verb, until, .. } = change;
    if let Some(state) = until {
        value = wait::until(session, &workspace.id, state).await?;
    }
    if json {
        return output::json(&value);
    }
    let state = value.get("state").and_then(Value::as_str).unwrap_or(verb);
    output::note(format!("{}: {}", workspace.name, output::clean(state)));
    Ok(())
}

/// The snapshot that whoever is at the terminal agrees to go on from; the error itself where it is another, or nobody is there.
fn agreed(error: anyhow::Error, name: &str) -> anyhow::Result<String> {
    let Some(snapshot) = snapshot_of(&error).cloned() else {
        return Err(error);
    };
    let age = output::duration(snapshot.age_ms);
    let what = format!(
        "{} cannot be reached; what changed there in the last {age} comes back with it, in a folder conflict-… of the home",
        snapshot.machine
    );
    if output::is_interactive()
        && output::confirm(&format!(
            "{what}. Start {name} elsewhere from the snapshot of {age} ago?"
        ))?
    {
        return Ok(snapshot.id);
    }
    Err(error.context(format!(
        "{what}: `--accept-snapshot {}` starts {name} elsewhere without it",
        snapshot.id
    )))
}

async fn list(session: &Session, place: &In, mine: bool, json: bool) -> anyhow::Result<()> {
    let list = if mine {
        session.client.list(&["workspaces"], &[], 10_000).await?
    } else {
        let project = session.project(place.project.as_deref()).await?;
        match session
            .client
            .list(&["projects", &project, "workspaces"], &[], 10_000)
            .await
        {
            // One's own project is made with the first thing in it.
            Err(error)
                if place.project.is_none()
                    && status_of(&error).is_some_and(|status| status == 404) =>
            {
                types::empty_list()
            }
            other => other?,
        }
    };
    if json {
        return output::json(&list);
    }
    let now_ms = crate::clock::now_ms();
    let mut table = Table::new(&[
        "NAME",
        "PROJECT",
        "USER",
        "STATE",
        "MACHINE",
        "ENVIRONMENT",
        "USED",
    ]);
    for item in types::items::<Workspace>(&list)? {
        let doing = item
            .phase
            .filter(|_| item.state == "starting")
            .map_or(item.state.clone(), |phase| {
                format!("{} ({phase})", item.state)
            });
        let used = item
            .last_activity_ms
            .map_or_else(String::new, |then| output::ago(then, now_ms));
        table.row([
            item.name,
            item.project,
            item.user,
            doing,
            item.machine,
            item.environment,
            used,
        ]);
    }
    table.print("No workspaces yet: `cairn ws create NAME` makes one.")?;
    Ok(())
}

async fn open(session: &Session, which: &Which, wait: bool, json: bool) -> anyhow::Result<()> {
    let workspace = find(session, which).await?;
    if wait && workspace.state != "running" {
        session
            .client
            .call(
                Call::post(&["workspaces", &workspace.id, "start"])
                    .body(json!({}))?
                    .repeats(),
            )
            .await?;
        wait::until(session, &workspace.id, "running").await?;
    }
    let answer = session
        .client
        .call(Call::post(&["workspaces", &workspace.id, "open"]).body(json!({}))?)
        .await?;
    if json {
        return output::json(&answer);
    }
    let url = answer
        .get("url")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_page = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    anyhow::ensure!(is_page, "the server gave no address to open");
    output::line(output::clean(url))?;
    if output::is_interactive() {
        browser::open(url);
    }
    Ok(())
}

async fn attach(
    session: &Session,
    which: &Which,
    inputs: Vec<InputRef>,
    json: bool,
) -> anyhow::Result<()> {
    let workspace = find(session, which).await?;
    let mut last = Value::Null;
    for input in inputs {
        let name = input.name_or_default();
        let body = json!({ "ref": input.reference, "allow_damaged": input.allow_damaged });
        last = session
            .client
            .call(Call::put(&["workspaces", &workspace.id, "inputs", &name]).body(body)?)
            .await?;
        if !json {
            output::note(format!(
                "{}: {} will be at /cairn/inputs/{name}",
                workspace.name,
                output::clean(&input.reference)
            ));
        }
    }
    if json {
        return output::json(&last);
    }
    Ok(())
}

async fn detach(session: &Session, which: &Which, input: &str, json: bool) -> anyhow::Result<()> {
    let workspace = find(session, which).await?;
    let answer = session
        .client
        .call(Call::delete(&[
            "workspaces",
            &workspace.id,
            "inputs",
            input,
        ]))
        .await?;
    if json {
        return output::json(&answer);
    }
    output::note(format!("{}: {input} is detached.", workspace.name));
    Ok(())
}

async fn remove(session: &Session, which: &Which, yes: bool, json: bool) -> anyhow::Result<()> {
    let workspace = find(session, which).await?;
    if !yes {
        anyhow::ensure!(
            output::is_interactive(),
            "this deletes the home of {}: say --yes to mean it",
            workspace.name
        );
        let question = format!(
            "Delete the workspace {} of {} in {}, with everything in its home?",
            workspace.name, workspace.user, workspace.project
        );
        anyhow::ensure!(output::confirm(&question)?, "nothing was deleted");
    }
    let answer = session
        .client
        .call(Call::delete(&["workspaces", &workspace.id]))
        .await?;
    if json {
        return output::json(&answer);
    }
    output::note(format!("Deleted {}.", workspace.name));
    Ok(())
}

//! `cairn project`: make, list and choose projects.

use std::process::ExitCode;

use serde_json::json;

use crate::api::Call;
use crate::api::types::{self, Project};
use crate::output::{self, Table};
use crate::session::{Session, block_on};
use crate::{exit, reference};

/// What to do with projects.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Make a project; you are its owner.
    Create {
        /// Its name: letters, digits, dots, underscores, hyphens.
        #[arg(value_parser = reference::name)]
        name: String,
        /// What it is about.
        #[arg(long, value_name = "TEXT", default_value = "")]
        description: String,
    },
    /// List the projects that you can see; `*` marks the current one.
    Ls,
    /// Choose the project that commands mean when none is named.
    Use {
        /// The project.
        #[arg(value_parser = reference::name)]
        name: String,
    },
}

/// Carries it out.
pub(crate) fn run(action: Action, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        match action {
            Action::Create { name, description } => {
                create(&session, &name, &description, json).await
            }
            Action::Ls => list(&session, json).await,
            Action::Use { name } => choose(&session, &name, json).await,
        }
    })?;
    Ok(exit::code(0))
}

async fn create(
    session: &Session,
    name: &str,
    description: &str,
    json: bool,
) -> anyhow::Result<()> {
    let body = json!({ "name": name, "description": description });
    let project = session
        .client
        .call(Call::post(&["projects"]).body(body)?)
        .await?;
    if json {
        return output::json(&project);
    }
    output::note(format!(
        "Made the project {name}. `cairn project use {name}` makes it the current one."
    ));
    Ok(())
}

async fn list(session: &Session, json: bool) -> anyhow::Result<()> {
    let list = session.client.list(&["projects"], &[], 10_000).await?;
    if json {
        return output::json(&list);
    }
    let current = session.project(None).await?;
    let mut table = Table::new(&["", "NAME", "ROLE", "DESCRIPTION"]);
    for Project {
        name,
        description,
        role,
    } in types::items(&list)?
    {
        let mark = if name == current { "*" } else { "" };
        table.row([
            mark.to_owned(),
            name,
            role.unwrap_or_default(),
            output::shorten(&description, 60),
        ]);
    }
    table.print("No projects yet: `cairn project create NAME` makes one.")?;
    Ok(())
}

async fn choose(session: &Session, name: &str, json: bool) -> anyhow::Result<()> {
    let project = session.choose_project(name).await?;
    if json {
        return output::json(&project);
    }
    output::note(format!("The current project is {name}."));
    Ok(())
}

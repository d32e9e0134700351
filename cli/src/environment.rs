//! `cairn env`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Call, types};
use crate::output::{self, Table};
use crate::session::{Session, block_on};
use crate::{exit, reference};

/// Between two looks at a build.
const PAUSE: Duration = Duration::from_millis(400);

/// What to do with environments.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List the environments and how far each is.
    Ls,
    /// Build an environment now, following its log. One that is ready stays as it is.
    Build {
        /// The environment.
        #[arg(value_parser = reference::name, default_value = "default")]
        name: String,
    },
}

#[derive(Deserialize)]
struct Environment {
    name: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    python: Option<String>,
}

#[derive(Deserialize)]
struct BuildLog {
    text: String,
    next: u64,
}

/// Carries it out.
pub(crate) fn run(action: Action, json: bool) -> anyhow::Result<ExitCode> {
    let session = Session::open()?;
    block_on(async {
        match action {
            Action::Ls => list(&session, json).await,
            Action::Build { name } => build(&session, &name, json).await,
        }
    })?;
    Ok(exit::code(0))
}

async fn list(session: &Session, json: bool) -> anyhow::Result<()> {
    let list = session.client.call(Call::get(&["environments"])).await?;
    if json {
        return output::json(&list);
    }
    let mut table = Table::new(&["NAME", "STATE", "PYTHON", "SOFTWARE"]);
    for environment in types::items::<Environment>(&list)? {
        let state = environment
            .message
            .map_or(environment.state.clone(), |message| {
                format!("{}: {}", environment.state, output::shorten(&message, 60))
            });
        let software = match environment.image {
            Some(image) => image,
            None => environment.packages.join(" "),
        };
        let software = output::shorten(&software, 60);
        table.row([
            environment.name,
            state,
            environment.python.unwrap_or_default(),
            software,
        ]);
    }
    table.print("No environments are configured.")?;
    Ok(())
}

async fn build(session: &Session, name: &str, json: bool) -> anyhow::Result<()> {
    let mut value = session
        .client
        .call(
            Call::post(&["environments", name, "build"])
                .body(json!({}))?
                .repeats(),
        )
        .await?;
    let mut offset = 0;
    let mut begun = false;
    loop {
        let environment: Environment = types::read(&value)?;
        begun |= environment.state == "building";
        // The state before the log: what was written before the end is then in the log that is read after it.
        if begun || environment.state == "failed" {
            offset = show_log(session, name, offset, json).await?;
        }
        match environment.state.as_str() {
            "ready" if json => return output::json(&value),
            "ready" => {
                output::note(format!("{name} is ready."));
                return Ok(());
            }
            "failed" if begun => {
                anyhow::bail!(
                    "{name} was not built: {}",
                    output::clean(environment.message.as_deref().unwrap_or("its log says why"))
                )
            }
            _ => {}
        }
        // A build that failed before stays `failed` for the moment until the new one has begun.
        begun |= environment.state == "failed";
        tokio::time::sleep(PAUSE).await;
        let list = session.client.call(Call::get(&["environments"])).await?;
        value = find(&list, name)?;
    }
}

fn find(list: &Value, name: &str) -> anyhow::Result<Value> {
    let items = list
        .get("items")
        .and_then(Value::as_array)
        .context("the server's list of environments is not one")?;
    let found = items
        .iter()
        .find(|item| item.get("name").and_then(Value::as_str) == Some(name));
    found
        .cloned()
        .with_context(|| format!("there is no environment {name} any more"))
}

async fn show_log(
    session: &Session,
    name: &str,
    mut offset: u64,
    json: bool,
) -> anyhow::Result<u64> {
    loop {
        let log: BuildLog = session
            .client
            .fetch(Call::get(&["environments", name, "log"]).query("offset", &offset))
            .await?;
        if log.text.is_empty() || log.next <= offset {
            return Ok(offset);
        }
        if !json {
            output::note_part(&log.text);
        }
        offset = log.next;
    }
}

//! `cairn user`: invite people, give them sign-in links, shut them out. Over the API, or on the server's own machine without being signed in.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use storage::users::NewUser;

use crate::api::types::{self, User};
use crate::api::{Call, Client};
use crate::home::Home;
use crate::host::Host;
use crate::output::{self, Table};
use crate::session::{Session, block_on};
use crate::{exit, reference};

/// Arguments of `cairn user`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// On the server's machine: work on this data directory, without being signed in. It is the default one's where you are signed in nowhere.
    #[arg(long, value_name = "D", global = true)]
    data_dir: Option<PathBuf>,
    /// With it: the server's configuration file, where it is not `DATA/cairn.toml`.
    #[arg(long, value_name = "F", global = true, requires = "data_dir")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

/// What to do with people.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Add a person and print the link they sign in with first.
    Add {
        /// The name to type: lower-case letters, digits, dots, underscores, hyphens.
        #[arg(value_parser = reference::name)]
        name: String,
        /// The name to show.
        #[arg(long, value_name = "TEXT", default_value = "")]
        display_name: String,
        /// They administer the server.
        #[arg(long)]
        admin: bool,
    },
    /// Print a new sign-in link for a person: one use, 15 minutes.
    Link {
        /// The person.
        #[arg(value_parser = reference::name)]
        name: String,
    },
    /// Shut a person out: their sessions and tokens end within seconds. What they made stays.
    Disable {
        /// The person.
        #[arg(value_parser = reference::name)]
        name: String,
    },
    /// Let a person in again.
    Enable {
        /// The person.
        #[arg(value_parser = reference::name)]
        name: String,
    },
    /// List everybody.
    Ls,
}

/// Carries it out.
pub(crate) fn run(args: &Args, json: bool) -> anyhow::Result<ExitCode> {
    block_on(async {
        let answer = carry_out(args).await?;
        if json {
            output::json(&answer)
        } else {
            show(&args.action, &answer)
        }
    })?;
    Ok(exit::code(0))
}

/// Over the API where one is signed in, unless a data directory is named; else on this machine's own data.
async fn carry_out(args: &Args) -> anyhow::Result<Value> {
    if args.data_dir.is_none() && Home::find()?.has_server() {
        return over_api(&Session::open()?.client, &args.action).await;
    }
    let host = Host::open(args.data_dir.as_deref(), args.config.as_deref()).await?;
    match &args.action {
        Action::Add {
            name,
            display_name,
            admin,
        } => {
            let (name, display_name) = (name.clone(), display_name.clone());
            host.add(&NewUser {
                name,
                display_name,
                admin: *admin,
            })
            .await
        }
        Action::Link { name } => host.link(name).await,
        Action::Disable { name } => host.disable(name, true).await,
        Action::Enable { name } => host.disable(name, false).await,
        Action::Ls => host.list().await,
    }
}

async fn over_api(client: &Client, action: &Action) -> anyhow::Result<Value> {
    let set = |disabled: bool| json!({ "disabled": disabled });
    match action {
        Action::Add {
            name,
            display_name,
            admin,
        } => {
            let body = json!({ "name": name, "display_name": display_name, "admin": admin });
            client.call(Call::post(&["users"]).body(body)?).await
        }
        Action::Link { name } => {
            client
                .call(Call::post(&["users", name, "link"]).body(json!({}))?)
                .await
        }
        Action::Disable { name } => {
            client
                .call(Call::patch(&["users", name]).body(set(true))?)
                .await
        }
        Action::Enable { name } => {
            client
                .call(Call::patch(&["users", name]).body(set(false))?)
                .await
        }
        Action::Ls => client.list(&["users"], &[], 10_000).await,
    }
}

fn show(action: &Action, answer: &Value) -> anyhow::Result<()> {
    match action {
        Action::Add { .. } | Action::Link { .. } => {
            let link = answer.get("link").and_then(Value::as_str);
            output::line(output::clean(
                link.ok_or_else(|| anyhow::anyhow!("the server gave no link"))?,
            ))?;
            output::note("Good for one use, for 15 minutes.");
        }
        Action::Disable { name } => output::note(format!("{name} is shut out.")),
        Action::Enable { name } => output::note(format!("{name} may sign in again.")),
        Action::Ls => {
            let mut table = Table::new(&["NAME", "SHOWN AS", "ADMIN", "STATE"]);
            for user in types::items::<User>(answer)? {
                let state = if user.disabled { "disabled" } else { "" };
                let admin = if user.admin { "yes" } else { "" };
                table.row([
                    user.name,
                    user.display_name,
                    admin.to_owned(),
                    state.to_owned(),
                ]);
            }
            table.print("Nobody.")?;
        }
    }
    Ok(())
}

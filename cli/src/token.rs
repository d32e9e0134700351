//! `cairn token`: personal access tokens, for programs.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::api::Call;
use crate::api::types::{self, TokenRecord};
use crate::host::Host;
use crate::output::{self, Table};
use crate::session::{Session, block_on};
use crate::{clock, exit, reference};

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Make a token and print it, this once.
    Create(Create),
    /// List your tokens.
    Ls,
    /// End a token, named by its id or by its name where only one has it.
    Rm {
        /// The token.
        #[arg(value_name = "TOKEN")]
        token: String,
    },
}

/// Arguments of `cairn token create`.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// What it is for.
    #[arg(long, value_name = "N")]
    name: String,
    /// When it ends: 30d, 12h; default never.
    #[arg(long, value_name = "T", value_parser = reference::duration_ms)]
    expires: Option<i64>,
    /// What it may do; may be given several times; default all that you may.
    #[arg(long = "scope", value_name = "S")]
    scopes: Vec<String>,
    /// On the server's machine: for whom, without being signed in.
    #[arg(long, value_name = "NAME", requires = "data_dir", value_parser = reference::name)]
    user: Option<String>,
    /// On the server's machine: its data directory.
    #[arg(long, value_name = "D", requires = "user")]
    data_dir: Option<PathBuf>,
}

/// Carries it out.
pub(crate) fn run(action: Action, json: bool) -> anyhow::Result<ExitCode> {
    block_on(async {
        match action {
            Action::Create(args) => create(args, json).await,
            Action::Ls => list(&Session::open()?, json).await,
            Action::Rm { token } => remove(&Session::open()?, &token, json).await,
        }
    })?;
    Ok(exit::code(0))
}

async fn create(args: Create, json: bool) -> anyhow::Result<()> {
    let expires_ms = args
        .expires
        .map(|span| clock::now_ms().saturating_add(span));
    let answer = if let (Some(user), Some(folder)) = (&args.user, &args.data_dir) {
        let host = Host::open(Some(folder), None).await?;
        host.token(user, &args.name, &args.scopes, expires_ms)
            .await?
    } else {
        let mut body = json!({ "name": args.name });
        if !args.scopes.is_empty() {
            body["scopes"] = json!(args.scopes);
        }
        if let Some(expires_ms) = expires_ms {
            body["expires_ms"] = json!(expires_ms);
        }
        Session::open()?
            .client
            .call(Call::post(&["tokens"]).body(body)?)
            .await?
    };
    if json {
        return output::json(&answer);
    }
    let token = answer.get("token").and_then(Value::as_str);
    output::line(token.ok_or_else(|| anyhow::anyhow!("the server gave no token"))?)?;
    output::note(
        "It is shown this once. Hand it to programs as CAIRN_TOKEN_FILE, beside CAIRN_API_URL.",
    );
    Ok(())
}

async fn list(session: &Session, json: bool) -> anyhow::Result<()> {
    let list = session.client.list(&["tokens"], &[], 10_000).await?;
    if json {
        return output::json(&list);
    }
    let now_ms = clock::now_ms();
    let mut table = Table::new(&["ID", "NAME", "SCOPES", "USED", "ENDS"]);
    for token in types::items::<TokenRecord>(&list)? {
        let used = token
            .last_used_ms
            .map_or_else(|| "never".to_owned(), |then| output::ago(then, now_ms));
        let ends = token
            .expires_ms
            .map_or_else(|| "never".to_owned(), clock::iso);
        table.row([token.id, token.name, token.scopes.join(" "), used, ends]);
    }
    table.print("No tokens: `cairn token create --name N` makes one.")?;
    Ok(())
}

async fn remove(session: &Session, token: &str, json: bool) -> anyhow::Result<()> {
    let list = session.client.list(&["tokens"], &[], 10_000).await?;
    let mut found: Vec<TokenRecord> = types::items(&list)?;
    found.retain(|record| record.id == token || record.name == token);
    let [record] = &found[..] else {
        let how = if found.is_empty() {
            "no token of yours is"
        } else {
            "several tokens of yours are"
        };
        anyhow::bail!("{how} called {token}: `cairn token ls` shows their ids");
    };
    let answer = session
        .client
        .call(Call::delete(&["tokens", &record.id]))
        .await?;
    if json {
        return output::json(&answer);
    }
    output::note(format!("{} has ended.", output::clean(&record.name)));
    Ok(())
}

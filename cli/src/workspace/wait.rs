//! Waits until a workspace is in a state, showing how far it is.

use std::time::Duration;

use serde_json::Value;

use crate::api::Call;
use crate::api::types::{self, Workspace};
use crate::output;
use crate::progress::Spinner;
use crate::session::Session;

/// Between two looks. A start takes seconds; a look takes a millisecond.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until the workspace is `wanted` and returns it.
///
/// # Errors
/// When its start failed, with the reason; when it was asked for another state meanwhile.
pub(crate) async fn until(session: &Session, id: &str, wanted: &str) -> anyhow::Result<Value> {
    let spinner = Spinner::new();
    loop {
        let value = session.client.call(Call::get(&["workspaces", id])).await?;
        let workspace: Workspace = types::read(&value)?;
        let words = [
            Some(workspace.state.clone()),
            workspace.phase,
            workspace.message,
        ];
        let words: Vec<String> = words
            .into_iter()
            .flatten()
            .filter(|word| !word.is_empty())
            .collect();
        spinner.say(format!(
            "{}: {}",
            workspace.name,
            output::clean(&words.join(": "))
        ));
        match workspace.state.as_str() {
            state if state == wanted => return Ok(value),
            "error" => anyhow::bail!("{}", output::clean(&words.join(": "))),
            "stopped" => anyhow::bail!("{} was stopped meanwhile", workspace.name),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

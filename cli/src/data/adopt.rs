//! `cairn data adopt`: a part of a bucket becomes a version; the server reads it, and this waits.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::DatasetRef;
use super::{Details, Place, newest, tell};
use crate::api::{Call, types};
use crate::output;
use crate::progress::Bytes;
use crate::session::Session;

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize)]
struct Adoption {
    id: String,
    uri: String,
    state: String,
    bytes: u64,
    done_bytes: u64,
    error: Option<String>,
    version: Option<i64>,
}

/// Begins it, and waits for its end unless it is detached.
pub(super) async fn adopt(
    session: &Session,
    name: &DatasetRef,
    (uri, message, detach): (&str, &str, bool),
    json: bool,
) -> anyhow::Result<()> {
    let project = session.project_to_fill(name.project.as_deref()).await?;
    let name = name.name.clone();
    let place = Place { project, name };
    let before = newest(session, &place).await?;
    let path = place.path(&["adoptions"]);
    let call = Call::post(&path).body(json!({ "uri": uri, "message": message }))?;
    let begun = session.client.call(call.repeats()).await?;
    let adoption: Adoption = types::read(&begun)?;
    if detach {
        if json {
            return output::json(&begun);
        }
        output::note(format!(
            "{} is being adopted as {}.",
            output::clean(&adoption.uri),
            place.name
        ));
        return Ok(());
    }
    let number = ended(session, &place, adoption).await?.to_string();
    let path = place.path(&["versions", &number]);
    let made: Value = session.client.call(Call::get(&path)).await?;
    if json {
        return output::json(&made["version"]);
    }
    let Details { version } = types::read(&made)?;
    tell(&place, before, &version);
    Ok(())
}

/// Waits for the end; the number of the version.
async fn ended(session: &Session, place: &Place, mut adoption: Adoption) -> anyhow::Result<i64> {
    let (bar, mut shown) = (Bytes::new("Adopting", 0), 0);
    let id = adoption.id.clone();
    while adoption.state == "running" {
        tokio::time::sleep(LOOK).await;
        let path = place.path(&["adoptions", &id]);
        adoption = session.client.fetch(Call::get(&path)).await?;
        bar.expect(adoption.bytes);
        bar.add(adoption.done_bytes.saturating_sub(shown));
        shown = shown.max(adoption.done_bytes);
    }
    drop(bar);
    match adoption.error {
        Some(why) => bail!(
            "{} was not adopted: {}",
            output::clean(&adoption.uri),
            output::clean(&why)
        ),
        None => adoption
            .version
            .context("the adoption ended without a version"),
    }
}

//! Follows a job to its end, or until the person has seen enough.

use std::time::Duration;

use serde_json::Value;

use crate::api::types::{self, Job};
use crate::api::{Call, Client};
use crate::logs::{self, Printer};
use crate::session::Place;
use crate::{output, resume};

/// Between two looks at a job whose log has ended: its outputs are being kept.
const PAUSE: Duration = Duration::from_millis(200);

/// Follows the job and returns it as it ended; `None` when the person detached with Ctrl-C. The job goes on then.
///
/// # Errors
/// When the server refuses, or has been away for ten minutes.
pub(super) async fn to_the_end(
    client: &Client,
    place: &Place,
    quiet: bool,
) -> anyhow::Result<Option<Value>> {
    let follow = async {
        if !quiet {
            logs::follow(client, place, 0, &mut Printer::new(false, false)).await?;
        }
        ended(client, place).await
    };
    tokio::select! {
        result = follow => result.map(Some),
        never = resume::told_meanwhile(client, place) => match never {},
        _ = tokio::signal::ctrl_c() => {
            output::note(format!("\ncairn: detached; {place} goes on. `cairn logs {place} -f` follows it again, `cairn stop {place}` stops it."));
            Ok(None)
        }
    }
}

/// Says how the job ended and what it left.
pub(super) fn summary(job: &Job) {
    let reference = output::clean(&job.reference());
    let took = job
        .started_ms
        .zip(job.ended_ms)
        .map_or_else(String::new, |(start, end)| {
            format!(" after {}", output::duration(end - start))
        });
    let why = job
        .message
        .as_deref()
        .filter(|why| !why.is_empty())
        .map_or_else(String::new, |why| format!(": {}", output::clean(why)));
    output::note(format!(
        "cairn: {reference} {}{took}{why}",
        output::clean(&job.state)
    ));
    if let Some(outputs) = job.outputs.as_ref().filter(|outputs| outputs.files > 0) {
        let size = output::bytes(outputs.bytes);
        output::note(format!(
            "cairn: {} outputs, {size}: `cairn outputs {reference} get DIR` fetches them",
            outputs.files
        ));
    }
    crate::outputs::note_skipped(job);
}

async fn ended(client: &Client, place: &Place) -> anyhow::Result<Value> {
    let mut waiter = logs::Patience::new();
    loop {
        match client.call(Call::get(&place.path(&[]))).await {
            Ok(value) => {
                waiter.heard();
                if types::read::<Job>(&value)?.is_over() {
                    return Ok(value);
                }
            }
            Err(error) => waiter.bear(error)?,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

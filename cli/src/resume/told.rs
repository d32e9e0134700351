//! Telling whoever looks at a job that it is held, and what they can do.

use std::time::Duration;

use tokio::time::sleep;

use super::is_hopeless;
use crate::api::types::{Hold, Job};
use crate::api::{Call, Client};
use crate::clock;
use crate::output;
use crate::session::Place;

/// Between two looks at whether the job is held.
const PAUSE: Duration = Duration::from_secs(2);

/// What to say of a job that is held: where, until when, and how it goes on.
pub(crate) fn how_to_go_on(job: &str, hold: &Hold) -> String {
    let job = output::clean(job);
    let until = clock::iso(hold.until_ms);
    let what = output::clean(&hold.message);
    let refused = hold.refused.as_deref().map_or_else(String::new, |why| {
        format!(
            "\n       the last notebook could not be used: {}",
            output::clean(why)
        )
    });
    format!(
        "cairn: {job} is held until {until}: {what}{refused}\n       its kernel and its machine are kept. `cairn resume {job}` tries the cell \
         again, `cairn resume {job} NOTEBOOK` goes on with a corrected one, `cairn stop {job}` ends it"
    )
}

/// Says so, once for each hold, as long as this is polled. Never ends.
pub(crate) async fn told_meanwhile(client: &Client, place: &Place) -> std::convert::Infallible {
    let mut last: Option<Hold> = None;
    loop {
        match client.fetch::<Job>(Call::get(&place.path(&[]))).await {
            // Of a job that is never held there is nothing to tell.
            Ok(job) if job.hold_ms.is_none() => return std::future::pending().await,
            Ok(job) => {
                let news = job
                    .hold
                    .filter(|hold| !hold.is_answered() && Some(hold) != last.as_ref());
                if let Some(hold) = news {
                    output::note(how_to_go_on(&place.to_string(), &hold));
                    last = Some(hold);
                }
            }
            Err(error) if is_hopeless(&error) => return std::future::pending().await,
            Err(_) => {}
        }
        sleep(PAUSE).await;
    }
}

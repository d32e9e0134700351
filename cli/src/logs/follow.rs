//! Follows a log to its end, through lost connections and restarts of the server.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use reqwest::Method;
use tokio::time::Instant;

use super::Printer;
use crate::api::types::LogLine;
use crate::api::{Client, events, is_passing};
use crate::output;
use crate::session::Place;

/// Without a word from the server for this long, it is taken to be gone for good.
const PATIENCE: Duration = Duration::from_mins(10);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Prints a log from an offset on until nothing more will come, and returns the offset of its end.
///
/// # Errors
/// When the server refuses, or has been away for ten minutes.
pub(crate) async fn follow(
    client: &Client,
    place: &Place,
    from: u64,
    printer: &mut Printer,
) -> anyhow::Result<u64> {
    let mut offset = from;
    let mut patience = Patience::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let before = patience.heard;
        match stream(client, place, &mut offset, &mut patience, printer).await {
            Ok(true) => {
                printer.finish()?;
                return Ok(offset);
            }
            Ok(false) => {}
            Err(error) => patience.bear(error)?,
        }
        pause = if patience.heard > before {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
        tokio::time::sleep(pause).await;
    }
}

/// How long a server may be away while a job is followed. It is restarted and upgraded under running jobs, which go on.
#[derive(Debug)]
pub(crate) struct Patience {
    heard: Instant,
    told: bool,
}

impl Patience {
    /// Patience that begins now.
    pub(crate) fn new() -> Self {
        Self {
            heard: Instant::now(),
            told: false,
        }
    }

    /// The server was heard of.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
        self.told = false;
    }

    /// Bears a failure that may pass, and says so once.
    ///
    /// # Errors
    /// The failure, when it is none that may pass, or patience has ended.
    pub(crate) fn bear(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if !is_passing(&error, true) || self.heard.elapsed() > PATIENCE {
            return Err(error);
        }
        if !self.told {
            output::note(format!("cairn: {error:#}; trying again. The job goes on."));
            self.told = true;
        }
        Ok(())
    }
}

/// Prints what one connection brings. True when the log has ended, false when only the connection has.
async fn stream(
    client: &Client,
    place: &Place,
    offset: &mut u64,
    patience: &mut Patience,
    printer: &mut Printer,
) -> anyhow::Result<bool> {
    let request = client
        .request(Method::GET, &place.path(&["log", "stream"]))
        .query(&[("offset", *offset)]);
    let response = client.checked(request).await?;
    patience.heard();
    let mut events = std::pin::pin!(events::read(client.url(), response));
    while let Some(event) = events.next().await {
        let event = event?;
        patience.heard();
        if event.kind == "end" {
            return Ok(true);
        }
        let Ok(line) = serde_json::from_str::<LogLine>(&event.data) else {
            continue;
        };
        // The id is where the log goes on after this record. One that was printed before is not printed again, whatever the server sends.
        let next = event
            .id
            .as_deref()
            .and_then(|id| id.parse::<u64>().ok())
            .context("the server's stream does not say where it is")?;
        if line.offset >= *offset {
            printer.print(&line)?;
            *offset = next.max(*offset);
        }
    }
    Ok(false)
}

//! Fetching an image from its registry.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;

use super::engine::{self, Found};
use super::{Inner, Log};
use crate::{Error, Result};

/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_mins(5);

/// The image of this name, fetched where it is not here and that is allowed.
pub(super) async fn ensure(inner: &Inner, name: &str, log: &mut Log) -> Result<Found> {
    if let Some(found) = engine::inspect(inner.docker().await?, name).await? {
        return Ok(found);
    }
    if !inner.options.pull {
        return Err(Error::NotFound(format!(
            "the image {name} is not on this machine, and images are not fetched here: it"
        )));
    }
    log.line(&format!("Fetching {name}"))?;
    fetch(inner, name, log).await?;
    engine::inspect(inner.docker().await?, name)
        .await?
        .ok_or_else(|| Error::NotFound(format!("the image {name}")))
}

async fn fetch(inner: &Inner, name: &str, log: &mut Log) -> Result<()> {
    let options = CreateImageOptions {
        from_image: Some(with_tag(name)),
        ..CreateImageOptions::default()
    };
    let mut progress = std::pin::pin!(inner.docker().await?.create_image(
        Some(options),
        None,
        None
    ));
    // A layer's state changes a few times; its progress in bytes many times.
    let mut seen: HashMap<String, String> = HashMap::new();
    loop {
        let next = tokio::time::timeout(SILENCE, progress.next()).await;
        let next = next.map_err(|e| {
            Error::unavailable(
                format!("{name} cannot be fetched: its registry is silent"),
                e.into(),
            )
        })?;
        let Some(info) = next else { return Ok(()) };
        let info = info.map_err(engine::failed)?;
        if let Some(error) = info.error_detail.and_then(|e| e.message) {
            return Err(Error::Invalid(format!("{name} cannot be fetched: {error}")));
        }
        let (id, status) = (info.id.unwrap_or_default(), info.status.unwrap_or_default());
        if !status.is_empty() && seen.get(&id) != Some(&status) {
            log.line(format!("{id} {status}").trim_start())?;
            seen.insert(id, status);
        }
    }
}

/// Without a tag the engine would fetch every tag.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) || name.contains('@') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

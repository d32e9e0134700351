//! Scrubbing of the store: when a little more of it is read again, and what follows where that is not what came in.

use std::time::Duration;

use storage::{
    fsck::{self, Mode, Pace},
    scrub::{self, Damage, News, Pass},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Control, Result,
    damage::{self, Hit},
    settings::Scrub,
};

/// How often it is looked whether it is time, at least.
const LOOK: Duration = Duration::from_mins(1);
/// How long it is left alone after it could not be done, or while another process does it.
const REST: Duration = Duration::from_mins(10);

/// How many files and uses one line of the log names; the rest is in the audit record.
const NAMED: usize = 10;

impl Control {
    /// Reads everything in the store again over the period, at most so fast, until told to stop. Nothing, where it is off.
    pub async fn keep_scrubbing(&self, shutdown: CancellationToken) {
        let Some(settings) = &self.settings().scrub else {
            return shutdown.cancelled().await;
        };
        let pace = Pace::limited(settings.bytes_per_s);
        let mut work = std::pin::pin!(self.scrub(settings, &pace));
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = &mut work => return,
        }
        // The step under way ends with an error that is nobody's concern.
        pace.stop();
    }

    async fn scrub(&self, settings: &Scrub, pace: &Pace) {
        let _lock = loop {
            match scrub::lock(self.store()).await {
                Ok(Some(lock)) => break lock,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the store cannot be scrubbed"),
            }
            tokio::time::sleep(REST).await;
        };
        loop {
            let rest = match self.scrub_if_due(settings, pace).await {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::warn!(%error, "the store could not be scrubbed");
                    REST
                }
            };
            tokio::time::sleep(rest).await;
        }
    }

    /// Takes a step, if it is time; how long there is nothing to do then.
    async fn scrub_if_due(&self, settings: &Scrub, pace: &Pace) -> Result<Duration> {
        let period_ms = i64::try_from(settings.period.as_millis()).unwrap_or(i64::MAX);
        if let Some(next_ms) = scrub::next_ms(self.db(), period_ms).await? {
            let left_ms = next_ms.saturating_sub(self.db().now_ms());
            if left_ms > 0 {
                return Ok(Duration::from_millis(left_ms.unsigned_abs()).min(LOOK));
            }
        }
        let pass = match scrub::running(self.db()).await? {
            Some(pass) => pass,
            None => scrub::begin(self.db()).await?,
        };
        match self.scrub_on(&pass, pace).await? {
            0 => Ok(Duration::ZERO),
            // Where it is not one file but the file system, it may be over by then.
            _ => Ok(REST),
        }
    }

    /// Takes a step of a pass and brings about what follows; how much of it the system could not read.
    async fn scrub_on(&self, pass: &Pass, pace: &Pace) -> Result<u64> {
        let step = &scrub::step(self.store(), pass, pace).await?;
        let mut hit = Hit::default();
        if !step.report.is_sound() {
            hit = self.newly_hit_by(&step.report, pace).await?;
        }
        loop {
            let news = self.news(&step.report, &hit).await?;
            let (found, new) = (&hit, &news);
            let told = self.db().write(move |mut tx| async move {
                if !damage::keep(&mut tx, found).await? {
                    return Ok(false);
                }
                if let Some((digest, integrity, before)) = &step.again {
                    let found = (*integrity, Mode::Full);
                    fsck::record(&mut tx, digest, found, *before).await?;
                }
                scrub::advance(&mut tx, pass, step, new).await?;
                Ok(true)
            });
            if told.await? {
                tell(&news);
                return Ok(step.report.unread);
            }
            self.look_again(&mut hit, pace).await?;
        }
    }
}

/// Tells the log of damage.
fn tell(news: &News) {
    news.told.iter().for_each(tell_one);
    if news.more > 0 {
        tracing::error!(
            more = news.more,
            "more lists of files are damaged than are told of at one time"
        );
    }
}

fn tell_one(damage: &Damage) {
    let some = |all: Vec<String>, more: usize| {
        let more = more + all.len().saturating_sub(NAMED);
        let named = all[..all.len().min(NAMED)].join(", ");
        match more {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    };
    let files = damage.files.iter().map(|file| match &*file.path {
        "" => format!("object {}", file.hash),
        path => format!("{path:?}"),
    });
    let uses = damage
        .uses
        .iter()
        .map(|one| format!("{} {}/{}", one.user, one.project, one.name));
    let more = usize::try_from(damage.more).unwrap_or(usize::MAX);
    let digest = damage.manifest_digest.map(|digest| digest.to_string());
    tracing::error!(
        manifest.digest = digest.as_deref().unwrap_or("none"),
        integrity = %damage.integrity,
        files = some(files.collect(), more),
        concerns = some(uses.collect(), usize::try_from(damage.more_uses).unwrap_or(usize::MAX)),
        "what is stored is damaged: send the same files again"
    );
}

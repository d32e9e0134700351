//! Adoptions of prefixes of buckets: what may be adopted, and that one goes on when whoever asked is gone, and after a restart.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use storage::{
    adoptions::{self, Adoption, Prefix},
    datasets::{self, Dataset},
    ids::{AdoptionId, UserId},
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Adoptable, Control, Error, Result};

/// How many go on at once.
const AT_ONCE: usize = 2;
/// How long the end of the server waits for those under way.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest key that there is.
const URI_BYTES: usize = 1024;

/// The adoptions that go on by themselves.
pub(crate) struct Adoptions {
    tasks: TaskTracker,
    stop: CancellationToken,
    turns: Semaphore,
    under_way: Mutex<HashSet<AdoptionId>>,
}

impl Default for Adoptions {
    fn default() -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            turns: Semaphore::new(AT_ONCE),
            under_way: Mutex::default(),
        }
    }
}

impl Adoptions {
    fn under_way(&self) -> std::sync::MutexGuard<'_, HashSet<AdoptionId>> {
        // Every entry is true by itself.
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// Begins to adopt `s3://BUCKET/PREFIX` as a version of a dataset; it goes on by itself. Where the same is under way, that is the answer.
    ///
    /// # Errors
    /// `Invalid` for what is no such address, and for what the configuration does not let the project adopt.
    pub async fn adopt(
        &self,
        dataset: &Dataset,
        by: UserId,
        uri: &str,
        message: &str,
    ) -> Result<Adoption> {
        let uri = Uri::read(uri)?;
        self.prefix(&uri, &dataset.project)?;
        let text = &uri.to_string();
        let begin = move |mut tx| async move {
            adoptions::begin(&mut tx, dataset, by, (text, message)).await
        };
        let (adoption, _) = self.db().write(begin).await?;
        self.go_on(adoption.clone());
        Ok(adoption)
    }

    /// Goes on with what was under way when the server ended, and stops all of it when told to: it goes on at the next start.
    pub async fn keep_adopting(&self, shutdown: CancellationToken) {
        match adoptions::running(self.db()).await {
            Ok(running) => running.into_iter().for_each(|one| self.go_on(one)),
            Err(error) => tracing::warn!(%error, "adoptions that were under way cannot go on"),
        }
        shutdown.cancelled().await;
        let Adoptions { tasks, stop, .. } = self.adoptions();
        stop.cancel();
        tasks.close();
        if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
            tracing::warn!("an adoption goes on to the end of the process");
        }
    }

    fn go_on(&self, adoption: Adoption) {
        if !self.adoptions().under_way().insert(adoption.id) {
            return;
        }
        let control = self.clone();
        self.adoptions().tasks.spawn(async move {
            let stop = control.adoptions().stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = control.carry_out(&adoption) => {}
            }
            control.adoptions().under_way().remove(&adoption.id);
        });
    }

    async fn carry_out(&self, adoption: &Adoption) {
        let turn = self.adoptions().turns.acquire().await;
        let id = adoption.id;
        let error = match self.try_to_adopt(adoption).await {
            Ok(()) => return,
            Err(error) => error,
        };
        drop(turn);
        tracing::warn!(adoption.id = %id, error = &error as &dyn std::error::Error, "an adoption failed");
        let why = match &error {
            storage::Error::Internal { .. } => "the server's log says why".to_owned(),
            told => told.to_string(),
        };
        let why = &why;
        let fail = move |mut tx| async move { adoptions::fail(&mut tx, adoption, why).await };
        if let Err(error) = self.db().write(fail).await {
            tracing::warn!(adoption.id = %id, %error, "it could not be recorded that an adoption failed");
        }
    }

    async fn try_to_adopt(&self, adoption: &Adoption) -> storage::Result<()> {
        let gone = || storage::Error::NotFound("the dataset was deleted".to_owned());
        let dataset = datasets::get(self.db(), adoption.dataset_id).await?;
        let project = dataset.ok_or_else(gone)?.project;
        // The configuration may have changed since it was asked for.
        let uri = Uri::read(&adoption.uri);
        let prefix = uri.and_then(|uri| self.prefix(&uri, &project));
        let prefix = prefix.map_err(|error| storage::Error::Invalid(error.to_string()))?;
        let made = adoptions::carry_out(self.store(), adoption, &prefix).await?;
        tracing::info!(adoption.id = %adoption.id, version = made.version.number, "a prefix was adopted");
        Ok(())
    }

    /// Where an address leads, if the project may adopt what is there.
    fn prefix(&self, uri: &Uri, project: &str) -> Result<Prefix> {
        let of_project = |one: &&Adoptable| {
            let projects = one.projects.as_ref();
            projects.is_none_or(|names| names.iter().any(|name| name == project))
        };
        let allowed: Vec<&Adoptable> = self.settings().buckets.iter().filter(of_project).collect();
        let covers =
            |one: &&&Adoptable| one.bucket == uri.bucket && uri.within.starts_with(&one.prefix);
        let nearest = allowed
            .iter()
            .filter(covers)
            .max_by_key(|one| one.prefix.len());
        if let Some(found) = nearest {
            return Ok(Prefix {
                bucket: found.name.clone(),
                within: uri.within.clone(),
            });
        }
        let named = allowed
            .iter()
            .map(|one| format!("s3://{}/{}", one.bucket, one.prefix));
        let named: Vec<String> = named.collect();
        let may = if named.is_empty() {
            "nothing yet: an administrator names buckets for it under `buckets` in the configuration".to_owned()
        } else {
            format!("{}, and what is below", named.join(", "))
        };
        Err(Error::Invalid(format!(
            "the project {project} may not adopt {uri}; it may adopt {may}"
        )))
    }
}

/// An address of a part of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Uri {
    bucket: String,
    /// Empty, or ending with `/`: whole names of folders.
    within: String,
}

impl Uri {
    fn read(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let shown: String = text.chars().take(200).collect();
            Err(Error::Invalid(format!(
                "{shown:?} {why}: say s3://BUCKET/PREFIX"
            )))
        };
        let Some(rest) = text.strip_prefix("s3://") else {
            return refuse("is no address of a bucket");
        };
        if text.len() > URI_BYTES || text.chars().any(char::is_control) {
            return refuse("is too long, or holds control characters");
        }
        let (bucket, within) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return refuse("names no bucket");
        }
        let within = within.strip_suffix('/').unwrap_or(within);
        let is_odd = |part: &str| matches!(part, "" | "." | "..");
        if !within.is_empty() && within.split('/').any(is_odd) {
            return refuse("has an empty part, or one that is `.` or `..`");
        }
        let within = match within {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let bucket = bucket.to_owned();
        Ok(Self { bucket, within })
    }
}

impl std::fmt::Display for Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_whole_folders() {
        let read = |text: &str| Uri::read(text).map(|uri| uri.to_string());
        for (text, same) in [
            ("s3://lab", "s3://lab/"),
            ("s3://lab/", "s3://lab/"),
            ("s3://lab/data", "s3://lab/data/"),
            ("s3://lab/data/a b/", "s3://lab/data/a b/"),
        ] {
            assert_eq!(read(text).unwrap(), same);
        }
        for bad in [
            "",
            "lab/data",
            "https://lab/data",
            "s3://",
            "s3:///data",
            "s3://lab//data",
            "s3://lab/data//",
            "s3://lab/data/../other",
            "s3://lab/./data",
            "s3://lab/da\nta",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

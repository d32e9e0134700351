//! From a plan to a container that runs: image, walls, network, container, start. Undone by name, should it be cut short anywhere.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateContainerOptions, CreateImageOptions};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout};

use super::container::{self, Parts};
use super::engine::{Engine, Refusal, refusal, said};
use super::{Plan, firewall, network};
use crate::spec::{Mount, Spec};
use crate::status::Failure;

/// A pull that says nothing for this long has failed.
const SILENCE: Duration = Duration::from_mins(5);
/// How often the log tells how far a pull is.
const PROGRESS: Duration = Duration::from_secs(5);
/// How many networks are tried before the pool counts as full.
const TRIES: u32 = 4096;

/// What a launch is made from, on this machine's side.
pub(crate) struct Launch<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) spec: &'a Spec,
    pub(crate) mounts: &'a [Mount],
    pub(crate) user: (u32, u32),
    pub(crate) init: &'a Path,
    pub(crate) accounts: [&'a Path; 2],
    /// A file that nobody else locks.
    pub(crate) lock: &'a Path,
    /// Takes a line for the log.
    pub(crate) say: &'a (dyn Fn(String) + Sync),
}

impl Launch<'_> {
    /// Reaches the engine and sees to it that the image is there; makes nothing that would have to be removed.
    pub(crate) async fn prepare(&self) -> Result<Engine, Refusal> {
        let engine = Engine::connect(&self.plan.engine, self.plan.patience()).await?;
        self.image(&engine).await?;
        Ok(engine)
    }

    /// Makes and starts the container. What was made when this fails or is dropped, [`Plan::remove`] removes.
    pub(crate) async fn carry_out(&self, engine: &Engine) -> Result<(), Refusal> {
        let plan = self.plan;
        plan.step("image");
        if let Err(e) = firewall::ensure(&plan.network, self.lock) {
            (self.say)(format!("The network's walls are not in force: {e}."));
        }
        plan.step("firewall");
        self.network(engine).await?;
        plan.step("network");
        let request = container::request(Parts {
            plan,
            spec: self.spec,
            mounts: self.mounts,
            user: self.user,
            init: self.init,
            accounts: self.accounts,
        });
        let options = CreateContainerOptions {
            name: Some(plan.name.clone()),
            ..CreateContainerOptions::default()
        };
        let created = engine.docker.create_container(Some(options), request);
        engine.make("make the container", created).await?;
        plan.step("container");
        let started = engine.docker.start_container(&plan.name, None);
        engine
            .make("start the container", started)
            .await
            .map_err(not_image)?;
        plan.step("started");
        Ok(())
    }

    /// Sees to it that the engine has the image and that it is for this machine.
    async fn image(&self, engine: &Engine) -> Result<(), Refusal> {
        let name = self.spec.image.as_deref().unwrap_or_default();
        let inspect = || engine.ask("look at the image", engine.docker.inspect_image(name));
        let found = match inspect().await {
            Err((Failure::ImageMissing, _)) => {
                self.pull(engine, name).await?;
                inspect().await?
            }
            other => other?,
        };
        let own = own_architecture();
        match found.architecture.as_deref() {
            Some(theirs) if theirs != own && !theirs.is_empty() => Err((
                Failure::ImageUnusable,
                format!("The image {name} is for {theirs}, and this machine is {own}."),
            )),
            _ => Ok(()),
        }
    }

    async fn pull(&self, engine: &Engine, name: &str) -> Result<(), Refusal> {
        let missing = |why: &str| {
            (
                Failure::ImageMissing,
                format!("There is no image {name} here{why}."),
            )
        };
        if name.starts_with("sha256:")
            || name.chars().all(|c| c.is_ascii_hexdigit()) && name.len() >= 12
        {
            return Err(missing(""));
        }
        (self.say)(format!("Fetching the image {name}."));
        // Without a tag the engine would fetch every one.
        let last = name.rsplit('/').next().unwrap_or(name);
        let tag = (!last.contains([':', '@'])).then(|| "latest".to_owned());
        let options = CreateImageOptions {
            from_image: Some(name.to_owned()),
            tag,
            ..CreateImageOptions::default()
        };
        let mut news = std::pin::pin!(engine.docker.create_image(Some(options), None, None));
        let mut progress = Progress::default();
        loop {
            let info = match timeout(SILENCE, news.next()).await {
                Ok(Some(Ok(info))) => info,
                Ok(None) => return Ok(()),
                Ok(Some(Err(e))) => {
                    let (failure, message) = refusal(&format!("fetch the image {name}"), &e);
                    return Err((unless_engine(failure), message));
                }
                Err(_) => return Err(missing(", and fetching it stopped half way")),
            };
            if let Some(error) = info.error_detail.as_ref().and_then(|e| e.message.clone()) {
                return Err(missing(&format!(
                    ", and it cannot be fetched: {}",
                    said(&error)
                )));
            }
            if let Some(line) = progress.take(info) {
                (self.say)(line);
            }
        }
    }

    /// Tries subnets until one is free: only the engine knows, and it decides between all who ask at once.
    async fn network(&self, engine: &Engine) -> Result<(), Refusal> {
        let plan = self.plan;
        let pool = network::Pool::parse(&plan.network.pool).ok_or_else(|| {
            (
                Failure::Refused,
                "The networks' pool is not valid.".to_owned(),
            )
        })?;
        let seed = network::seed(&plan.name);
        for attempt in 0..pool.count().min(TRIES) {
            let request = network::request(plan, &self.spec.id, pool.subnet(seed, attempt));
            match engine
                .make("make a network", engine.docker.create_network(request))
                .await
            {
                Err((_, message)) if message.contains("overlaps") => {}
                other => return other.map(drop).map_err(not_image),
            }
        }
        let message = format!("No network is free in {}.", plan.network.pool);
        Err((Failure::Refused, message))
    }
}

/// Nothing but an image is missing when the engine misses something in an image's step.
fn not_image((failure, message): Refusal) -> Refusal {
    match failure {
        Failure::ImageMissing => (Failure::EngineFailed, message),
        other => (other, message),
    }
}

/// A registry's refusals come with any status.
fn unless_engine(failure: Failure) -> Failure {
    match failure {
        Failure::Refused => Failure::Refused,
        _ => Failure::ImageMissing,
    }
}

/// As images name it.
fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Sums up what the engine says of each layer.
#[derive(Default)]
struct Progress {
    layers: HashMap<String, (i64, i64)>,
    said: Option<Instant>,
}

impl Progress {
    /// A line for the log, now and then.
    fn take(&mut self, info: CreateImageInfo) -> Option<String> {
        let (current, total) = info
            .progress_detail
            .and_then(|p| Some((p.current?, p.total?)))?;
        if info.status.as_deref() != Some("Downloading") {
            return None;
        }
        self.layers.insert(info.id?, (current, total));
        if self.said.is_some_and(|at| at.elapsed() < PROGRESS) {
            return None;
        }
        self.said = Some(Instant::now());
        let sum = |part: fn(&(i64, i64)) -> i64| self.layers.values().map(part).sum::<i64>() >> 20;
        let (current, total) = (sum(|l| l.0), sum(|l| l.1));
        Some(format!("Fetching the image: {current} of {total} MB."))
    }
}

impl Plan {
    /// Where a test wants this process to be killed, it is.
    pub(crate) fn step(&self, name: &str) {
        if self.crash_at.as_deref() == Some(name) {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms)
    }

    /// Ends the container at once, by way of the engine.
    pub(crate) async fn kill(&self) {
        if let Ok(engine) = Engine::connect(&self.engine, self.patience()).await {
            engine.kill(&self.name).await;
        }
    }

    /// Whether the engine says that memory ran out, asked for `limit` at most.
    pub(crate) async fn oom(&self, limit: Duration) -> bool {
        let asking = async {
            let engine = Engine::connect(&self.engine, self.patience()).await?;
            engine.look(&self.name).await
        };
        let look = timeout(limit, asking).await;
        look.is_ok_and(|l| l.is_ok_and(|l| l.is_some_and(|l| l.oom)))
    }

    /// [`remove`](Self::remove) for callers without a runtime. What cannot be removed now is found by the sweep.
    pub(crate) fn remove_blocking(&self, limit: Duration) {
        let plan = self.clone();
        let removed = super::engine::blocking(async move { plan.remove(limit).await });
        if let Ok(Err((_, message))) = removed {
            tracing::warn!(message, name = self.name, "a container is left for later");
        }
    }

    /// Removes the run's container and network, within `limit`.
    pub(crate) async fn remove(&self, limit: Duration) -> Result<(), Refusal> {
        let removing = async {
            let engine = Engine::connect(&self.engine, self.patience()).await?;
            engine.remove(&self.name).await
        };
        timeout(limit, removing).await.unwrap_or_else(|_| {
            let message = "The container engine does not answer.";
            Err((Failure::EngineFailed, message.to_owned()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    #[test]
    fn progress_is_told_now_and_then() {
        let mut progress = Progress::default();
        let news = |id: &str, current: i64| CreateImageInfo {
            id: Some(id.into()),
            status: Some("Downloading".into()),
            progress_detail: Some(ProgressDetail {
                current: Some(current << 20),
                total: Some(100 << 20),
            }),
            ..CreateImageInfo::default()
        };
        assert_eq!(
            progress.take(news("a", 10)).unwrap(),
            "Fetching the image: 10 of 100 MB."
        );
        assert_eq!(progress.take(news("b", 10)), None);
    }
}

//! The service put together: data directory, records, objects, spawner and control. What `serve`, `up`, `down` and the commands that
//! work on the host share. Starts nothing.

mod environments;
mod folder;

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use control::{
    Capacity, Control, Homes, Layout, LocalMachine, Machines, Parts, Scrub, Settings, machine::Host,
};
use spawner::{DockerRuntime, ProcessRuntime, Runtimes};
use storage::{
    Db, Store,
    clock::System,
    links,
    mount::{self, Mounts},
    secret::SealingKey,
    users::{self, NewUser, User},
};

use crate::{capacity, config::Config};

pub(crate) use environments::{environments, specs};
pub(crate) use folder::{DataFolder, Running, WORKER_OF, build, tail};

/// The file that is there while a backup is restored into a data directory, or was not to its end.
pub(crate) const RESTORING: &str = "restoring";
/// How long a sign-in link works.
const LINK_MS: i64 = 15 * 60 * 1000;

/// Opens the records of a data directory.
///
/// # Errors
/// Also where a restore was cut off: what is there is not whole.
pub(crate) async fn open_db(config: &Config, folder: &DataFolder) -> Result<Db> {
    let url = whole(config, folder)?;
    Db::open(&url, Arc::new(System))
        .await
        .context("the database cannot be opened")
}

/// Opens the records and the store of a data directory beside the server whose they are, and brings neither up to date.
///
/// # Errors
/// Also where one of them is missing, or is another server's.
pub(crate) async fn open_beside(config: &Config, folder: &DataFolder) -> Result<Store> {
    let url = whole(config, folder)?;
    let db = Db::open_existing(&url, Arc::new(System)).await.context(
        "the server's database cannot be opened: give the same --config and CAIRN_DATABASE as the server has",
    )?;
    Store::beside(&Layout::new(folder.path()).store(), db, config.kept_in()?)
        .await
        .context("the object store cannot be opened")
}

/// The database's URL, where what is there is whole.
fn whole(config: &Config, folder: &DataFolder) -> Result<String> {
    let marker = folder.path().join(RESTORING);
    ensure!(
        !storage::backup::is_begun(&marker),
        "a restore into {} was cut off: begin it again with the same `cairn restore F`, or begin anew with an empty directory",
        folder.path().display()
    );
    config.database_url(folder.path())
}

/// Puts control together over a data directory.
pub(crate) async fn compose(config: &Config, folder: &DataFolder) -> Result<Control> {
    let data = folder.path();
    let db = open_db(config, folder).await?;
    let store = Store::open_in(&Layout::new(data).store(), db.clone(), config.kept_in()?)
        .await
        .context("the object store cannot be opened")?;
    let key_file = config
        .secret_key_file
        .clone()
        .unwrap_or_else(|| data.join("secret_key"));
    let key = SealingKey::load_or_create(&key_file).context("the secret key cannot be used")?;
    let local = host(config, folder, store.clone(), None).await?;
    let parts = Parts {
        db,
        store,
        machines: Machines::new(Arc::new(local)),
        key,
    };
    Ok(Control::new(
        parts,
        settings(config, data, &runtimes(config, folder)?)?,
    ))
}

/// This host as a machine; `api_url` is where work reaches the API, if not at the public address.
pub(crate) async fn host(
    config: &Config,
    folder: &DataFolder,
    store: Store,
    api_url: Option<String>,
) -> Result<LocalMachine> {
    let base = runtime(config, folder)?;
    let docker = docker(config, base.clone());
    let engine = Some(docker.engine.clone());
    let docker = DockerRuntime::open(docker)?;
    let process = ProcessRuntime::open(base)?;
    let place = Layout::new(folder.path()).store();
    let rung = tokio::task::block_in_place(|| mount::probe(&place));
    tracing::debug!(?rung, "how inputs are shown");
    let isolated = tokio::task::block_in_place(|| process.capabilities().sandbox);
    Ok(LocalMachine::new(Host {
        id: folder.machine_id()?,
        mounts: Mounts::open(&store, rung).await?,
        store,
        engine,
        runtime: Arc::new(Runtimes::new(process, docker)),
        environments: environments(config, folder.path())?,
        layout: Layout::new(folder.path()),
        api_url,
        isolated,
        contained: !config.local.offers("process"),
    }))
}

/// The configuration of the process runtime.
pub(crate) fn runtime(config: &Config, folder: &DataFolder) -> Result<spawner::Config> {
    let mut runtime = spawner::Config::new(Layout::new(folder.path()).runs(), folder.sockets()?);
    runtime.hidden = vec![folder.path().to_owned()];
    runtime.uids = config.uids;
    Ok(runtime)
}

/// The configuration of the docker runtime, beside that of the process runtime.
pub(crate) fn docker(config: &Config, mut base: spawner::Config) -> spawner::docker::Config {
    base.runs.set_file_name("runs-docker");
    let beside = || {
        let own = std::env::current_exe().ok()?;
        Some(own.with_file_name("cairn-inside"))
    };
    let inside = config.inside.clone().or_else(beside).unwrap_or_default();
    let mut docker = spawner::docker::Config::new(base, inside);
    docker.engine.clone_from(&config.docker_socket);
    docker.network = config.docker_network.clone();
    docker
}

/// The runtimes that this machine offers, by name. An engine that does not answer now may do so later: what is started meanwhile says so.
pub(crate) fn runtimes(config: &Config, folder: &DataFolder) -> Result<Vec<&'static str>> {
    let docker = docker(config, runtime(config, folder)?);
    let there = docker.engine.exists() && docker.inside.is_file();
    let found = ["process"].into_iter().chain(there.then_some("docker"));
    Ok(found.filter(|name| config.local.offers(name)).collect())
}

fn settings(config: &Config, data: &Path, runtimes: &[&str]) -> Result<Settings> {
    let machines = config.machines.iter();
    Ok(Settings {
        homes: Homes {
            quota_bytes: config.home_quota_bytes,
            save_every: Duration::from_secs(config.home_save_s.max(1)),
        },
        collect_every: (config.gc_interval_s > 0)
            .then(|| Duration::from_secs(config.gc_interval_s)),
        copies_bytes: config.s3.as_ref().and_then(|s3| s3.copies_bytes),
        scrub: (config.scrub_period_s > 0 && config.scrub_bytes_per_s > 0).then(|| Scrub {
            period: Duration::from_secs(config.scrub_period_s),
            bytes_per_s: config.scrub_bytes_per_s,
        }),
        scratch: data.to_owned(),
        offline_grace: Duration::from_secs(config.offline_grace_s),
        environments: specs(config)?,
        allowed_images: config.allowed_images.clone(),
        base_image: config.base_image.clone(),
        machines: machines
            .map(|(name, machine)| (name.clone(), machine.kind()))
            .collect(),
        buckets: config.adoptable(),
        capacity: measure(config, runtimes)?,
        api_url: config
            .public_url()?
            .to_string()
            .trim_end_matches('/')
            .to_owned(),
    })
}

/// What this machine has for work.
pub(crate) fn measure(config: &Config, runtimes: &[&str]) -> Result<Capacity> {
    let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let jobs = NonZeroUsize::new(config.max_jobs.unwrap_or(cores.max(2)))
        .context("max_jobs must be at least 1")?;
    let jobs = u32::try_from(jobs.get()).unwrap_or(u32::MAX);
    capacity::measure(&config.local, jobs, runtimes)
}

/// The administrator, made where there is none.
pub(crate) async fn administrator(db: &Db) -> Result<User> {
    if let Some(found) = users::first_admin(db).await? {
        return Ok(found);
    }
    let new = &NewUser {
        name: "admin".to_owned(),
        display_name: "Administrator".to_owned(),
        admin: true,
    };
    Ok(db
        .write(move |mut tx| async move { users::create(&mut tx, new).await })
        .await?)
}

/// A fresh link that signs `user` in, once, within 15 minutes.
pub(crate) async fn sign_in_link(config: &Config, db: &Db, user: &User) -> Result<String> {
    let id = user.id;
    let code = db
        .write(move |mut tx| async move { links::create_sign_in(&mut tx, id, LINK_MS).await })
        .await?;
    Ok(format!("{}sign-in#{}", config.public_url()?, code.expose()))
}

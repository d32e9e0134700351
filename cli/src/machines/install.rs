//! `cairn machines add --engine`: makes a plain Docker engine a machine by starting a worker on it as a container.

use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use spawner::install::{Engine, Worker};
use url::Url;

use crate::api::{Call, types};
use crate::output;
use crate::progress::Spinner;
use crate::session::Session;

use super::Machine;

/// How long the worker may take until the server sees it.
const ARRIVAL: Duration = Duration::from_mins(2);
/// A worker that ended by itself so often will not stay.
const MAX_RESTARTS: i64 = 2;
/// What a build may be told of this machine: how it reaches Debian's packages.
const VARIABLES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// Where the engine is.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// A Docker engine elsewhere: `ssh://USER@HOST`, `tcp://HOST:PORT` with --tls, or `unix:///PATH`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) engine: Option<String>,
    /// The folder with the ca.pem, cert.pem and key.pem for tcp://.
    #[arg(long, value_name = "D", requires = "engine")]
    pub(crate) tls: Option<PathBuf>,
}

/// How the worker is set up there.
#[derive(Debug, clap::Args)]
pub(crate) struct Setup {
    /// The server's address as the engine's host reaches it; default: the one you are signed in to.
    #[arg(long, value_name = "URL", requires = "engine")]
    url: Option<Url>,
    /// The worker's folder on the engine's host; default /var/lib/cairn-worker/NAME.
    #[arg(long, value_name = "D", requires = "engine")]
    worker_data: Option<PathBuf>,
    /// A cairn.toml for the worker, instead of one that says: containers only.
    #[arg(long, value_name = "F", requires = "engine")]
    worker_config: Option<PathBuf>,
    /// Certificates that the worker trusts beside the system's, as PEM.
    #[arg(long, value_name = "F", requires = "engine")]
    ca_file: Option<PathBuf>,
    /// The image that the worker's is built on.
    #[arg(
        long,
        value_name = "IMAGE",
        default_value = "debian:bookworm-slim",
        requires = "engine"
    )]
    worker_image: String,
}

/// What is known before the machine is made, so that a mistake makes none.
pub(crate) struct Install {
    engine: Engine,
    name: String,
    data: PathBuf,
    programs: [PathBuf; 2],
    arguments: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    base: String,
}

impl Install {
    /// Reaches the engine and reads what the worker will be told.
    pub(crate) async fn prepare(
        session: &Session,
        place: &Place,
        setup: Setup,
        name: &str,
    ) -> Result<Option<Self>> {
        let Some(engine) = connect(place).await? else {
            return Ok(None);
        };
        let data = setup
            .worker_data
            .unwrap_or_else(|| Path::new("/var/lib/cairn-worker").join(name));
        let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
        ensure!(
            data.is_absolute() && data.components().all(plain),
            "--worker-data must be an absolute path without .."
        );
        let inside = data.join(Worker::PROGRAMS[1]);
        let config = match &setup.worker_config {
            Some(path) => read(path)?,
            None => b"[local]\nruntimes = [\"docker\"]\n".to_vec(),
        };
        let mut files = vec![("cairn.toml".to_owned(), with_inside(config, &inside))];
        let url = setup.url.unwrap_or_else(|| session.client.url().clone());
        let at = |file: &str| data.join(file).display().to_string();
        let mut arguments = vec![
            "worker".to_owned(),
            "--url".to_owned(),
            url.to_string(),
            "--token-file".to_owned(),
            at("token"),
            "--data-dir".to_owned(),
            data.display().to_string(),
        ];
        if let Some(path) = &setup.ca_file {
            files.push(("ca.pem".to_owned(), read(path)?));
            arguments.extend(["--ca-file".to_owned(), at("ca.pem")]);
        }
        Ok(Some(Self {
            engine,
            name: name.to_owned(),
            data,
            programs: programs()?,
            arguments,
            files,
            base: setup.worker_image,
        }))
    }

    /// Starts the worker, and waits until the server sees it. Leaves no container where it fails.
    pub(crate) async fn carry_out(mut self, session: &Session, token: &str) -> Result<()> {
        self.files
            .push(("token".to_owned(), format!("{token}\n").into_bytes()));
        let bar = Spinner::new();
        let [program, inside] = &self.programs;
        let worker = Worker {
            name: &self.name,
            data: &self.data,
            programs: [program, inside],
            files: self.files,
            arguments: self.arguments,
            base: &self.base,
            variables: VARIABLES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
                .collect(),
        };
        let say = |step: &str| bar.say(step.to_owned());
        self.engine.install(&worker, say).await?;
        bar.say("Waiting for the worker".to_owned());
        if let Err(error) = arrives(session, &self.engine, &self.name).await {
            let said = self.engine.last_words(&self.name).await;
            self.engine.uninstall(&self.name).await?;
            let said: Vec<String> = said.lines().map(output::clean).collect();
            return Err(error.context(format!("the worker said:\n{}\n", said.join("\n"))));
        }
        Ok(())
    }
}

/// The engine, where one is named.
pub(crate) async fn connect(place: &Place) -> Result<Option<Engine>> {
    Ok(match &place.engine {
        Some(address) => Some(Engine::connect(address, place.tls.as_deref()).await?),
        None => None,
    })
}

async fn arrives(session: &Session, engine: &Engine, name: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let list = session.client.call(Call::get(&["machines"])).await?;
        let mut machines = types::items::<Machine>(&list)?.into_iter();
        if machines.any(|machine| machine.name == name && machine.state == "online") {
            return Ok(());
        }
        if engine.restarts(name).await? > MAX_RESTARTS {
            bail!("the worker ends as soon as it is started");
        }
        if begun.elapsed() > ARRIVAL {
            bail!(
                "the worker on the engine does not reach the server: --url says where it is for that host"
            );
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// This program and the one beside it.
fn programs() -> Result<[PathBuf; 2]> {
    let own = std::env::current_exe().context("this program's file cannot be found")?;
    let inside = own.with_file_name("cairn-inside");
    ensure!(
        inside.is_file() && cfg!(target_os = "linux"),
        "{} is needed for containers and is not there: `make up` on Linux builds it",
        inside.display()
    );
    Ok([own, inside])
}

/// The engine looks for the program that containers are shown on its own host: in the worker's folder.
fn with_inside(config: Vec<u8>, inside: &Path) -> Vec<u8> {
    let line = format!("inside = {:?}\n", inside.display().to_string());
    [line.into_bytes(), config].concat()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

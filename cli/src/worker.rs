//! `cairn worker`: makes this host a machine of a server elsewhere. It dials out only, again and again, and what runs goes on meanwhile.

mod contact;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use gateway::machines::{GRACE_HEADER, Hello, MACHINE_HEADER, PROTOCOL, Worker};
use reqwest::{StatusCode, header};
use storage::{Db, Store, clock::System, ids::MachineId};
use tokio::net::TcpListener;
use url::Url;

use crate::{
    api,
    config::Config,
    serve,
    service::{self, DataFolder, Running, build},
};
use contact::Contact;

/// The first pause before dialling again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long the server may take to answer a call for a connection.
const ANSWER: Duration = Duration::from_secs(30);

/// Arguments of `cairn worker`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server's address.
    #[arg(long, value_name = "URL")]
    url: Url,
    /// A file that holds the machine's token, as `cairn machines add` printed it.
    #[arg(long, value_name = "F")]
    token_file: PathBuf,
    /// What can be asked of this machine, such as `gpu`; may be given several times.
    #[arg(long = "label", value_name = "L")]
    labels: Vec<String>,
    /// Where homes, runs, environments and a cache of objects are kept; default: `worker` in the usual data directory.
    #[arg(long, value_name = "D")]
    data_dir: Option<PathBuf>,
    /// Certificates to trust beside the system's, as PEM.
    #[arg(long, value_name = "F")]
    ca_file: Option<PathBuf>,
}

/// Works until told to stop; what runs then goes on.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let place = match &args.data_dir {
        Some(place) => place.clone(),
        None => DataFolder::place(None)?.join("worker"),
    };
    let folder = DataFolder::open(Some(&place))?;
    let config = Config::load(None, folder.path(), None)?;
    let _log = serve::begin_log(config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    runtime.block_on(work(args, &config, &folder))?;
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(ExitCode::SUCCESS)
}

/// Whether this is a worker's data directory.
pub(crate) fn is_one(folder: &DataFolder) -> Result<bool> {
    Ok(folder.read(service::WORKER_OF)?.is_some())
}

/// Ends everything that runs here. What it left stays: the server fetches it when the worker is there again.
pub(crate) async fn end(config: &Config, folder: &DataFolder) -> Result<()> {
    let _lock = folder.lock()?;
    let machine = service::host(config, folder, cache(folder).await?, None).await?;
    Ok(Worker::new(machine, Hello::default())
        .end_everything()
        .await?)
}

/// The store of content that the server has sent, or that was captured here for it.
async fn cache(folder: &DataFolder) -> Result<Store> {
    let url = Db::sqlite_url(&folder.path().join("cairn.db"))?;
    let db = Db::open(&url, Arc::new(System))
        .await
        .context("the records of the cache cannot be opened")?;
    Store::open(&folder.path().join("store"), db)
        .await
        .context("the cache of objects cannot be opened")
}

async fn work(args: &Args, config: &Config, folder: &DataFolder) -> Result<()> {
    let _lock = folder.lock()?;
    let store = cache(folder).await?;
    let listener = listen(folder).await?;
    let api_url = format!("http://{}", listener.local_addr()?);
    let machine = service::host(config, folder, store, Some(api_url)).await?;
    let runtimes = service::runtimes(config, folder)?;
    let worker = Worker::new(machine, hello(args, config, &runtimes)?);
    folder.record(&Running {
        pid: std::process::id(),
        url: args.url.to_string(),
        build: build(),
    })?;
    let contact = Contact::open(folder);
    tracing::info!(server = %args.url, data = %folder.path().display(), "working");
    tokio::select! {
        () = worker.forward(listener) => {}
        () = contact.watch(&worker) => {}
        () = dial_for_ever(args, folder, &worker, &contact) => {}
        told = serve::told_to_stop() => told?,
    }
    tracing::info!("stopping; servers and jobs go on");
    Ok(())
}

/// What this machine says of itself.
fn hello(args: &Args, config: &Config, runtimes: &[&str]) -> Result<Hello> {
    let found = service::measure(config, runtimes)?;
    let mut labels = found.labels;
    labels.extend(args.labels.iter().cloned());
    labels.sort_unstable();
    labels.dedup();
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        labels,
        runtimes: found.runtimes,
        cpu_millicores: found.cpu_millicores.map(signed),
        memory_bytes: found.memory_bytes.map(signed),
        slots: found.slots.map(i64::from),
        devices: found.devices,
    })
}

/// A port of this host for runs that ask the API; the same after a restart, for runs outlive it.
async fn listen(folder: &DataFolder) -> Result<TcpListener> {
    let kept = folder.read("api-port")?;
    let port = kept.and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(port) = port
        && let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await
    {
        return Ok(listener);
    }
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("no port of this machine can be listened on")?;
    folder.write("api-port", &format!("{}\n", listener.local_addr()?.port()))?;
    Ok(listener)
}

async fn dial_for_ever(args: &Args, folder: &DataFolder, worker: &Worker, contact: &Contact) {
    let mut pause = PAUSES.0;
    loop {
        match dial(args, folder, contact).await {
            Ok(connection) => {
                tracing::info!(server = %args.url, "connected");
                let _here = contact.begin();
                worker.serve(connection).await;
                tracing::warn!(server = %args.url, "the connection is lost; dialling again");
                pause = PAUSES.0;
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(server = %args.url, error, "the server cannot be reached; dialling again");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Opens a connection and has it upgraded.
async fn dial(args: &Args, folder: &DataFolder, contact: &Contact) -> Result<reqwest::Upgraded> {
    let token = std::fs::read_to_string(&args.token_file)
        .with_context(|| format!("{} cannot be read", args.token_file.display()))?;
    let client = api::http(&args.url, args.ca_file.as_deref())?
        .http1_only()
        .build()
        .context("cannot prepare TLS")?;
    let mut url = args.url.clone();
    url.path_segments_mut()
        .map_err(|()| anyhow::anyhow!("{} is no address of a server", args.url))?
        .pop_if_empty()
        .extend(["api", "v1", "machines", "connect"]);
    let request = client
        .get(url)
        .bearer_auth(token.trim())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, format!("cairn-machine/{PROTOCOL}"))
        .send();
    let answer = tokio::time::timeout(ANSWER, request)
        .await
        .context("the server does not answer")??;
    match answer.status() {
        StatusCode::SWITCHING_PROTOCOLS => {}
        StatusCode::UNAUTHORIZED => bail!(
            "the server does not know the token in {}: the machine was removed, or has another token now",
            args.token_file.display()
        ),
        status => bail!("the server answers {status}: {}", answer.text().await?),
    }
    let said = |name: &str| -> Option<String> {
        Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
    };
    let id: MachineId = said(MACHINE_HEADER)
        .and_then(|text| text.parse().ok())
        .context("the server does not say which machine this is")?;
    folder.claim(id, &args.url)?;
    if let Some(grace_ms) = said(GRACE_HEADER).and_then(|text| text.parse().ok()) {
        contact.allow(Duration::from_millis(grace_ms));
    }
    Ok(answer.upgrade().await?)
}

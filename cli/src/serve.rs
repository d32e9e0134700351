//! `cairn serve`: composes storage, spawner, control and gateway, and runs them until told to stop.
//!
//! What it started goes on when it ends: servers and attempts belong to the machine, and the next `serve` adopts them.

use std::{
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result};
use control::Control;
use gateway::{
    App,
    listen::Listening,
    log::{Buffered, Flush, Text},
};
use storage::{expiry, uploads, users};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, LogFormat},
    service::{self, DataFolder, Running, build},
};

/// How often what has expired is removed.
const EXPIRY: Duration = Duration::from_hours(1);
/// Events are kept this long for readers that come back.
const EVENTS_MS: i64 = 7 * 24 * 3600 * 1000;

/// Arguments of `cairn serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file; default `DATA/cairn.toml` where it exists.
    #[arg(long, value_name = "F")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on; default 127.0.0.1:8000.
    #[arg(long, value_name = "A")]
    pub(crate) listen: Option<SocketAddr>,
}

/// Runs the service in the foreground.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = DataFolder::open(args.data_dir.as_deref())?;
    let config = Config::load(args.config.as_deref(), folder.path(), args.listen)?;
    let _log = begin_log(config.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no threads can be started")?;
    runtime.block_on(serve(config, folder))?;
    // Blocking work such as an environment's build must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config, folder: DataFolder) -> Result<()> {
    let _lock = folder.lock()?;
    let control = service::compose(&config, &folder).await?;
    control
        .register()
        .await
        .context("this machine cannot be registered")?;
    let app = App::new(config.gateway()?, control.clone());
    let sockets = bind(app.config()).await?;
    let url = config.public_url()?.to_string();
    folder.record(&Running {
        pid: std::process::id(),
        url: url.clone(),
        build: build(),
    })?;
    greet(&config, &folder, &control).await?;

    let shutdown = CancellationToken::new();
    let work = tokio::spawn(look_after(control.clone(), shutdown.clone()));
    let served = tokio::spawn(app.run(sockets, shutdown.clone()));
    tracing::info!(url, data = %folder.path().display(), "serving");
    told_to_stop().await?;
    tracing::info!("stopping; servers and jobs go on");
    shutdown.cancel();
    served.await.context("the gateway broke")?;
    work.await.context("the reconciler broke")?;
    control.db().close().await;
    Ok(())
}

async fn bind(config: &gateway::Config) -> Result<Vec<Listening>> {
    let mut sockets = Vec::with_capacity(config.listeners.len());
    for listener in &config.listeners {
        let bound = Listening::bind(listener).await;
        sockets.push(bound.with_context(|| format!("cannot listen on {}", listener.address))?);
    }
    Ok(sockets)
}

/// A new installation gets its administrator and the example project; until an administrator has a password every start gives a sign-in link.
async fn greet(config: &Config, folder: &DataFolder, control: &Control) -> Result<()> {
    let admin = service::administrator(control.db()).await?;
    control.seed_example(admin.id).await?;
    if users::admin_has_password(control.db()).await? {
        return Ok(());
    }
    let link = service::sign_in_link(config, control.db(), &admin).await?;
    folder.keep_link(&link)?;
    if std::io::stdout().is_terminal() {
        writeln!(std::io::stdout(), "Sign in: {link}")?;
    }
    Ok(())
}

/// Everything that goes on beside the gateway.
async fn look_after(control: Control, shutdown: CancellationToken) {
    if let Err(error) = control.clean_up().await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "what an earlier crash left could not be removed"
        );
    }
    tokio::join!(
        control.run(shutdown.clone()),
        control.keep_collecting(shutdown.clone()),
        control.keep_scrubbing(shutdown.clone()),
        control.keep_room(shutdown.clone()),
        control.keep_adopting(shutdown.clone()),
        expire(&control, shutdown)
    );
}

async fn expire(control: &Control, shutdown: CancellationToken) {
    loop {
        if let Err(error) = expiry::remove(control.db(), EVENTS_MS).await {
            tracing::warn!(%error, "what has expired could not be removed");
        }
        if let Err(error) = uploads::expire(control.store()).await {
            tracing::warn!(%error, "old uploads could not be removed");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EXPIRY) => {}
        }
    }
}

pub(crate) async fn told_to_stop() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be received")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Begins the log; it is written out in batches, the last one when the guard is dropped.
pub(crate) fn begin_log(format: LogFormat) -> Result<Flush> {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter =
        EnvFilter::try_from_env("CAIRN_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let (writer, flush) = Buffered::new(std::io::stderr()).context("no log can be written")?;
    let log = fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone());
    match format {
        LogFormat::Text => log
            .with_ansi(std::io::stderr().is_terminal())
            .event_format(Text::default())
            .init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(flush)
}

//! The gateway under test: the real listener, front and proxy, its access log written to a file. Only the records are a constant.

use std::{
    fs::File,
    io::{Write as _, stdout},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use gateway::{
    Config,
    config::{Listener, Role},
    front::Front,
    listen::{Drain, Listening, connections_for_open_files},
    log::{Buffered, Text},
    proxy::{Address, Bounds, Credential, Entry, Proxy, Unanswered, Upstream, Verdict, Workspaces},
};
use storage::ids::WorkspaceId;
use tokio::sync::{Semaphore, watch};

/// One workspace that the cookie `alice` opens.
struct Constant {
    socket: PathBuf,
    changes: watch::Sender<u64>,
}

impl Workspaces for Constant {
    async fn authorise(
        &self,
        credential: Credential<'_>,
        _: &WorkspaceId,
    ) -> Result<Verdict, Unanswered> {
        Ok(if credential == Credential::Cookie("alice") {
            Verdict::Allowed {
                user: "alice".into(),
            }
        } else {
            Verdict::Denied
        })
    }

    async fn resolve(&self, _: &WorkspaceId) -> Result<Upstream, Unanswered> {
        Ok(Upstream::Running {
            address: Address::Unix(self.socket.clone()),
            token: "0123456789abcdef0123456789abcdef".into(),
        })
    }

    async fn enter(&self, _: &WorkspaceId, _: &str) -> Result<Option<Entry>, Unanswered> {
        Ok(None)
    }

    async fn api(
        &self,
        _: gateway::proxy::Asked<'_>,
        _: http::Request<hyper::body::Incoming>,
    ) -> Result<http::Response<axum::body::Body>, Unanswered> {
        Err(Unanswered)
    }

    async fn leave(&self, _: &WorkspaceId, _: &str) -> Result<(), Unanswered> {
        Ok(())
    }

    fn touch(&self, _: &WorkspaceId) {}

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Serves for ever; prints its port first.
pub(crate) fn run(socket: &Path, log: &Path) -> Result<()> {
    let (log, _flush) = Buffered::new(File::create(log).context("the log")?)?;
    tracing_subscriber::fmt()
        .with_ansi(false)
        .event_format(Text::default())
        .with_writer(move || log.clone())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = Listener {
            address: "127.0.0.1:0".parse()?,
            role: Role::App,
            tls: None,
        };
        let listening = Listening::bind(&listener).await?;
        let address = listening.local_addr()?;
        let config = Config::new(
            format!("http://localhost:{}", address.port()).parse()?,
            address,
        );
        let workspaces = Arc::new(Constant {
            socket: socket.to_owned(),
            changes: watch::Sender::new(0),
        });
        let bounds = Bounds {
            tunnels: 20_000,
            ..Bounds::default()
        };
        let proxy = Proxy::new(&config, workspaces, bounds);
        let front = Arc::new(Front::new(&config, axum::Router::new(), proxy));
        let connections = Arc::new(Semaphore::new(connections_for_open_files()));
        writeln!(stdout(), "{}", address.port())?;
        listening
            .serve(
                Arc::new(config),
                connections,
                Drain::new(),
                move |request, arrival| {
                    let front = Arc::clone(&front);
                    async move { front.handle(request, arrival).await }
                },
            )
            .await;
        Ok(())
    })
}

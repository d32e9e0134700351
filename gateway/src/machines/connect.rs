//! A worker dials in: its token is checked, the connection is taken over, and the machine is one of control's for as long as it lasts.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use control::Machine;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use storage::machines::{self, Kind, Registration};
use tokio::time::{self, MissedTickBehavior};
use tower::{ServiceExt as _, service_fn};

use super::{
    GRACE_HEADER, Hello, MACHINE_HEADER, PROTOCOL,
    mux::{Mux, Side, Stream},
    remote::RemoteMachine,
    wire::Call,
};
use crate::{App, auth, error::ApiError, proxy::Peer};

/// The stream of a run's request to the API.
pub(super) const API: u8 = b'A';
/// How long a worker may take to say what it is.
const HELLO: Duration = Duration::from_secs(20);
/// How often the records say that a machine is there.
const SEEN: Duration = Duration::from_secs(15);

/// The protocol's name in `Upgrade`.
fn protocol() -> String {
    format!("cairn-machine/{PROTOCOL}")
}

/// Takes a worker's connection over. Not part of the described API: only the worker of the same program speaks what follows.
pub(crate) async fn connect_machine(
    State(app): State<App>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let secret = auth::bearer(request.headers()).ok_or_else(ApiError::unauthenticated)?;
    let secret = secret.to_owned();
    let machine = machines::authenticate(app.db(), &secret)
        .await?
        .ok_or_else(ApiError::unauthenticated)?;
    let upgrade = request.headers().get(header::UPGRADE);
    if upgrade.is_none_or(|asked| asked.as_bytes() != protocol().as_bytes()) {
        return Err(ApiError::new(
            StatusCode::UPGRADE_REQUIRED,
            "other_version",
            format!(
                "This server speaks {} with its workers: use the same version of cairn on both.",
                protocol()
            ),
        ));
    }
    let Some(connection) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(ApiError::invalid("The connection cannot be upgraded."));
    };
    let Some(peer) = request.extensions_mut().remove::<Peer>() else {
        return Err(ApiError::invalid("The connection comes from nowhere."));
    };
    let mut answer = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = answer.headers_mut();
    put(headers, "upgrade", &protocol());
    put(headers, "connection", "Upgrade");
    put(headers, MACHINE_HEADER, &machine.id.to_string());
    let grace = app.control().settings().offline_grace.as_millis();
    put(headers, GRACE_HEADER, &grace.to_string());
    tokio::spawn(async move {
        let name = machine.name.clone();
        match connection.await {
            Ok(socket) => hold(app, (machine, secret), TokioIo::new(socket), peer).await,
            Err(error) => tracing::debug!(machine.name = name, %error, "a worker hung up"),
        }
    });
    Ok(answer)
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Makes the machine one of control's until its connection ends.
async fn hold<T>(app: App, (record, secret): (machines::Machine, String), socket: T, peer: Peer)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mux, mut incoming) = Mux::new(socket, Side::Server);
    let machine = RemoteMachine::new(record.id, mux.clone(), app.control().store().clone());
    if let Err(error) = greet(&app, &record, &machine).await {
        tracing::warn!(machine.name = record.name, %error, "a machine cannot be taken up yet");
        return mux.close();
    }
    let machine: Arc<dyn Machine> = Arc::new(machine);
    app.control().hosts().connect(Arc::clone(&machine));
    tracing::info!(machine.name = record.name, "a machine is connected");
    let mut ticks = time::interval(SEEN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = mux.closed() => break,
            () = app.ending().cancelled() => break,
            Some((kind, stream)) = incoming.recv() => {
                if kind == API {
                    tokio::spawn(serve_run(app.clone(), stream, peer));
                }
            }
            _ = ticks.tick() => if !is_welcome(&app, &record, &secret).await { break },
        }
    }
    app.control().hosts().disconnect(&machine);
    mux.close();
    tracing::info!(
        machine.name = record.name,
        "a machine is not connected any more"
    );
}

/// Hears what the machine is, records it, and removes what it holds of work that was given up meanwhile.
async fn greet(
    app: &App,
    record: &machines::Machine,
    machine: &RemoteMachine,
) -> control::Result<()> {
    let said = time::timeout(HELLO, machine.link.call::<Hello>(&Call::Hello));
    let hello = said.await.map_err(|_| control::Error::Unavailable {
        message: "the machine does not say what it is".to_owned(),
        source: None,
    })??;
    let new = &Registration {
        id: record.id,
        name: record.name.clone(),
        kind: Kind::Worker,
        labels: hello.labels,
        runtimes: hello.runtimes,
        cpu_millicores: hello.cpu_millicores,
        memory_bytes: hello.memory_bytes,
        slots: hello.slots,
        address: None,
        devices: hello.devices,
    };
    app.db()
        .write(move |mut tx| async move { machines::register(&mut tx, new).await })
        .await?;
    app.control().clean_up_on(machine).await
}

/// Records that the machine is there, unless it was removed or has another token by now.
async fn is_welcome(app: &App, record: &machines::Machine, secret: &str) -> bool {
    let id = record.id;
    match machines::authenticate(app.db(), secret).await {
        Ok(Some(known)) if known.id == id => {}
        Ok(_) => return false,
        Err(error) => {
            tracing::warn!(%error, "whether a machine is still known cannot be read");
            return true;
        }
    }
    let seen = app
        .db()
        .write(move |mut tx| async move { machines::seen(&mut tx, id).await });
    if let Err(error) = seen.await {
        tracing::warn!(%error, "that a machine is there cannot be recorded");
    }
    true
}

/// Answers a run's requests: the API alone, for its own token alone.
async fn serve_run(app: App, stream: Stream, peer: Peer) {
    let router = app.router();
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let is_api = request.uri().path().starts_with("/api/v1/");
            if !is_api || !request.headers().contains_key(header::AUTHORIZATION) {
                return Ok(ApiError::unauthenticated().into_response());
            }
            request.headers_mut().remove(header::COOKIE);
            request.extensions_mut().insert(peer);
            router.oneshot(request.map(axum::body::Body::new)).await
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a run's connection to the API ended with an error");
    }
}

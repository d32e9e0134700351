//! Calls and content, answered by this machine.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use control::{Error, LocalMachine, Machine as _, Result};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use storage::transfer;

use super::super::{
    link::chunks,
    wire::{self, Call, Chunk, Failure, Hello, Left},
};

struct Inner {
    machine: Arc<LocalMachine>,
    hello: Arc<Hello>,
}

type Here = State<Arc<Inner>>;

/// Everything that the server may ask.
pub(super) fn router(machine: Arc<LocalMachine>, hello: Arc<Hello>) -> Router {
    Router::new()
        .route(wire::CALL, post(call))
        .route(wire::LACKING, post(lacking))
        .route(wire::LIST, post(list))
        .route(wire::PUT, post(put))
        .route(wire::GET, post(get))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(Inner { machine, hello }))
}

async fn call(State(here): Here, body: Bytes) -> Result<Json<Value>, Refused> {
    let call = serde_json::from_slice(&body)
        .map_err(|error| Error::Invalid(format!("this machine does not know the call: {error}")))?;
    if let Call::Changed { run_id, seen } = call {
        // Ends with the connection: nothing is begun by waiting.
        return json(here.machine.changed(&run_id, &seen).await?);
    }
    // Everything else goes on when the connection breaks, and is found by the next call.
    let answered = tokio::spawn(async move { answer(&here, call).await });
    answered.await.map_err(|error| Error::Internal {
        message: "a call was cut short".to_owned(),
        source: Some(Box::new(error)),
    })?
}

async fn answer(here: &Inner, call: Call) -> Result<Json<Value>, Refused> {
    let machine = &here.machine;
    match call {
        Call::Hello => json(&*here.hello),
        Call::Environment(spec) => json(machine.environment(&spec).await?),
        Call::Build(spec) => json(machine.build(&spec).await?),
        Call::BuildLog {
            spec,
            offset,
            max_bytes,
        } => json(machine.build_log(&spec, offset, max_bytes).await?),
        Call::MakeHome {
            workspace,
            template,
        } => json(machine.make_home(workspace, template).await?),
        Call::HasHome(workspace) => json(machine.has_home(workspace).await?),
        Call::ShowInputs { workspace, inputs } => {
            json(machine.show_inputs(workspace, &inputs).await?)
        }
        Call::RemoveHome(workspace) => json(machine.remove_home(workspace).await?),
        Call::RestoreHome { workspace, source } => {
            json(machine.restore_home(workspace, &source).await?)
        }
        Call::SnapshotHome { workspace, project } => {
            let taken = machine.snapshot_home(workspace, project).await?;
            json(taken.recorded())
        }
        Call::MeasureHome(workspace) => json(machine.measure_home(workspace).await?),
        Call::Snapshot { workspace, project } => {
            // What the index says next time is in this machine's store from now on.
            json(machine.snapshot(workspace, project).await?.recorded())
        }
        Call::Prepare(work) => json(machine.prepare(&work).await?),
        Call::Start { work, secrets } => json(machine.start(&work, &secrets).await?),
        Call::Capture { attempt, project } => {
            let left = machine.capture(attempt, project).await?;
            json(Left {
                outputs: left.outputs.recorded(),
                log: left.log.map(|log| (log.hash, log.size)),
                report: left.report,
            })
        }
        other => of_run(machine, other).await,
    }
}

/// What is asked of a run that is there already.
async fn of_run(machine: &LocalMachine, call: Call) -> Result<Json<Value>, Refused> {
    match call {
        Call::Runs => json(machine.runs().await?),
        Call::Status(run_id) => json(machine.status(&run_id).await?),
        Call::Stop { run_id, grace_ms } => json(
            machine
                .stop(&run_id, Duration::from_millis(grace_ms))
                .await?,
        ),
        Call::Remove(run_id) => json(machine.remove(&run_id).await?),
        Call::ReadLog {
            run_id,
            offset,
            max_bytes,
        } => {
            let chunk = machine.read_log(&run_id, offset, max_bytes).await?;
            json(Chunk::from(chunk))
        }
        Call::Address(run_id) => json(machine.address(&run_id).await?.is_some()),
        _ => Err(Error::Invalid("this is asked of no run".to_owned()).into()),
    }
}

async fn lacking(State(here): Here, body: Bytes) -> Result<Vec<u8>, Refused> {
    let items = transfer::decode(&body)?;
    let lacking = transfer::lacking(here.machine.store(), items).await?;
    Ok(transfer::encode(&lacking))
}

async fn list(State(here): Here, body: String) -> Result<Vec<u8>, Refused> {
    let items = transfer::contents(here.machine.store(), body.parse()?).await?;
    Ok(transfer::encode(&items))
}

async fn put(State(here): Here, request: Request) -> Result<(), Refused> {
    transfer::receive(here.machine.store(), chunks(request.into_body())).await?;
    Ok(())
}

async fn get(State(here): Here, body: Bytes) -> Result<Body, Refused> {
    let items = transfer::decode(&body)?;
    Ok(Body::from_stream(transfer::send(
        here.machine.store(),
        items,
    )))
}

fn json(value: impl Serialize) -> Result<Json<Value>, Refused> {
    let value = serde_json::to_value(value).map_err(|error| Error::Internal {
        message: "an answer is not JSON".to_owned(),
        source: Some(Box::new(error)),
    })?;
    Ok(Json(value))
}

/// An error on its way to the server.
struct Refused(Error);

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        (status, Json(Failure::from(&self.0))).into_response()
    }
}

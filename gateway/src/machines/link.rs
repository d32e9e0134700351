//! The server's side of a machine's connection: calls and content as HTTP/1.1, one stream for each request.

use std::{collections::HashSet, io, sync::Mutex};

use axum::body::Body;
use bytes::Bytes;
use control::{Error, Result};
use futures_util::{Stream, StreamExt as _};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, BodyStream};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use storage::{
    Hash, Store, homes,
    ids::ProjectId,
    snapshot::{Captured, Pending},
    transfer::{self, Brought, Item},
};

use super::{
    mux::Mux,
    wire::{self, Call, Failure},
};

/// The stream of an HTTP request.
pub(super) const HTTP: u8 = b'H';
/// Items in one request.
const ITEMS: usize = 50_000;
/// An answer to a call, a log's part among them, is never longer.
const ANSWER_BYTES: usize = 64 << 20;

/// The way to one machine.
pub(super) struct Link {
    pub(super) mux: Mux,
    store: Store,
    /// Manifests that are known to be whole there.
    there: Mutex<HashSet<Hash>>,
}

impl Link {
    pub(super) fn new(mux: Mux, store: Store) -> Self {
        Self {
            mux,
            store,
            there: Mutex::default(),
        }
    }

    /// Makes a call and reads its answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let call =
            serde_json::to_vec(call).map_err(|error| internal("a call is not JSON", error))?;
        let bytes = self.post(wire::CALL, call.into()).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| internal("a machine answers in a way that is not known here", error))
    }

    /// Sees to it that the machine has a manifest with all its content.
    pub(super) async fn give(&self, manifest: Hash) -> Result<()> {
        if self.there().contains(&manifest) {
            return Ok(());
        }
        let items = transfer::contents(&self.store, manifest).await?;
        self.give_items(&items).await?;
        self.there().insert(manifest);
        Ok(())
    }

    /// Sees to it that the machine has a snapshot of a home.
    pub(super) async fn give_home(&self, manifest: Hash, attributes: Hash) -> Result<()> {
        self.give(manifest).await?;
        self.give_items(&[Item::object(attributes)]).await
    }

    async fn give_items(&self, items: &[Item]) -> Result<()> {
        for chunk in items.chunks(ITEMS) {
            let asked = transfer::encode(chunk).into();
            let lacking = transfer::decode(&self.post(wire::LACKING, asked).await?)?;
            if lacking.is_empty() {
                continue;
            }
            let allowed: HashSet<&Item> = chunk.iter().collect();
            if !lacking.iter().all(|item| allowed.contains(item)) {
                return Err(Error::Conflict(
                    "the machine asks for content that is not for it".to_owned(),
                ));
            }
            let frames = Body::from_stream(transfer::send(&self.store, lacking));
            self.post(wire::PUT, frames).await?;
        }
        Ok(())
    }

    /// Brings a capture of the machine into the store, ready to be recorded.
    pub(super) async fn bring(&self, project: ProjectId, captured: Captured) -> Result<Pending> {
        let brought = self
            .bring_items(project, captured.summary.manifest_digest, None)
            .await?;
        Ok(transfer::adopt(&self.store, project, captured, brought).await?)
    }

    /// Brings a snapshot of a home on the machine into the store, ready to be recorded.
    pub(super) async fn bring_home(
        &self,
        project: ProjectId,
        taken: homes::Taken,
    ) -> Result<homes::Pending> {
        let more = Some(Item::object(taken.attributes_hash));
        let brought = self
            .bring_items(project, taken.summary.manifest_digest, more)
            .await?;
        Ok(transfer::adopt_home(&self.store, project, taken, brought).await?)
    }

    /// Brings what a manifest consists of and the project lacks.
    async fn bring_items(
        &self,
        project: ProjectId,
        manifest: Hash,
        more: Option<Item>,
    ) -> Result<Brought> {
        let digest = manifest.to_hex();
        let mut items = transfer::decode(&self.post(wire::LIST, digest.into()).await?)?;
        items.extend(more);
        let mut brought = Brought::begin(&self.store).await?;
        let wanted = transfer::wanted(&self.store, project, items, &brought).await?;
        for chunk in wanted.chunks(ITEMS) {
            brought.add(self.fetch(chunk).await?);
        }
        Ok(brought)
    }

    /// Brings items of the machine into the store.
    pub(super) async fn fetch(&self, items: &[Item]) -> Result<Brought> {
        let response = self.send(wire::GET, transfer::encode(items).into()).await?;
        Ok(transfer::receive(&self.store, chunks(response)).await?)
    }

    async fn post(&self, path: &str, body: Body) -> Result<Bytes> {
        let answer = self.send(path, body).await?;
        let limited = http_body_util::Limited::new(answer, ANSWER_BYTES);
        let collected = limited.collect().await.map_err(broken)?;
        Ok(collected.to_bytes())
    }

    /// Sends a request; anything but success is the machine's error.
    async fn send(&self, path: &str, body: Body) -> Result<Incoming> {
        let stream = self.mux.open(HTTP).await.map_err(broken)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::post(path)
            .header(http::header::HOST, "machine")
            .body(body)
            .map_err(|error| internal("a call has no address", error))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() == StatusCode::OK {
            return Ok(response.into_body());
        }
        let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
        let bytes = limited.collect().await.map_err(broken)?.to_bytes();
        let failure: Failure = serde_json::from_slice(&bytes).map_err(|error| {
            internal("a machine refuses in a way that is not known here", error)
        })?;
        Err(failure.into())
    }

    fn there(&self) -> std::sync::MutexGuard<'_, HashSet<Hash>> {
        self.there
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The bytes of a body as they come.
pub(super) fn chunks<B>(body: B) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    B: hyper::body::Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display + Send,
{
    BodyStream::new(body).filter_map(async |frame| match frame {
        Ok(frame) => frame.into_data().ok().map(Ok),
        Err(error) => Some(Err(io::Error::other(error.to_string()))),
    })
}

/// The connection did not carry it: it may be there again soon.
fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable {
        message: "the machine cannot be reached now".to_owned(),
        source: Some(error.into()),
    }
}

fn internal(message: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Internal {
        message: message.to_owned(),
        source: Some(error.into()),
    }
}

//! A request of the gateway's own to a workspace's server.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{socket::Socket, workspaces::Address};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// An answer's body is read up to here and not looked at.
const MOST: usize = 1 << 20;

/// Sends a request and waits for the status of its answer, for at most 30 s. Dropping the future hangs up.
///
/// # Errors
/// Where the server cannot be reached, hangs up or is silent.
pub(crate) async fn ask(address: &Address, request: Request<String>) -> io::Result<StatusCode> {
    let exchange = async {
        let socket = Socket::connect(address).await?;
        let handshake = http1::handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = handshake.map_err(io::Error::other)?;
        let asked = async {
            let request = request.map(|text| Full::new(Bytes::from(text)));
            let response = sender.send_request(request).await;
            let (parts, body) = response.map_err(io::Error::other)?.into_parts();
            // To the end, so that the server has done with it; a longer one says nothing more.
            let _ = Limited::new(body, MOST).collect().await;
            Ok(parts.status)
        };
        tokio::pin!(asked);
        tokio::select! {
            answer = &mut asked => answer,
            _ = connection => asked.await,
        }
    };
    timeout(PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

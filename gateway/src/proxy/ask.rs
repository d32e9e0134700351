//! A request of the gateway's own to a workspace's server.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{socket::Socket, workspaces::Address};

/// The most bytes of an answer.
const MOST: usize = 8 << 20;

/// Sends a request and waits for its answer, for at most `patience` in all. Dropping the future hangs up.
///
/// # Errors
/// Where the server cannot be reached, hangs up, is silent, or answers with more than 8 MiB.
pub(crate) async fn ask(
    address: &Address,
    request: Request<String>,
    patience: Duration,
) -> io::Result<(StatusCode, Bytes)> {
    let exchange = async {
        let socket = Socket::connect(address).await?;
        let handshake = http1::handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = handshake.map_err(io::Error::other)?;
        let asked = async {
            let request = request.map(|text| Full::new(Bytes::from(text)));
            let response = sender.send_request(request).await;
            let (parts, body) = response.map_err(io::Error::other)?.into_parts();
            // To the end, so that the server has done with it.
            let body = Limited::new(body, MOST).collect().await;
            let body = body.map_err(io::Error::other)?;
            Ok((parts.status, body.to_bytes()))
        };
        tokio::pin!(asked);
        tokio::select! {
            answer = &mut asked => answer,
            _ = connection => asked.await,
        }
    };
    timeout(patience, exchange)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

//! The server behind every proxy: a small answer to requests, an echo to each WebSocket; on a unix socket and on a TCP port.

use std::{
    convert::Infallible,
    io::{Write as _, stdout},
    path::Path,
};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

/// Serves for ever; prints the TCP port first.
pub(crate) fn run(socket: &Path) -> Result<()> {
    gateway::listen::connections_for_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let unix = UnixListener::bind(socket)?;
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(stdout(), "{}", tcp.local_addr()?.port())?;
        loop {
            tokio::select! {
                Ok((stream, _)) = unix.accept() => drop(tokio::spawn(serve(stream))),
                Ok((stream, _)) = tcp.accept() => {
                    stream.set_nodelay(true)?;
                    drop(tokio::spawn(serve(stream)));
                }
            }
        }
    })
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request)) });
    // A client that hangs up is no news.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

fn answer(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return Response::new(Full::from(&b"{\"version\": \"2.17.0\"}"[..]));
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let limits = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None)
            .read_buffer_size(4096);
        let mut socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(limits))
                .await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(
        header::CONNECTION,
        http::HeaderValue::from_static("Upgrade"),
    );
    headers.insert(header::UPGRADE, http::HeaderValue::from_static("websocket"));
    if let Ok(accept) = derive_accept_key(key.as_bytes()).parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

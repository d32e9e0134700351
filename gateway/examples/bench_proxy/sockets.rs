//! Tunnels: the time of an echo, the throughput of large frames, and what ten thousand idle ones take.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};

use crate::{
    WORKSPACE,
    peers::{Peer, Stage},
    report::{Figure, Report, median},
};

/// As many as this, or what the limit of open files is good for.
const IDLE: usize = 10_000;
const ECHOES: usize = 4000;
const FRAME: usize = 8 << 20;

pub(crate) async fn measure(
    stage: &Stage,
    report: &mut Report,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let most = gateway::listen::connections_for_open_files();
    if wanted("echo") {
        echo(stage, report).await?;
    }
    if wanted("frames") {
        frames(stage, report).await?;
    }
    if wanted("idle") {
        idle(stage, report, IDLE.min(most.saturating_sub(64))).await?;
    }
    Ok(())
}

async fn open(stage: &Stage, peer: &Peer) -> Result<WebSocketStream<TcpStream>> {
    let host = stage.host(peer);
    let mut request = format!("ws://{host}/w/{WORKSPACE}/ws").into_client_request()?;
    request
        .headers_mut()
        .insert("origin", format!("http://{host}").parse()?);
    request
        .headers_mut()
        .insert("cookie", "cairn_workspace=alice".parse()?);
    let stream = TcpStream::connect(("127.0.0.1", peer.port)).await?;
    stream.set_nodelay(true)?;
    let limits = WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None);
    Ok(
        tokio_tungstenite::client_async_with_config(request, stream, Some(limits))
            .await?
            .0,
    )
}

async fn round_trip(
    socket: &mut WebSocketStream<TcpStream>,
    message: &Message,
) -> Result<Duration> {
    let started = Instant::now();
    socket.send(message.clone()).await?;
    let answer = socket.next().await.context("the connection ended")??;
    ensure!(answer.len() == message.len(), "came back changed");
    Ok(started.elapsed())
}

/// Both connections take turns, so that whatever else the machine does hits both.
async fn echo(stage: &Stage, report: &mut Report) -> Result<()> {
    let mut sockets = [
        open(stage, &stage.ours).await?,
        open(stage, &stage.backend).await?,
    ];
    let message = Message::text("{\"header\": {\"msg_type\": \"x\"}}");
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ECHOES {
        for (socket, times) in sockets.iter_mut().zip(&mut times) {
            times.push(round_trip(socket, &message).await?.as_secs_f64() * 1e6);
        }
    }
    let [ours, direct] = times.each_mut().map(|times| median(times));
    report.add(&Figure {
        name: "websocket_echo_p50_us",
        ours,
        peer: direct,
        goal: "<=+60us",
        met: ours - direct <= 60.0,
        detail: json!({"added_us": ours - direct}),
    })
}

async fn frames(stage: &Stage, report: &mut Report) -> Result<()> {
    const ROUNDS: usize = 31;
    let mut sockets = [
        open(stage, &stage.ours).await?,
        open(stage, &stage.backend).await?,
    ];
    let message = Message::binary(vec![7_u8; FRAME]);
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (socket, rates) in sockets.iter_mut().zip(&mut rates) {
            rates.push(16.0 / round_trip(socket, &message).await?.as_secs_f64());
        }
    }
    let [ours, direct] = rates.each_mut().map(|rates| median(rates));
    report.add(&Figure {
        name: "websocket_8mib_frames_mib_s",
        ours,
        peer: direct,
        goal: ">=0.9",
        met: ours / direct >= 0.9,
        detail: json!({}),
    })
}

async fn idle(stage: &Stage, report: &mut Report, count: usize) -> Result<()> {
    let (files, before) = stage.ours.usage()?;
    let host = stage.host(&stage.ours);
    let handshake = format!(
        "GET /w/{WORKSPACE}/ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: cairn_workspace=alice\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.ours.port)).await?;
        stream.write_all(handshake.as_bytes()).await?;
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).await?;
        ensure!(
            answer[..read].starts_with(b"HTTP/1.1 101"),
            "no tunnel: {}",
            String::from_utf8_lossy(&answer[..read])
        );
        sockets.push(stream);
    }
    let (open_files, after) = stage.ours.usage()?;
    drop(sockets);
    let deadline = Instant::now() + Duration::from_secs(30);
    while stage.ours.usage()?.0 > files + 8 && Instant::now() < deadline {
        sleep(Duration::from_millis(50)).await;
    }
    let (left, _) = stage.ours.usage()?;
    #[expect(clippy::cast_precision_loss, reason = "ten thousand fits")]
    let each = (after - before) / count as f64 / 1024.0;
    report.add(&Figure {
        name: "idle_websocket_kib_each",
        ours: each,
        peer: 20.0,
        goal: "<20KiB",
        met: each < 20.0 && left <= files + 8,
        detail: json!({"sockets": count, "files_before": files, "files_open": open_files, "files_after": left}),
    })
}

//! Tunnels: revocation, close codes, subprotocols, large and fragmented frames (jupyter.md section 4.4, cases 11, 39, 43, 44, 48, 49).

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};

use super::proxy_fixture::{A, Gateway, PATIENCE, until, usage};

type Socket = WebSocketStream<TcpStream>;

async fn open(gateway: &Gateway) -> Socket {
    gateway
        .websocket(&format!("/w/{A}/ws"), |_| ())
        .await
        .unwrap()
        .0
}

async fn next(
    socket: &mut Socket,
) -> Option<Result<Message, tokio_tungstenite::tungstenite::Error>> {
    timeout(PATIENCE, socket.next())
        .await
        .expect("something in time")
}

async fn echoes(socket: &mut Socket, message: Message) {
    socket.send(message.clone()).await.unwrap();
    assert!(
        next(socket).await.unwrap().unwrap() == message,
        "came back changed"
    );
}

/// The end of a tunnel that was cut: no close frame came.
async fn is_cut(socket: &mut Socket) -> bool {
    loop {
        match next(socket).await {
            None | Some(Err(_)) => return true,
            Some(Ok(Message::Close(_))) => return false,
            Some(Ok(_)) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_a_revoked_session_ends_its_tunnels_within_5_s() {
    let (gateway, echo) = Gateway::with_echo().await;
    gateway.records.allow("cookie other", A);
    let mut cut = open(&gateway).await;
    let with_token = |headers: &mut http::HeaderMap| {
        headers.remove("cookie");
        headers.insert("authorization", "Bearer tok".parse().unwrap());
    };
    let (mut by_token, _) = gateway
        .websocket(&format!("/w/{A}/ws"), with_token)
        .await
        .unwrap();
    let kept_cookie = |headers: &mut http::HeaderMap| {
        drop(headers.insert("cookie", "cairn_workspace=other".parse().unwrap()));
    };
    let (mut kept, _) = gateway
        .websocket(&format!("/w/{A}/ws"), kept_cookie)
        .await
        .unwrap();
    echoes(&mut cut, Message::text("before")).await;
    assert_eq!(gateway.proxy.tunnels(), 3);
    let revoked = Instant::now();
    gateway.records.revoke("cookie alice", A);
    gateway.records.revoke("token tok", A);
    assert!(
        is_cut(&mut cut).await && is_cut(&mut by_token).await,
        "a cut makes up no close frame"
    );
    assert!(
        revoked.elapsed() < Duration::from_secs(5),
        "{:?}",
        revoked.elapsed()
    );
    echoes(&mut kept, Message::text("still here")).await;
    until("the server's sides closed", || {
        echo.websockets.load(Ordering::Relaxed) == 1
    })
    .await;
    while gateway.ask(&format!("/w/{A}/api"), |_| ()).await.status != StatusCode::FORBIDDEN {
        assert!(revoked.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_40_tunnels_outlive_records_that_cannot_be_read() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut socket = open(&gateway).await;
    gateway.records.silent.store(true, Ordering::Relaxed);
    let asked = gateway.records.asked.load(Ordering::Relaxed);
    until("two looks at the records", || {
        gateway.records.asked.load(Ordering::Relaxed) >= asked + 2
    })
    .await;
    echoes(&mut socket, Message::text("still here")).await;
    gateway
        .records
        .set_upstream(A, gateway::proxy::Upstream::Stopped);
    let reply = gateway.ask(&format!("/w/{A}/api"), |_| ()).await;
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"unavailable".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_a_drain_finishes_answers_and_cuts_tunnels_without_a_close_code() {
    let (gateway, echo) = Gateway::with_echo().await;
    let mut socket = open(&gateway).await;
    echoes(&mut socket, Message::text("before")).await;
    let request = http::Request::get(format!("/w/{A}/stream"))
        .header("host", gateway.host(A))
        .header("cookie", "cairn_workspace=alice")
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = gateway.open(request).await;
    gateway.drain.begin();
    // No one new is served from now on; what is in flight is finished.
    until("the socket closes", || {
        std::net::TcpStream::connect(("127.0.0.1", gateway.port)).is_err()
    })
    .await;
    echo.go.notify_one();
    let body = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(&body[..], b"data: 1\n\ndata: 2\n\n");
    echoes(&mut socket, Message::text("until the end")).await;
    gateway.proxy.cut_tunnels();
    assert!(is_cut(&mut socket).await);
    assert!(gateway.drain.finish(PATIENCE).await);
    until("no tunnel is left", || gateway.proxy.tunnels() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_a_server_that_vanishes_ends_its_tunnel_without_a_close_code() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let (mut socket, _) = gateway
        .websocket(&format!("/w/{A}/ws/vanish"), |_| ())
        .await
        .unwrap();
    assert!(is_cut(&mut socket).await);
    drop(socket);
    until("no tunnel is left", || gateway.proxy.tunnels() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_44_close_codes_and_reasons_pass_both_ways() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let (mut socket, _) = gateway
        .websocket(&format!("/w/{A}/ws/close"), |_| ())
        .await
        .unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = next(&mut socket).await else {
        panic!("no close frame");
    };
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (4321, "the kernel's own reason")
    );
    let mut socket = open(&gateway).await;
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: CloseCode::from(4999),
        reason: "bye".into(),
    };
    socket.close(Some(frame.clone())).await.unwrap();
    assert!(
        matches!(next(&mut socket).await, Some(Ok(Message::Close(Some(answer)))) if answer.code == frame.code)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_44_subprotocols_and_extensions_are_what_both_sides_said() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let offer = "v1.kernel.websocket.jupyter.org, other";
    let ask = |headers: &mut http::HeaderMap| {
        headers.insert("sec-websocket-protocol", offer.parse().unwrap());
        headers.insert(
            "sec-websocket-extensions",
            "permessage-deflate; client_max_window_bits"
                .parse()
                .unwrap(),
        );
    };
    let chosen = format!("/w/{A}/ws?choose=v1.kernel.websocket.jupyter.org");
    let (_socket, response) = gateway.websocket(&chosen, ask).await.unwrap();
    let headers = response.headers();
    assert_eq!(
        headers["sec-websocket-protocol"],
        "v1.kernel.websocket.jupyter.org"
    );
    assert_eq!(headers["x-offered-protocol"], offer);
    assert_eq!(
        headers["x-offered-extensions"],
        "permessage-deflate; client_max_window_bits"
    );
    assert!(!headers.contains_key("sec-websocket-extensions"));
    let (_socket, response) = gateway
        .websocket(&format!("/w/{A}/ws"), |_| ())
        .await
        .unwrap();
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
}

pub(super) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn case_44_large_frames_arrive_byte_for_byte() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut socket = open(&gateway).await;
    for size in [0, 1, 125, 126, 65_535, 65_536, 8 << 20, 100 << 20] {
        echoes(&mut socket, Message::binary(noise(size as u64, size))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_44_fragments_with_control_frames_between_them_arrive() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut socket = open(&gateway).await;
    let parts: Vec<Vec<u8>> = (1..=20_u32)
        .map(|part| noise(u64::from(part), 1 << (part % 18)))
        .collect();
    for (number, part) in parts.iter().enumerate() {
        let opcode = if number == 0 {
            OpCode::Data(Data::Binary)
        } else {
            OpCode::Data(Data::Continue)
        };
        socket
            .send(Message::Frame(Frame::message(
                part.clone(),
                opcode,
                number + 1 == parts.len(),
            )))
            .await
            .unwrap();
        if number % 3 == 0 {
            socket
                .send(Message::Ping(vec![u8::try_from(number).unwrap()].into()))
                .await
                .unwrap();
        }
    }
    let mut pongs = 0;
    loop {
        match next(&mut socket).await.unwrap().unwrap() {
            Message::Pong(_) => pongs += 1,
            Message::Binary(bytes) => {
                assert!(bytes == parts.concat(), "came back changed");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(pongs > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_44_random_traffic_on_many_tunnels_arrives_unchanged() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut clients = Vec::new();
    for client in 0..16_u64 {
        let mut socket = open(&gateway).await;
        clients.push(tokio::spawn(async move {
            for round in 0..40_u64 {
                let size = usize::try_from((client * 7919 + round * 104_729) % 300_000).unwrap();
                let message = if round % 4 == 0 {
                    Message::text("ä".repeat(size / 2))
                } else {
                    Message::binary(noise(client ^ round << 8, size))
                };
                echoes(&mut socket, message).await;
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_43_idle_tunnels_hold_no_buffers_and_give_everything_back() {
    const TUNNELS: usize = 500;
    let (gateway, _echo) = Gateway::with_echo().await;
    drop(open(&gateway).await);
    until("no tunnel", || gateway.proxy.tunnels() == 0).await;
    let (files, _) = usage();
    let mut sockets = Vec::new();
    for _ in 0..TUNNELS {
        sockets.push(open(&gateway).await);
    }
    assert_eq!(gateway.proxy.tunnels(), TUNNELS);
    for socket in sockets.iter_mut().step_by(50) {
        socket
            .send(Message::Ping(b"x".to_vec().into()))
            .await
            .unwrap();
        assert!(matches!(next(socket).await, Some(Ok(Message::Pong(_)))));
    }
    drop(sockets);
    until("no tunnel is left", || gateway.proxy.tunnels() == 0).await;
    until("descriptors are given back", || usage().0 <= files + 4).await;
}

/// A kernel that floods one reader does not slow the others.
#[tokio::test(flavor = "multi_thread")]
async fn case_48_a_flooded_tunnel_that_nobody_reads_stays_bounded_and_hurts_nobody() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut flooded = open(&gateway).await;
    let (_, before) = usage();
    let block = Message::binary(noise(7, 1 << 20));
    // The echo comes back, nobody reads it, so that at last not even sending goes on.
    let mut sent = 0;
    while timeout(Duration::from_millis(500), flooded.send(block.clone()))
        .await
        .is_ok_and(|sent| sent.is_ok())
    {
        sent += 1;
        assert!(sent < 128, "nothing holds the flood back");
    }
    let mut calm = open(&gateway).await;
    for round in 0..50 {
        echoes(&mut calm, Message::text(format!("{round}"))).await;
    }
    assert!(usage().1.saturating_sub(before) < 96 << 20);
}

/// Bytes that came right behind the handshake are not lost, and a half-closed connection still hears the other side's last words.
#[tokio::test(flavor = "multi_thread")]
async fn case_49_bytes_around_the_handshake_and_the_end_are_not_lost() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |mut stream| async move {
        let mut buffer = vec![0; 16 * 1024];
        let mut read = 0;
        while !String::from_utf8_lossy(&buffer[..read]).contains("\r\n\r\n") {
            read += stream.read(&mut buffer[read..]).await.unwrap();
        }
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nright behind";
        stream.write_all(head).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        stream.write_all(b" last words: ").await.unwrap();
        stream.write_all(&rest).await.unwrap();
    });
    let mut stream = gateway.connect().await;
    let request = format!(
        "GET /w/{A}/ws HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: cairn_workspace=alice\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly",
        gateway.host(A),
        gateway.origin(A)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.contains("right behind last words: "), "{answer}");
    assert!(answer.ends_with("early"), "{answer}");
}

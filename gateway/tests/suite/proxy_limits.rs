//! jupyter.md section 4.4, "Routing/parsing": cases 7 to 9, upgrades, heads and slow peers.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    proxy_fixture::{A, Gateway, PATIENCE, usage},
    proxy_routing::status,
};

#[tokio::test(flavor = "multi_thread")]
async fn case_07_other_upgrades_are_refused() {
    let (gateway, echo) = Gateway::with_echo().await;
    let (host, origin) = (gateway.host(A), gateway.origin(A));
    for (method, upgrade) in [
        (
            "GET",
            "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk",
        ),
        ("GET", "Upgrade: websocket, h2c\r\nConnection: Upgrade"),
        (
            "GET",
            "Upgrade: websocket\r\nUpgrade: h2c\r\nConnection: Upgrade",
        ),
        ("GET", "Upgrade: websocket"),
        (
            "POST",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0",
        ),
        (
            "GET",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1",
        ),
    ] {
        let request = format!(
            "{method} /w/{A}/ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: cairn_workspace=alice\r\n{upgrade}\r\n\r\n"
        );
        let mut stream = gateway.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert_eq!(status(&answer), 400, "{upgrade}: {answer}");
    }
    assert_eq!(echo.requests.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_an_upgrade_answered_with_200_closes_cleanly() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let (host, origin) = (gateway.host(A), gateway.origin(A));
    let request = format!(
        "GET /w/{A}/x HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: cairn_workspace=alice\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    // `raw` returns only once the gateway has closed the connection.
    let answer = gateway.raw(request).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(answer.ends_with('}'), "{answer}");
    assert_eq!(gateway.proxy.tunnels(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_an_unasked_101_is_no_answer() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |mut stream| async move {
        let mut buffer = vec![0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").await;
    });
    let reply = gateway.ask(&format!("/w/{A}/x"), |_| ()).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_08_too_many_or_too_large_headers_are_431() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let head = format!(
        "GET /w/{A}/x HTTP/1.1\r\nHost: {}\r\nCookie: cairn_workspace=alice\r\nConnection: close\r\n",
        gateway.host(A)
    );
    let many: Vec<String> = (0..101)
        .map(|number| format!("X-{number}: a\r\n"))
        .collect();
    assert_eq!(
        status(&gateway.raw(format!("{head}{}\r\n", many.concat())).await),
        431
    );
    let large = format!("X: {}\r\n", "a".repeat(70_000));
    assert_eq!(
        status(&gateway.raw(format!("{head}{large}\r\n")).await),
        431
    );
    let fits = format!("X: {}\r\n", "a".repeat(30_000));
    assert_eq!(status(&gateway.raw(format!("{head}{fits}\r\n")).await), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_slow_reader_of_a_gibibyte_slows_the_server() {
    const SIZE: u64 = 1 << 30;
    let (gateway, echo) = Gateway::with_echo().await;
    let request = http::Request::get(format!("/w/{A}/zeros/{SIZE}"))
        .header("host", gateway.host(A))
        .header("cookie", "cairn_workspace=alice")
        .body(Full::<bytes::Bytes>::default())
        .unwrap();
    let (_, before) = usage();
    let mut body = gateway.open(request).await.into_body();
    let mut received = 0_u64;
    let mut most_ahead = 0;
    let mut frames = 0_u32;
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().into_data().unwrap().len() as u64;
        frames += 1;
        if frames.is_multiple_of(64) {
            // A slow reader: everyone else may run as far ahead as buffers let them.
            tokio::task::yield_now().await;
        }
        most_ahead = most_ahead.max(echo.produced.load(Ordering::Relaxed) - received);
    }
    let (_, after) = usage();
    assert_eq!(received, SIZE);
    // The system's own socket buffers take up to 32 MiB a hop.
    assert!(
        most_ahead < 128 << 20,
        "the server ran {most_ahead} bytes ahead"
    );
    assert!(
        after.saturating_sub(before) < 64 << 20,
        "memory grew by {} bytes",
        after - before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_server_that_does_not_read_stops_the_upload() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |stream| async move {
        // Accepts and never reads.
        std::future::pending::<()>().await;
        drop(stream);
    });
    let head = format!(
        "POST /w/{A}/x HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: cairn_workspace=alice\r\nContent-Length: 1073741824\r\n\r\n",
        gateway.host(A),
        gateway.origin(A)
    );
    let mut stream = gateway.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let block = vec![0; 1 << 20];
    let mut sent = 0_usize;
    while let Ok(Ok(())) = tokio::time::timeout(
        std::time::Duration::from_millis(500),
        stream.write_all(&block),
    )
    .await
    {
        sent += block.len();
        assert!(
            sent < 64 << 20,
            "the gateway took {sent} bytes that nobody reads"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_09_a_slow_head_holds_up_nobody() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = gateway.connect().await;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            .await
            .unwrap();
        slow.push(stream);
    }
    let reply = gateway
        .ask(&format!("/w/{A}/x"), |request| {
            *request.method_mut() = Method::GET;
        })
        .await;
    assert_eq!(reply.status, StatusCode::OK);
}

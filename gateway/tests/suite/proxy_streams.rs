//! jupyter.md section 4.4, "Reliability": case 45, everything that streams.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::proxy_fixture::{A, Gateway, PATIENCE, usage};

#[tokio::test(flavor = "multi_thread")]
async fn case_45_events_are_not_held_back() {
    let (gateway, echo) = Gateway::with_echo().await;
    let request = Request::get(format!("/w/{A}/stream"))
        .header("host", gateway.host(A))
        .header("cookie", "cairn_workspace=alice")
        .body(Full::<Bytes>::default())
        .unwrap();
    let mut body = gateway.open(request).await.into_body();
    let first = timeout(PATIENCE, body.frame())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(first.into_data().unwrap(), "data: 1\n\n");
    echo.go.notify_one();
    let second = timeout(PATIENCE, body.frame())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(second.into_data().unwrap(), "data: 2\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_45_a_client_is_told_to_continue() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut stream = gateway.connect().await;
    let head = format!(
        "POST /w/{A}/x HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: cairn_workspace=alice\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        gateway.host(A),
        gateway.origin(A)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    timeout(PATIENCE, stream.read_exact(&mut interim))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&interim[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.contains("\"body\":\"hello\"") && !answer.contains("expect"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_45_trailers_ranges_heads_and_empty_answers_pass() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let reply = gateway
        .ask(&format!("/w/{A}/trailers"), |request| {
            drop(
                request
                    .headers_mut()
                    .insert("te", "trailers".parse().unwrap()),
            );
        })
        .await;
    assert_eq!(&reply.body[..], b"body");
    assert_eq!(reply.trailers.unwrap()["x-sum"], "42");
    let reply = gateway
        .ask(&format!("/w/{A}/range/x"), |request| {
            drop(
                request
                    .headers_mut()
                    .insert("range", "bytes=1-2".parse().unwrap()),
            );
        })
        .await;
    assert_eq!(
        (reply.status, &reply.body[..]),
        (StatusCode::PARTIAL_CONTENT, &b"bytes=1-2"[..])
    );
    assert_eq!(reply.header("content-range"), "bytes 1-2/10");
    let reply = gateway
        .ask(&format!("/w/{A}/zeros/1234"), |request| {
            *request.method_mut() = Method::HEAD;
        })
        .await;
    assert_eq!(
        (reply.header("content-length"), reply.body.len()),
        ("1234", 0)
    );
    for code in [204, 304] {
        let reply = gateway.ask(&format!("/w/{A}/status/{code}"), |_| ()).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (code, 0));
    }
    let packed =
        "content-encoding=gzip&vary=Accept-Encoding&etag=%22a%22&last-modified=x&location=%2Fw%2Fx";
    let reply = gateway
        .ask(&format!("/w/{A}/headers?{packed}"), |request| {
            drop(
                request
                    .headers_mut()
                    .insert("accept-encoding", "gzip, br".parse().unwrap()),
            );
        })
        .await;
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("vary", "Accept-Encoding"),
        ("etag", "\"a\""),
        ("location", "/w/x"),
    ] {
        assert_eq!(reply.header(name), value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_45_a_large_upload_streams_with_bounded_memory() {
    const BLOCKS: u64 = 4096;
    const BLOCK: usize = 256 * 1024;
    let (gateway, echo) = Gateway::with_echo().await;
    let (_, before) = usage();
    let block = Bytes::from(vec![7_u8; BLOCK]);
    let blocks = stream::iter(
        (0..BLOCKS).map(move |_| Ok::<_, std::convert::Infallible>(Frame::data(block.clone()))),
    );
    let request = Request::post(format!("/w/{A}/sink"))
        .header("host", gateway.host(A))
        .header("origin", gateway.origin(A))
        .header("cookie", "cairn_workspace=alice")
        .body(StreamBody::new(blocks))
        .unwrap();
    let reply = gateway.send(request).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(echo.consumed.load(Ordering::Relaxed), BLOCKS * BLOCK as u64);
    assert!(
        usage().1.saturating_sub(before) < 64 << 20,
        "memory grew by {}",
        usage().1 - before
    );
}

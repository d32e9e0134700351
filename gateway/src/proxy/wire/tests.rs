//! Servers that keep to the rules, and those that do not.

use std::{convert::Infallible, future::poll_fn, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{Full, StreamBody};
use hyper::body::{Body, Frame};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::timeout,
};

use super::{Failure, Outgoing, Wire, field};

const PATIENCE: Duration = Duration::from_mins(1);
const LARGE: usize = 1 << 20;

/// What was understood of an answer, read to its end.
#[derive(Debug, PartialEq)]
struct Understood {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

fn request(method: &Method) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri("/w/1/x?a=1");
    request.header("host", "a").body(Full::default()).unwrap()
}

fn outgoing<B>(request: Request<B>) -> Outgoing<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (parts, body) = request.into_parts();
    Outgoing::new(parts, body, |fields, line| {
        for (name, value) in fields {
            if !matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING) {
                field(line, name.as_str(), value.as_bytes());
            }
        }
    })
}

/// Reads a head, says `said`, and hangs up or goes on reading.
async fn serve(mut socket: DuplexStream, said: Vec<u8>, stay: bool) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    // Whoever finds the beginning to be wrong does not wait for the rest.
    let _ = socket.write_all(&said).await;
    if stay {
        let _ = socket.read_to_end(&mut head).await;
    }
}

async fn read<B>(wire: &mut Wire<DuplexStream, B>, request: Request<B>) -> Option<Understood>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (parts, ()) = wire.ask(outgoing(request)).await.ok()?.into_parts();
    let (mut body, mut trailers) = (Vec::new(), None);
    while let Some(frame) = poll_fn(|cx| wire.poll_frame(cx)).await {
        match frame.ok()?.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Some(Understood {
        status: parts.status,
        fields: parts.headers,
        body: body.into(),
        trailers,
    })
}

/// What is understood of `said` over a pipe that holds `pipe` bytes, and whether the connection is good for another request.
async fn ask(method: &Method, said: &[u8], pipe: usize, stay: bool) -> (Option<Understood>, bool) {
    let (ours, theirs) = duplex(pipe);
    tokio::spawn(serve(theirs, said.to_vec(), stay));
    let mut wire = Wire::new(ours);
    let understood = timeout(PATIENCE, read(&mut wire, request(method))).await;
    let understood = understood.expect("an end");
    (understood, wire.is_whole())
}

#[tokio::test]
async fn answers_end_where_they_say() {
    for (said, body, whole) in [
        ("200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", true),
        (
            "200 OK\r\ncontent-length: 2, 2\r\nContent-Length: 2\r\n\r\nok",
            "ok",
            true,
        ),
        ("200 OK\r\ncontent-length: 0\r\n\r\n", "", true),
        ("204 No Content\r\ncontent-length: 5\r\n\r\n", "", true),
        ("304 Not Modified\r\ncontent-length: 5\r\n\r\n", "", true),
        (
            "200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok",
            "ok",
            false,
        ),
        (
            "200 OK\r\ncontent-length: 2\r\n\r\nok, and more",
            "ok",
            false,
        ),
        (
            "200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "ok",
            true,
        ),
        (
            "200 OK\r\ntransfer-encoding: chunked\r\n\r\n1 ;x=\"y\"\r\no\r\n01\r\nk\r\n000\r\n\r\n",
            "ok",
            true,
        ),
        (
            "100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "ok",
            true,
        ),
    ] {
        let said = format!("HTTP/1.1 {said}");
        for pipe in [1, 7, LARGE] {
            let (understood, is_whole) = ask(&Method::GET, said.as_bytes(), pipe, true).await;
            let understood = understood.unwrap_or_else(|| panic!("{said}"));
            assert_eq!(understood.body, body, "{said}");
            assert!(!understood.fields.contains_key("link"), "{said}");
            let mut lengths = understood.fields.get_all("content-length").iter();
            let length = lengths.next().map(|length| length.to_str().unwrap());
            assert!(length.is_none_or(|length| length.len() == 1), "{said}");
            assert_eq!(lengths.next(), None, "{said}");
            // What comes after the end may not have come yet.
            assert!(is_whole == whole || pipe < LARGE, "{said}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_an_end_ends_with_the_connection() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        let (understood, whole) = ask(&Method::GET, format!("{head}ok").as_bytes(), 3, false).await;
        assert_eq!(
            (understood.unwrap().body, whole),
            (Bytes::from("ok"), false)
        );
    }
    let said = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nk";
    assert!(ask(&Method::GET, said, LARGE, true).await.1);
    let said = b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nk";
    assert!(!ask(&Method::GET, said, LARGE, true).await.1);
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let said = b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n";
    let (understood, whole) = ask(&Method::HEAD, said, LARGE, true).await;
    let understood = understood.unwrap();
    assert_eq!(understood.fields["content-length"], "1234");
    assert!(understood.body.is_empty() && whole);
}

#[tokio::test]
async fn trailers_are_read() {
    let said =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n";
    for pipe in [1, LARGE] {
        let (understood, whole) = ask(&Method::GET, said, pipe, true).await;
        assert_eq!(understood.unwrap().trailers.unwrap()["x-sum"], "42");
        assert!(whole);
    }
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let long = format!("200 OK\r\nx: {}\r\n\r\n", "x".repeat(256 * 1024));
    let many = format!("200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    for said in [
        "200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "200 OK\r\ntransfer-encoding: identity\r\n\r\nok",
        "200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "200 OK\r\ncontent-length: 2, 3\r\n\r\nok",
        "200 OK\r\ncontent-length: +2\r\n\r\nok",
        "200 OK\r\ncontent-length: \r\n\r\nok",
        "200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nok",
        "200 OK\r\ncontent-length : 2\r\n\r\nok",
        "200 OK\r\nx: a\r\n folded\r\ncontent-length: 2\r\n\r\nok",
        "200 OK\r\nx: a\0\r\ncontent-length: 2\r\n\r\nok",
        "20 OK\r\n\r\n",
        "099 OK\r\n\r\n",
        &long,
        &many,
    ] {
        let said = format!("HTTP/1.1 {said}");
        let (understood, whole) = ask(&Method::GET, said.as_bytes(), LARGE, false).await;
        assert!(understood.is_none() && !whole, "{said:.200}");
    }
    for said in [
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (understood, _) = ask(&Method::GET, said.as_bytes(), LARGE, false).await;
        assert!(understood.is_none(), "{said:?}");
    }
}

#[tokio::test]
async fn chunks_that_are_malformed_or_cut_off_are_an_error() {
    let long = format!("2;{}\r\nok\r\n0\r\n\r\n", "x".repeat(8192));
    let trailers = format!("0\r\nx: {}\r\n\r\n", "x".repeat(20_000));
    for chunks in [
        "",
        "2",
        "2\r\n",
        "2\r\no",
        "2\r\nok",
        "2\r\nok\r\n",
        "2\r\nok\r\n0\r\n",
        "2\r\nok\r\n0\r\nx: y\r\n",
        "x\r\n",
        "\r\n",
        "-2\r\nok\r\n0\r\n\r\n",
        "0x2\r\nok\r\n0\r\n\r\n",
        " 2\r\nok\r\n0\r\n\r\n",
        "2 2\r\nok\r\n0\r\n\r\n",
        "2\nok\r\n0\r\n\r\n",
        "2;\rx\r\nok\r\n0\r\n\r\n",
        "2\r\nok!\r\n0\r\n\r\n",
        "2\r\nokx\n0\r\n\r\n",
        "2\r\nok\n0\r\n\r\n",
        "10000000000000002\r\nok\r\n0\r\n\r\n",
        "0\r\n x: y\r\n\r\n",
        "0\r\nx\r\n\r\n",
        "0\r\nx: y\n\r\n",
        "0\r\n\n",
        &long,
        &trailers,
    ] {
        let said = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        for pipe in [1, LARGE] {
            let (understood, whole) = ask(&Method::GET, said.as_bytes(), pipe, false).await;
            assert!(understood.is_none() && !whole, "{chunks:.100}");
        }
    }
    let said = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok";
    assert!(ask(&Method::GET, said, LARGE, false).await.0.is_none());
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let (ours, mut theirs) = duplex(LARGE);
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        for _ in 0..3 {
            let _ = theirs.read(&mut buffer).await.unwrap();
            let said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            theirs.write_all(said).await.unwrap();
        }
        theirs.write_all(b"HTTP/1.1 408").await.unwrap();
        let _ = theirs.read(&mut buffer).await;
    });
    let mut wire = Wire::new(ours);
    for _ in 0..3 {
        assert!(poll_fn(|cx| std::task::Poll::Ready(wire.is_alive(cx))).await);
        let understood = read(&mut wire, request(&Method::GET)).await;
        assert_eq!(understood.unwrap().body, "ok");
    }
    // Nobody asked.
    let noticed = async {
        while poll_fn(|cx| std::task::Poll::Ready(wire.is_alive(cx))).await {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, noticed).await.expect("it is noticed");
}

#[tokio::test]
async fn a_request_that_never_left_comes_back_and_one_that_did_does_not() {
    let (ours, theirs) = duplex(LARGE);
    drop(theirs);
    let posted = outgoing(request(&Method::POST).map(|_| Full::from("body")));
    let got = outgoing(request(&Method::GET));
    let Err(Failure::Unsent(back)) = Wire::new(ours).ask(got).await else {
        panic!("not given back");
    };
    let (ours, theirs) = duplex(LARGE);
    let said = b"HTTP/1.1 204 No Content\r\n\r\n";
    tokio::spawn(serve(theirs, said.to_vec(), true));
    let again = Wire::new(ours).ask(*back).await;
    assert_eq!(again.unwrap_or_else(|_| panic!("no answer")).status(), 204);
    // Its body was begun.
    let (ours, theirs) = duplex(LARGE);
    drop(theirs);
    let failed = Wire::new(ours).ask(posted).await;
    assert!(matches!(failed, Err(Failure::Broken(_))));
    let (understood, whole) = ask(&Method::GET, b"", LARGE, false).await;
    assert!(understood.is_none() && !whole);
}

/// What a server receives of a request up to `end`.
async fn sent<B>(request: Request<B>, end: &str) -> String
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    let (ours, mut theirs) = duplex(5);
    let asked = tokio::spawn(async move { Wire::new(ours).ask(outgoing(request)).await.is_ok() });
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        seen.push(theirs.read_u8().await.unwrap());
    }
    let said = b"HTTP/1.1 204 No Content\r\n\r\n";
    theirs.write_all(said).await.unwrap();
    assert!(asked.await.unwrap());
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn a_request_is_framed_by_its_body_alone() {
    let head = "POST /w/1/x?a=1 HTTP/1.1\r\nhost: a\r\n";
    let mut posted = request(&Method::POST).map(|_| Full::from("hello!"));
    for lie in ["content-length", "transfer-encoding"] {
        posted.headers_mut().insert(lie, "3".parse().unwrap());
    }
    assert_eq!(
        sent(posted, "!").await,
        format!("{head}content-length: 6\r\n\r\nhello!")
    );
    assert_eq!(
        sent(request(&Method::POST), "\r\n\r\n").await,
        format!("{head}\r\n")
    );
    let mut empty = request(&Method::POST);
    empty
        .headers_mut()
        .insert("content-length", "0".parse().unwrap());
    assert_eq!(
        sent(empty, "\r\n\r\n").await,
        format!("{head}content-length: 0\r\n\r\n")
    );
    let trailers = HeaderMap::from_iter([("x-user".parse().unwrap(), "root".parse().unwrap())]);
    let frames = ["he", "", "llo, world"].map(|text| Frame::data(Bytes::from(text)));
    let frames = frames
        .into_iter()
        .chain([Frame::trailers(trailers)])
        .map(Ok::<_, Infallible>);
    let body = StreamBody::new(stream::iter(frames));
    assert_eq!(
        sent(request(&Method::POST).map(|_| body), "0\r\n\r\n").await,
        format!("{head}transfer-encoding: chunked\r\n\r\n2\r\nhe\r\na\r\nllo, world\r\n0\r\n\r\n")
    );
}

mod early;
mod random;

//! Answers at random, compared with what hyper's client makes of them.

use http::Method;
use http_body_util::BodyExt as _;
use tokio::io::duplex;

use super::{LARGE, Understood, ask, request, serve};

async fn as_hyper_understands(method: &Method, said: &[u8]) -> Option<Understood> {
    let (ours, theirs) = duplex(LARGE);
    tokio::spawn(serve(theirs, said.to_vec(), false));
    let io = hyper_util::rt::TokioIo::new(ours);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender
        .send_request(request(method))
        .await
        .ok()?
        .into_parts();
    let collected = body.collect().await.ok()?;
    let trailers = collected.trailers().cloned();
    Some(Understood {
        status: parts.status,
        fields: parts.headers,
        body: collected.to_bytes(),
        trailers,
    })
}

/// Answers with a few bytes changed, taken out or put in: what we understand, hyper understands alike, and it does not matter in which
/// pieces it comes. We may understand less.
#[tokio::test]
async fn answers_at_random_are_understood_as_others_do_or_not_at_all() {
    const SEEDS: [&str; 5] = [
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx: y\r\n\r\nhello, world",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=1\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\nuntil the end",
        "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n",
    ];
    const BYTES: &[u8] = b"\r\n\r\n 0129afAF:;,\t\0x-\x7f\xff";
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut understood = 0;
    for _ in 0..4000 {
        let mut said = SEEDS[random(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(said.len());
            match random(3) {
                0 => said[at] = BYTES[random(BYTES.len())],
                1 => said.insert(at, BYTES[random(BYTES.len())]),
                _ => drop(said.remove(at)),
            }
        }
        let method = [Method::GET, Method::HEAD][usize::from(random(8) == 0)].clone();
        let whole = ask(&method, &said, LARGE, false).await.0;
        let shown = String::from_utf8_lossy(&said);
        assert_eq!(
            ask(&method, &said, 1 + random(5), false).await.0,
            whole,
            "{shown:?}"
        );
        if whole.is_some() {
            understood += 1;
            assert_eq!(
                as_hyper_understands(&method, &said).await,
                whole,
                "{shown:?}"
            );
        }
    }
    assert!((400..3600).contains(&understood), "{understood}");
}

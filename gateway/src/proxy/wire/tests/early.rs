//! Answers that come while their requests are on their way, and requests that do not come to their end.

use super::*;

#[tokio::test]
async fn an_answer_may_come_before_the_end_of_its_request() {
    let (ours, mut theirs) = duplex(64);
    let (body, pieces) = tokio::sync::mpsc::channel::<Bytes>(1);
    let pieces = stream::unfold(pieces, |mut pieces| async {
        let data = pieces.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(data)), pieces))
    });
    let upload = StreamBody::new(Box::pin(pieces));
    let echo = tokio::spawn(async move {
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            seen.push(theirs.read_u8().await.unwrap());
        }
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n";
        theirs.write_all(said).await.unwrap();
        while !seen.ends_with(b"\r\n0\r\n\r\n") {
            seen.push(theirs.read_u8().await.unwrap());
        }
        theirs.write_all(b"k").await.unwrap();
        let _ = theirs.read_u8().await;
    });
    let mut wire = Wire::new(ours);
    let asked = wire
        .ask(outgoing(request(&Method::POST).map(|_| upload)))
        .await;
    let response = asked.unwrap_or_else(|_| panic!("no answer"));
    assert_eq!(response.status(), StatusCode::OK);
    let feed = tokio::spawn(async move {
        for _ in 0..100 {
            body.send(Bytes::from_static(&[7; 100])).await.unwrap();
        }
    });
    let frame = poll_fn(|cx| wire.poll_frame(cx)).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "k");
    assert!(wire.is_ended() && wire.is_whole());
    feed.await.unwrap();
    drop(wire);
    echo.await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_it_said_breaks_the_request_off() {
    struct Liar(Option<Bytes>);
    impl Body for Liar {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            std::task::Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }
        fn size_hint(&self) -> hyper::body::SizeHint {
            hyper::body::SizeHint::with_exact(4)
        }
    }
    for body in ["abc", "abcde"] {
        let (ours, _theirs) = duplex(LARGE);
        let mut wire = Wire::new(ours);
        let liar = request(&Method::POST).map(|_| Liar(Some(body.into())));
        assert!(
            matches!(wire.ask(outgoing(liar)).await, Err(Failure::Client)),
            "{body}"
        );
        assert!(!wire.is_whole());
    }
}

/// A body without an end, whose next piece is always there.
fn endless() -> impl Body<Data = Bytes> + Unpin + Send + 'static {
    let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[7; 1000])));
    StreamBody::new(stream::repeat_with(piece))
}

#[tokio::test]
async fn a_server_that_refuses_an_upload_and_hangs_up_has_answered() {
    let (ours, mut theirs) = duplex(64);
    tokio::spawn(async move {
        let mut seen = vec![0; 100];
        theirs.read_exact(&mut seen).await.unwrap();
        let said = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";
        theirs.write_all(said).await.unwrap();
    });
    let mut wire = Wire::new(ours);
    let answer = read(&mut wire, request(&Method::POST).map(|_| endless()));
    let answer = timeout(PATIENCE, answer).await.expect("an end").unwrap();
    assert_eq!(
        (answer.status.as_u16(), &answer.body[..]),
        (413, &b"no"[..])
    );
    assert!(!wire.is_whole());
}

#[tokio::test]
async fn who_gives_up_waiting_leaves_a_connection_that_is_not_whole() {
    let (ours, mut theirs) = duplex(LARGE);
    let mut wire = Wire::new(ours);
    let asked = timeout(
        Duration::from_millis(20),
        wire.ask(outgoing(request(&Method::GET))),
    )
    .await;
    assert!(asked.is_err() && !wire.is_whole());
    // Nor does the answer that comes then make it so.
    let said = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    theirs.write_all(said).await.unwrap();
    assert!(!poll_fn(|cx| std::task::Poll::Ready(wire.is_alive(cx))).await);
}

#[tokio::test]
async fn a_request_that_breaks_off_after_its_answer_began_ends_the_answer() {
    let (ours, mut theirs) = duplex(64);
    tokio::spawn(async move {
        let mut seen = vec![0; 100];
        theirs.read_exact(&mut seen).await.unwrap();
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        theirs.write_all(said).await.unwrap();
        let _ = theirs.read_to_end(&mut seen).await;
    });
    let pieces = stream::iter((0..1000).map(|at| match at {
        999 => Err(std::io::Error::other("gone")),
        _ => Ok(Frame::data(Bytes::from_static(&[7; 100]))),
    }));
    let mut wire = Wire::new(ours);
    let response = wire
        .ask(outgoing(
            request(&Method::POST).map(|_| StreamBody::new(pieces)),
        ))
        .await;
    assert_eq!(
        response.unwrap_or_else(|_| panic!("no answer")).status(),
        200
    );
    let frame = timeout(PATIENCE, poll_fn(|cx| wire.poll_frame(cx)))
        .await
        .expect("an end");
    assert!(matches!(frame, Some(Err(_))) && !wire.is_whole());
}

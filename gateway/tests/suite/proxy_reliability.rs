//! jupyter.md section 4.4, "Reliability": what applies to the proxy besides tunnels.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gateway::proxy::{Bounds, Upstream};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::proxy_fixture::{A, Gateway, PATIENCE, until, usage};

#[tokio::test(flavor = "multi_thread")]
async fn case_39_a_server_that_is_not_there_is_503_in_every_form() {
    let gateway = Gateway::start().await;
    let nowhere = gateway.socket("nobody-listens");
    for (state, code) in [
        (Upstream::Stopped, "server_stopped"),
        (Upstream::Starting, "server_starting"),
    ] {
        gateway.records.set_upstream(A, state);
        let reply = gateway.ask(&format!("/w/{A}/api/kernels/x"), |_| ()).await;
        assert_eq!(
            (reply.status, reply.json()["code"].as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, Some(code))
        );
        assert!(!reply.header("retry-after").is_empty());
    }
    gateway.upstream(A, &nowhere);
    for change in ["api", "json", "post", "page"] {
        let reply = gateway
            .ask(
                &format!(
                    "/w/{A}/{}",
                    if change == "api" { "api/status" } else { "lab" }
                ),
                |request| match change {
                    "json" => drop(
                        request
                            .headers_mut()
                            .insert("accept", "application/json".parse().unwrap()),
                    ),
                    "post" => {
                        *request.method_mut() = Method::POST;
                        request
                            .headers_mut()
                            .insert("accept", "text/html".parse().unwrap());
                        request
                            .headers_mut()
                            .insert("origin", gateway.origin(A).parse().unwrap());
                    }
                    "page" => drop(
                        request
                            .headers_mut()
                            .insert("accept", "text/html".parse().unwrap()),
                    ),
                    _ => {}
                },
            )
            .await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{change}");
        assert_eq!(
            reply.header("content-type").starts_with("text/html"),
            change == "page",
            "{change}"
        );
    }
    assert_eq!(
        gateway.refused(&format!("/w/{A}/ws"), |_| ()).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_a_server_that_talks_nonsense_or_hangs_up_is_503() {
    for said in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 9999\r\n\r\n",
    ] {
        let gateway = Gateway::start().await;
        gateway.run_script(A, move |mut stream| async move {
            let mut buffer = vec![0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(said.as_bytes()).await;
        });
        let reply = gateway.ask(&format!("/w/{A}/api"), |_| ()).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{said:?}");
        assert_eq!(reply.json()["code"], "server_unreachable");
        assert_eq!(
            gateway.refused(&format!("/w/{A}/ws"), |_| ()).await,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_an_answer_that_breaks_off_is_seen_to_break_off() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |mut stream| async move {
        let mut buffer = vec![0; 4096];
        let _ = stream.read(&mut buffer).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .await;
    });
    let head = format!(
        "GET /w/{A}/x HTTP/1.1\r\nHost: {}\r\nCookie: cairn_workspace=alice\r\n\r\n",
        gateway.host(A)
    );
    let answer = gateway.raw(head).await;
    assert!(!answer.contains("\r\n0\r\n"), "a made-up end: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_a_restarted_server_is_found_again() {
    let (gateway, _echo) = Gateway::with_echo().await;
    assert_eq!(
        gateway.ask(&format!("/w/{A}/api"), |_| ()).await.status,
        StatusCode::OK
    );
    let socket = gateway.socket("second");
    let second = super::proxy_echo::Echo::start(&socket);
    gateway.upstream(A, &socket);
    assert_eq!(
        gateway.ask(&format!("/w/{A}/api"), |_| ()).await.status,
        StatusCode::OK
    );
    assert_eq!(second.requests.load(Ordering::Relaxed), 1);
}

/// A connection that the server closed while it was idle costs no request.
#[tokio::test(flavor = "multi_thread")]
async fn case_39_idle_connections_that_were_closed_lose_nothing() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |mut stream| async move {
        let mut buffer = vec![0; 4096];
        let _ = stream.read(&mut buffer).await;
        // Promises to stay and leaves.
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
    });
    let mut answered = 0;
    for round in 0..200 {
        let reply = gateway
            .ask(&format!("/w/{A}/x"), |request| {
                *request.method_mut() = if round % 2 == 0 {
                    Method::GET
                } else {
                    Method::POST
                };
                request
                    .headers_mut()
                    .insert("origin", gateway.origin(A).parse().unwrap());
            })
            .await;
        // Leaving in the very moment of the next request may still be seen; it is then a 503, and never another answer.
        assert!(
            reply.status == StatusCode::OK || reply.status == StatusCode::SERVICE_UNAVAILABLE,
            "{reply:?}"
        );
        answered += usize::from(reply.status == StatusCode::OK);
    }
    assert!(answered >= 150, "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_39_connections_are_kept_alive_on_both_sides() {
    let (gateway, echo) = Gateway::with_echo().await;
    let io = hyper_util::rt::TokioIo::new(gateway.connect().await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    for (number, path) in [
        "x",
        "status/204",
        "zeros/100000",
        "range/x",
        "status/304",
        "x",
    ]
    .iter()
    .cycle()
    .take(60)
    .enumerate()
    {
        sender.ready().await.unwrap();
        let request = Request::get(format!("/w/{A}/{path}"))
            .header("host", gateway.host(A))
            .header("cookie", "cairn_workspace=alice")
            .body(Full::<Bytes>::default())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        response
            .into_body()
            .collect()
            .await
            .unwrap_or_else(|error| panic!("{number} {path}: {error}"));
    }
    assert_eq!(echo.connections.load(Ordering::Relaxed), 1);
    drop(sender);
    connection.await.unwrap().unwrap();
}

/// The storm of retries that abandoned tabs make: nothing may grow.
#[tokio::test(flavor = "multi_thread")]
async fn case_42_a_thousand_tabs_that_retry_against_a_dead_server_leave_nothing_behind() {
    let gateway = Gateway::start().await;
    gateway.upstream(A, &gateway.socket("nobody-listens"));
    let storm = || async {
        stream::iter(0..1000)
            .for_each_concurrent(50, |tab| {
                let gateway = &gateway;
                async move {
                    let status = if tab % 2 == 0 {
                        gateway.refused(&format!("/w/{A}/ws"), |_| ()).await
                    } else {
                        gateway
                            .ask(&format!("/w/{A}/api/kernels/x"), |_| ())
                            .await
                            .status
                    };
                    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                }
            })
            .await;
    };
    storm().await;
    let (files, memory) = usage();
    for _ in 0..3 {
        storm().await;
    }
    until("descriptors are flat", || usage().0 <= files + 60).await;
    assert!(
        usage().1 < memory + (24 << 20),
        "memory grew by {}",
        usage().1 - memory
    );
    assert_eq!(gateway.proxy.tunnels(), 0);
}

/// A server that accepts and says nothing takes up a bounded number of places; who comes later hears 503 at once.
#[tokio::test(flavor = "multi_thread")]
async fn case_42_a_hung_server_takes_up_a_bounded_number_of_places() {
    let gateway = Gateway::start_with(
        Bounds {
            requests: 4,
            waiting: 4,
            tunnels: 2,
        },
        |_| (),
    )
    .await;
    gateway.run_script(A, |stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let head = format!(
        "GET /w/{A}/api HTTP/1.1\r\nHost: {}\r\nCookie: cairn_workspace=alice\r\n\r\n",
        gateway.host(A)
    );
    // Which of the twelve get the eight places is nobody's business; that four hear at once that there is none is.
    let (told, mut answers) = tokio::sync::mpsc::channel(12);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let mut stream = gateway.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let told = told.clone();
        clients.spawn(async move {
            let mut answer = vec![0; 4096];
            let bytes = stream.read(&mut answer).await.unwrap_or(0);
            answer.truncate(bytes);
            let _ = told
                .send(String::from_utf8_lossy(&answer).into_owned())
                .await;
        });
    }
    for _ in 0..4 {
        let answer = timeout(PATIENCE, answers.recv()).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("too_busy"), "{answer}");
    }
    assert!(
        answers.try_recv().is_err(),
        "more were refused than had to be"
    );
    // Clients that give up free their places.
    drop(clients);
    gateway.run_echo(A);
    timeout(PATIENCE, async {
        while gateway.ask(&format!("/w/{A}/api"), |_| ()).await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("places are free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_47_only_what_succeeds_and_changes_something_is_activity() {
    let (gateway, _echo) = Gateway::with_echo().await;
    let touches = || gateway.records.touches.load(Ordering::Relaxed);
    let post = |request: &mut Request<_>| {
        *request.method_mut() = Method::POST;
        request
            .headers_mut()
            .insert("origin", gateway.origin(A).parse().unwrap());
    };
    gateway
        .ask(&format!("/w/{A}/api/kernels?1732170000"), |_| ())
        .await;
    gateway.ask(&format!("/w/{A}/status/500"), post).await;
    gateway.ask(&format!("/w/{A}/status/404"), post).await;
    gateway
        .ask(&format!("/w/{A}/x?no_track_activity=1"), post)
        .await;
    assert_eq!(touches(), 0);
    for _ in 0..5 {
        gateway.ask(&format!("/w/{A}/x"), post).await;
    }
    assert_eq!(touches(), 1);
}

/// Heads made of random pieces: the gateway answers or closes, and goes on.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
async fn case_50_random_heads_never_upset_the_gateway() {
    const PIECES: [&str; 24] = [
        "GET ",
        "POST ",
        "/w/",
        A,
        "/",
        " HTTP/1.1",
        "\r\n",
        "\n",
        "\r",
        "Host: ",
        "localhost",
        ":",
        "Cookie: ",
        "cairn_workspace=alice",
        ";",
        "\0",
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "%2e%2e",
        "\u{ff}",
        "Upgrade: websocket",
        "Connection: ",
        "\r\n\r\n",
        "http://",
    ];
    let (gateway, _echo) = Gateway::with_echo().await;
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 40).unwrap()
    };
    let heads: Vec<String> = (0..500)
        .map(|_| {
            (0..next() % 30)
                .map(|_| PIECES[next() % PIECES.len()])
                .collect()
        })
        .collect();
    stream::iter(heads)
        .for_each_concurrent(32, |head| {
            let gateway = &gateway;
            async move {
                let mut stream = gateway.connect().await;
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(b"\r\n\r\n").await;
                let _ = stream.shutdown().await;
                let mut answer = Vec::new();
                let _ = timeout(PATIENCE, stream.read_to_end(&mut answer))
                    .await
                    .expect("an end");
                let answer = String::from_utf8_lossy(&answer);
                assert!(
                    !answer.contains("HTTP/1.1 500") && !answer.contains("HTTP/1.1 502"),
                    "{head:?}: {answer}"
                );
            }
        })
        .await;
    assert_eq!(
        gateway.ask(&format!("/w/{A}/x"), |_| ()).await.status,
        StatusCode::OK
    );
}

//! Bulk through tunnels: it arrives unchanged however slowly it is read, to the last byte, and leaves nothing behind.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpStream, UnixStream},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    proxy_fixture::{A, Gateway, PATIENCE, until, usage},
    proxy_tunnels::noise,
};

const MIB: usize = 1 << 20;

/// Reads a head, so that what follows is the tunnel's.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The client's end of a tunnel.
async fn open(gateway: &Gateway) -> TcpStream {
    let mut stream = gateway.connect().await;
    let request = format!(
        "GET /w/{A}/ws HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: cairn_workspace=alice\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        gateway.host(A),
        gateway.origin(A)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    stream
}

/// The server's end of a tunnel.
async fn accept(mut stream: UnixStream) -> UnixStream {
    head(&mut stream).await;
    stream
        .write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )
        .await
        .unwrap();
    stream
}

/// Numbers without a pattern, the same in every run.
fn chance(seed: u64) -> impl FnMut(usize) -> usize {
    let numbers = noise(seed, 64 * 1024);
    let mut at = 0;
    move |below| {
        at = (at + 4) % numbers.len();
        let number: [u8; 4] = numbers[at..at + 4].try_into().unwrap();
        u32::from_le_bytes(number) as usize % below
    }
}

/// Writes in pieces of all sizes.
async fn say(to: &mut (impl AsyncWrite + Unpin), mut words: &[u8]) {
    let mut chance = chance(words.len() as u64);
    while !words.is_empty() {
        let (piece, rest) = words.split_at((1 + chance(500_000)).min(words.len()));
        to.write_all(piece).await.unwrap();
        words = rest;
        if chance(8) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Reads to the end in pieces of all sizes, and dawdles now and then.
async fn hear(from: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut chance = chance(3);
    let mut heard = Vec::new();
    let mut buffer = vec![0; 300_000];
    loop {
        let room = 1 + chance(buffer.len());
        let read = timeout(PATIENCE, from.read(&mut buffer[..room]));
        match read.await.expect("something in time").unwrap() {
            0 => return heard,
            read => heard.extend_from_slice(&buffer[..read]),
        }
        if chance(8) == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_both_ways_at_once_arrives_unchanged_past_readers_that_dawdle() {
    let gateway = Gateway::start().await;
    let (told, mut heard) = mpsc::channel(1);
    gateway.run_script(A, move |stream| {
        let told = told.clone();
        async move {
            let (mut reader, mut writer) = split(accept(stream).await);
            let (came, ()) = tokio::join!(hear(&mut reader), async {
                say(&mut writer, &noise(2, 24 * MIB)).await;
                writer.shutdown().await.unwrap();
            });
            told.send(came).await.unwrap();
        }
    });
    let (mut reader, mut writer) = split(open(&gateway).await);
    let (came, ()) = tokio::join!(hear(&mut reader), async {
        say(&mut writer, &noise(1, 24 * MIB)).await;
        writer.shutdown().await.unwrap();
    });
    assert!(came == noise(2, 24 * MIB), "changed on the way down");
    let came = heard.recv().await.unwrap();
    assert!(came == noise(1, 24 * MIB), "changed on the way up");
    assert!(gateway.records.touches.load(Ordering::Relaxed) > 0);
    drop((reader, writer));
    until("no tunnel is left", || gateway.proxy.tunnels() == 0).await;
}

/// The server answers what it heard only when it has heard the end, in the middle of its own words.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_close_in_the_middle_of_bulk_ends_that_half_only() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |stream| async move {
        let (mut reader, mut writer) = split(accept(stream).await);
        let words = noise(3, 8 * MIB);
        let (came, ()) = tokio::join!(hear(&mut reader), say(&mut writer, &words));
        say(&mut writer, &came).await;
    });
    let words = noise(4, 8 * MIB);
    let (mut reader, mut writer) = split(open(&gateway).await);
    let (came, ()) = tokio::join!(hear(&mut reader), async {
        say(&mut writer, &words).await;
        writer.shutdown().await.unwrap();
    });
    assert!(came == [noise(3, 8 * MIB), words].concat(), "changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_server_that_leaves_in_bulk_are_heard_to_the_end() {
    let gateway = Gateway::start().await;
    gateway.run_script(A, |stream| async move {
        say(&mut accept(stream).await, &noise(5, 16 * MIB)).await;
    });
    let mut client = open(&gateway).await;
    assert!(hear(&mut client).await == noise(5, 16 * MIB), "changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_vanishes_in_bulk_ends_the_tunnel_and_all_descriptors_are_given_back() {
    let gateway = Gateway::start().await;
    let (told, mut vanish) = mpsc::channel(1);
    gateway.run_script(A, move |stream| {
        let told = told.clone();
        async move {
            let mut stream = accept(stream).await;
            let mut block = noise(6, MIB);
            // Floods until the client has gone, and leaves itself where the client floods.
            if stream.read_u8().await.unwrap() == b'f' {
                while stream.write_all(&block).await.is_ok() {}
            } else {
                stream.read_exact(&mut block).await.unwrap();
            }
            told.send(()).await.unwrap();
        }
    });
    drop(open(&gateway).await);
    until("no tunnel", || gateway.proxy.tunnels() == 0).await;
    let (files, _) = usage();
    let mut client = open(&gateway).await;
    client.write_all(b"f").await.unwrap();
    let mut block = vec![0; MIB];
    client.read_exact(&mut block).await.unwrap();
    drop(client);
    vanish.recv().await.unwrap();
    let mut client = open(&gateway).await;
    block.fill(b'x');
    while timeout(PATIENCE, client.write_all(&block))
        .await
        .unwrap()
        .is_ok()
    {}
    vanish.recv().await.unwrap();
    drop(client);
    until("no tunnel is left", || gateway.proxy.tunnels() == 0).await;
    until("descriptors are given back", || usage().0 <= files + 4).await;
}

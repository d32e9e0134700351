//! Servers that are not sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::access;
use crate::bucket::Bucket;

/// A server that gives the same answer to every request, and closes. Counts what it was asked.
async fn server(answer: impl Into<String>) -> (Bucket, Arc<AtomicUsize>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (answer, asked) = (answer.into(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut asked = [0; 8192];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (Bucket::new(&access(&address, "")).unwrap(), asked, address)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}")
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (_, other, address) = server(answer("200 OK", "content-length: 5\r\n", "other")).await;
    let moved = answer(
        "307 Temporary Redirect",
        &format!("location: {address}/cairn/key\r\ncontent-length: 0\r\n"),
        "",
    );
    let (bucket, asked, _) = server(moved).await;
    assert!(bucket.get("key", 0..5, None).await.is_err());
    assert!(asked.load(Ordering::SeqCst) > 0);
    assert_eq!(
        other.load(Ordering::SeqCst),
        0,
        "no credentials go elsewhere"
    );
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_no_content() {
    let cut = answer(
        "206 Partial Content",
        "content-length: 10\r\netag: \"e\"\r\n",
        "half",
    );
    let (bucket, ..) = server(cut).await;
    let mut body = bucket.get("key", 0..10, None).await.unwrap().unwrap();
    let mut outcome = Ok(Some(Bytes::new()));
    while let Ok(Some(_)) = outcome {
        outcome = body.next().await;
    }
    assert!(outcome.unwrap_err().retryable());
    // One that says it is all there is.
    let short = answer(
        "206 Partial Content",
        "content-length: 4\r\netag: \"e\"\r\n",
        "half",
    );
    let (bucket, ..) = server(short).await;
    assert!(bucket.get("key", 0..10, None).await.unwrap().is_none());
    let long = answer(
        "200 OK",
        "content-length: 12\r\netag: \"e\"\r\n",
        "far too long",
    );
    let (bucket, ..) = server(long).await;
    assert!(bucket.get("key", 0..10, None).await.is_err());
}

#[tokio::test]
async fn a_listing_that_does_not_end_is_an_error() {
    let page = |token: &str, key: &str| {
        let body = format!(
            "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated>{token}<Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
        );
        let length = format!(
            "content-type: application/xml\r\ncontent-length: {}\r\n",
            body.len()
        );
        answer("200 OK", &length, &body)
    };
    let (bucket, ..) = server(page("", "a")).await;
    let error = bucket.list("").next().await.unwrap_err();
    assert!(error.to_string().contains("there is more"), "{error}");
    let (bucket, asked, _) = server(page(
        "<NextContinuationToken>t</NextContinuationToken>",
        "a",
    ))
    .await;
    let mut listing = bucket.list("");
    assert_eq!(listing.next().await.unwrap().unwrap()[0].key, "a");
    assert!(listing.next().await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let (bucket, ..) = server(page("", "elsewhere/a")).await;
    let error = bucket.list("data/").next().await.unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
}

#[tokio::test]
async fn expired_credentials_say_so_and_may_be_mended() {
    let body =
        "<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>expired</Message></Error>";
    let length = format!(
        "content-type: application/xml\r\ncontent-length: {}\r\n",
        body.len()
    );
    let (bucket, ..) = server(answer("400 Bad Request", &length, body)).await;
    let error = bucket.get("key", 0..1, None).await.map(drop).unwrap_err();
    assert!(
        error.retryable() && error.to_string().contains("ExpiredToken"),
        "{error}"
    );
}

//! Fetches small files many at a time: a request for each would cost more than their bytes.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::download::Source;
use crate::api::types::File;
use crate::api::{Error, is_passing};

/// The largest file that goes with others, in bytes. The server sends four times that.
const SMALL_BYTES: u64 = 256 * 1024;
/// What one request asks for at most: files, and bytes.
const FILES: usize = 512;
const BYTES: u64 = 4 << 20;
/// How often a request is made.
const TRIES: u32 = 3;
/// The hash of a content and its length.
const HEAD_BYTES: usize = 32 + 8;

/// Parts files into those that are fetched together; large ones are alone.
pub(super) fn parted(files: Vec<File>) -> Vec<Vec<File>> {
    let (mut parts, mut small, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        if file.bytes > SMALL_BYTES {
            parts.push(vec![file]);
            continue;
        }
        if small.len() == FILES || bytes + file.bytes > BYTES {
            parts.push(std::mem::take(&mut small));
            bytes = 0;
        }
        bytes += file.bytes;
        small.push(file);
    }
    if !small.is_empty() {
        parts.push(small);
    }
    parts
}

/// The contents of some small files by their hashes, each proven. What did not come is not there.
pub(super) async fn contents(
    source: &Source<'_>,
    files: &[File],
) -> anyhow::Result<HashMap<String, Vec<u8>>> {
    let mut tries = 0;
    loop {
        tries += 1;
        match ask(source, files).await {
            Err(error) if is_passing(&error, true) && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
            }
            result => return Ok(parse(&result?)),
        }
    }
}

async fn ask(source: &Source<'_>, files: &[File]) -> anyhow::Result<Vec<u8>> {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let request = source
        .client
        .request(Method::POST, &source.listing.path(&["contents"]))
        .json(&json!({ "paths": paths }));
    let mut response = source.client.checked(request).await?;
    let most: u64 = files
        .iter()
        .map(|file| file.bytes + HEAD_BYTES as u64)
        .sum();
    let mut body = Vec::new();
    let broken = |error| Error::unreachable(source.client.url(), error);
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(
            body.len() as u64 <= most,
            "the server sends more than it promised"
        );
    }
    Ok(body)
}

/// Takes the contents out of an answer, as far as each is what its hash says.
fn parse(mut body: &[u8]) -> HashMap<String, Vec<u8>> {
    let mut contents = HashMap::new();
    while let Some((head, rest)) = body.split_at_checked(HEAD_BYTES) {
        let (hash, length) = head.split_at(32);
        let length = u64::from_le_bytes(length.try_into().expect("eight are left"));
        let Some((content, rest)) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
        else {
            break;
        };
        let found = blake3::hash(content);
        if found.as_bytes() == hash {
            contents.insert(found.to_hex().to_string(), content.to_vec());
        }
        body = rest;
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(content: &[u8], length: u64) -> Vec<u8> {
        [
            blake3::hash(content).as_bytes(),
            length.to_le_bytes().as_slice(),
            content,
        ]
        .concat()
    }

    #[test]
    fn only_what_is_proven_is_taken() {
        let good = framed(b"good", 4);
        let mut lie = framed(b"lie", 3);
        *lie.last_mut().unwrap() = b'!';
        let body = [good.clone(), lie, framed(b"", 0), framed(b"cut", 9)].concat();
        let found = parse(&body);
        assert_eq!(found.len(), 2);
        assert_eq!(found[blake3::hash(b"good").to_hex().as_str()], b"good");
        assert_eq!(parse(&good[..20]).len(), 0);
        assert_eq!(parse(&framed(b"x", u64::MAX)).len(), 0);
    }

    #[test]
    fn large_files_are_alone_and_small_ones_together() {
        let file = |bytes| File {
            bytes,
            ..serde_json::from_value(
                json!({"path": "a", "kind": "file", "bytes": 0, "executable": false}),
            )
            .unwrap()
        };
        let sizes = (0..2000).map(|at| if at % 10 == 0 { SMALL_BYTES + 1 } else { 9 });
        let parts = parted(sizes.map(file).collect());
        assert_eq!(
            parts
                .iter()
                .filter(|part| part[0].bytes > SMALL_BYTES)
                .count(),
            200
        );
        let small: Vec<usize> = parts
            .iter()
            .filter(|part| part[0].bytes == 9)
            .map(Vec::len)
            .collect();
        assert_eq!(small, [512, 512, 512, 264]);
        assert!(parted(Vec::new()).is_empty());
    }
}

//! Fetches the contents of small files in one request.

use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use reqwest::{Method, StatusCode};
use serde_json::json;
use storage::objects::Hash;
use storage::several::{HEAD_BYTES, split};

use super::download::Source;
use crate::api::types::File;
use crate::api::{Error, is_passing, status_of};

/// How often a request is made.
const TRIES: u32 = 3;

/// Contents by their hashes, each proven.
pub(super) type Contents = HashMap<String, Vec<u8>>;

/// The contents of some small files, as far as they come together: asking for a file alone may still bring what is missing, or say why not.
///
/// # Errors
/// Where asking for the files alone would fare no better.
pub(super) async fn contents(source: &Source<'_>, files: &[File]) -> anyhow::Result<Contents> {
    let mut contents = Contents::new();
    for tries in 1.. {
        let mut body = BytesMut::new();
        let missing = |file: &&File| {
            !file
                .hash
                .as_ref()
                .is_some_and(|hash| contents.contains_key(hash))
        };
        let missing: Vec<&File> = files.iter().filter(missing).collect();
        let asked = ask(source, &missing, &mut body).await;
        take(&mut body, &mut contents);
        match asked {
            Err(error) if is_passing(&error, true) && tries < TRIES => {
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
            }
            Err(error) if contents.is_empty() && !is_about_a_file(&error) => return Err(error),
            Ok(()) | Err(_) => break,
        }
    }
    Ok(contents)
}

fn is_about_a_file(error: &anyhow::Error) -> bool {
    let refusals = [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND];
    status_of(error).is_some_and(|status| refusals.contains(&status))
}

async fn ask(source: &Source<'_>, files: &[&File], body: &mut BytesMut) -> anyhow::Result<()> {
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
    let broken = |error| Error::unreachable(source.client.url(), error);
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        anyhow::ensure!(
            body.len() as u64 <= most,
            "the server sends more than it promised"
        );
    }
    Ok(())
}

/// Takes the contents out of an answer, as far as each is what its hash says.
fn take(body: &mut BytesMut, contents: &mut Contents) {
    while let Ok(Some((hash, content))) = split(body) {
        if Hash::of(&content) == hash {
            contents.insert(hash.to_hex(), content.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::several::head;

    fn framed(content: &[u8], length: u64) -> Vec<u8> {
        [&head(&Hash::of(content), length), content].concat()
    }

    #[test]
    fn only_what_is_proven_is_taken() {
        let mut lie = framed(b"lie", 3);
        *lie.last_mut().unwrap() = b'!';
        let body = [framed(b"good", 4), lie, framed(b"", 0), framed(b"cut", 9)].concat();
        let mut found = Contents::new();
        take(&mut BytesMut::from(&body[..]), &mut found);
        assert_eq!(found.len(), 2);
        assert_eq!(found[&Hash::of(b"good").to_hex()], b"good");
        for bad in [&body[..20], &framed(b"x", u64::MAX)] {
            let mut found = Contents::new();
            take(&mut BytesMut::from(bad), &mut found);
            assert!(found.is_empty());
        }
    }
}

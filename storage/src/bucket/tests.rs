//! Against real servers where `CAIRN_TEST_S3` names them (two addresses: a strict one and a lax one; `deploy/testbed/s3.sh start` prints them), and
//! against a server of our own that says what no sound one does.

use bytes::Bytes;

use super::*;
use crate::objects::random_name;

mod odd;

/// Opens part of a test server's bucket that nobody else uses; none, with the reason printed, where there are no test servers.
#[expect(clippy::print_stdout, reason = "a skipped test says why")]
pub(crate) fn servers() -> Vec<(&'static str, Access)> {
    let Ok(addresses) = std::env::var("CAIRN_TEST_S3") else {
        println!("skipped: CAIRN_TEST_S3 names no servers");
        return Vec::new();
    };
    let named = ["strict", "lax"]
        .into_iter()
        .zip(addresses.split_whitespace());
    named
        .map(|(name, address)| (name, access(address, &format!("test/{}/", random_name()))))
        .collect()
}

pub(crate) fn access(endpoint: &str, prefix: &str) -> Access {
    Access {
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        bucket: "cairn".to_owned(),
        prefix: prefix.to_owned(),
        key_id: "cairn".to_owned(),
        secret: Secret::from("cairn-secret".to_owned()),
        path_style: true,
        extra_ca: None,
    }
}

/// Makes the bucket, and has it keep versions.
pub(crate) async fn keep_versions(bucket: &Bucket) {
    use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
    let made = bucket
        .client
        .create_bucket()
        .bucket(&bucket.name)
        .send()
        .await;
    made.unwrap();
    let kept = VersioningConfiguration::builder();
    let kept = kept.status(BucketVersioningStatus::Enabled).build();
    let request = bucket.client.put_bucket_versioning();
    let request = request.bucket(&bucket.name).versioning_configuration(kept);
    request.send().await.unwrap();
}

/// Removes one version of a key for good.
pub(crate) async fn remove_version(bucket: &Bucket, key: &str, version: &str) {
    let request = bucket.client.delete_object().bucket(&bucket.name);
    request
        .key(bucket.key(key))
        .version_id(version)
        .send()
        .await
        .unwrap();
}

async fn read(bucket: &Bucket, key: &str, range: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let mut body = bucket.get(key, range, None).await.unwrap()?;
    let mut read = Vec::new();
    while let Some(piece) = body.next().await.unwrap() {
        read.extend_from_slice(&piece);
    }
    Some(read)
}

#[tokio::test]
async fn abilities_are_found_out() {
    for (name, access) in servers() {
        let found = Bucket::new(&access).unwrap().probe().await.unwrap();
        let is_strict = name == "strict";
        assert_eq!(found.checksums, is_strict, "{name}: {found:?}");
        assert_eq!(found.preconditions, is_strict, "{name}: {found:?}");
        let left = Bucket::new(&access).unwrap();
        let page = left.list("probe/").next().await.unwrap();
        assert_eq!(
            page.map(|page| page.len()),
            Some(0),
            "{name}: nothing is left"
        );
    }
}

#[tokio::test]
async fn what_is_written_is_read_whole_and_in_parts() {
    for (name, access) in servers() {
        let bucket = Bucket::new(&access).unwrap();
        let odd = "a b/+ü%2F&=?#";
        for key in ["plain", odd] {
            bucket
                .put(key, Bytes::from_static(b"0123456789"))
                .await
                .unwrap();
            assert_eq!(
                read(&bucket, key, 0..10).await.unwrap(),
                b"0123456789",
                "{name} {key}"
            );
            assert_eq!(
                read(&bucket, key, 3..6).await.unwrap(),
                b"345",
                "{name} {key}"
            );
        }
        assert_eq!(read(&bucket, "absent", 0..1).await, None, "{name}");
        assert_eq!(bucket.head("absent", None).await.unwrap(), None, "{name}");
        assert_eq!(
            bucket.head("plain", None).await.unwrap().unwrap().bytes,
            10,
            "{name}"
        );
        bucket
            .remove(&["plain".to_owned(), "absent".to_owned(), odd.to_owned()])
            .await
            .unwrap();
        assert_eq!(bucket.head("plain", None).await.unwrap(), None, "{name}");
    }
}

#[tokio::test]
async fn long_content_goes_in_parts() {
    for (name, access) in servers() {
        let bucket = Bucket::new(&access).unwrap();
        let parts = bucket.probe().await.unwrap().parts;
        assert_eq!(parts, name == "strict");
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..20_000_003_u32).map(|at| (at / 7 % 251) as u8).collect();
        std::io::Write::write_all(&mut file, &content).unwrap();
        bucket
            .put_file("long", file.path(), content.len() as u64, parts)
            .await
            .unwrap();
        let all = read(&bucket, "long", 0..content.len() as u64)
            .await
            .unwrap();
        assert!(all == content, "{name}");
        let over = (PART - 3) as u64..(PART + 3) as u64;
        assert!(
            read(&bucket, "long", over).await.unwrap() == content[PART - 3..PART + 3],
            "{name}"
        );
        bucket.give_up("long").await.unwrap();
    }
}

const PART: usize = 8 << 20;

#[tokio::test]
async fn a_state_that_is_gone_is_not_read() {
    for (name, access) in servers() {
        let bucket = Bucket::new(&access).unwrap();
        bucket
            .put("key", Bytes::from_static(b"before"))
            .await
            .unwrap();
        let before = bucket.head("key", None).await.unwrap().unwrap().pin;
        assert!(
            bucket
                .get("key", 0..6, Some(&before))
                .await
                .unwrap()
                .is_some(),
            "{name}"
        );
        bucket
            .put("key", Bytes::from_static(b"after!"))
            .await
            .unwrap();
        assert!(
            bucket
                .get("key", 0..6, Some(&before))
                .await
                .unwrap()
                .is_none(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_listing_has_every_key_once() {
    for (name, access) in servers() {
        let bucket = Bucket::new(&access).unwrap();
        let many = if name == "strict" { 1203 } else { 40 };
        let put = (0..many).map(|at| {
            let bucket = &bucket;
            async move {
                bucket
                    .put(
                        &format!("many/{:02}/{at}", at % 7),
                        Bytes::from_static(b"x"),
                    )
                    .await
            }
        });
        let put = futures_util::stream::iter(put);
        let () = futures_util::TryStreamExt::try_collect(
            futures_util::StreamExt::buffer_unordered(put, 16),
        )
        .await
        .unwrap();
        bucket
            .put("many-not", Bytes::from_static(b"x"))
            .await
            .unwrap();
        let mut listing = bucket.list("many/");
        let (mut keys, mut pages) = (std::collections::BTreeSet::new(), 0);
        while let Some(page) = listing.next().await.unwrap() {
            pages += 1;
            for one in page {
                assert!(keys.insert(one.key.clone()), "{name}: {} twice", one.key);
            }
        }
        assert_eq!(keys.len(), many, "{name}");
        assert!(name == "lax" || pages > 1, "{name}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_and_nothing_is_lost() {
    for (name, mut access) in servers() {
        access.secret = Secret::from("wrong".to_owned());
        let bucket = Bucket::new(&access).unwrap();
        let error = bucket.head("key", None).await.unwrap_err();
        assert!(error.retryable(), "{name}: {error}");
        let error = bucket
            .put("key", Bytes::from_static(b"x"))
            .await
            .unwrap_err();
        let text = format!("{error} {:?}", std::error::Error::source(&error));
        assert!(error.to_string().contains("403"), "{name}: {error}");
        assert!(!text.contains("wrong"), "no secret is told: {text}");
        access.bucket = "absent".to_owned();
        access.secret = Secret::from("cairn-secret".to_owned());
        let bucket = Bucket::new(&access).unwrap();
        assert!(
            bucket.get("key", 0..1, None).await.is_err() || name == "lax",
            "{name}"
        );
    }
}

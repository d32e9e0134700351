//! Writing to a bucket.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::Bucket;
use super::fault::{Kind, kind, told};
use crate::objects::{blocking, io_error};
use crate::{Error, Result};

/// What goes in one request. Longer content goes in parts.
pub(crate) const PART_BYTES: u64 = 8 << 20;
/// Parts that an upload may have, a little below what servers allow.
const MOST_PARTS: u64 = 9_000;
/// Parts in memory for one upload, together.
const HELD_BYTES: u64 = 32 << 20;

impl Bucket {
    /// Writes a key that nobody else writes. Whole, or not there.
    ///
    /// # Errors
    /// As [`Bucket::get`]; the key may be there all the same when the answer was lost.
    pub async fn put(&self, key: &str, body: Bytes) -> Result<()> {
        let request = self.client.put_object();
        let request = request.bucket(&self.name).key(self.key(key));
        let request = request
            .checksum_sha256(checksum(&body))
            .content_type("application/octet-stream")
            .body(ByteStream::from(body));
        let what = || format!("cannot write {key:?} to the bucket {}", self.name);
        let request = request.customize().config_override(Self::sending());
        let sent = request.send().await;
        sent.map_err(|error| told(what(), error))?;
        Ok(())
    }

    /// The same with the content of a file of `bytes` bytes: `in_parts` where the server knows such uploads, else with one request, and no more than
    /// that may have (5 GB).
    ///
    /// # Errors
    /// As [`Bucket::put`]; `Internal` where the file cannot be read or is shorter. Parts that were sent are given up.
    pub async fn put_file(&self, key: &str, path: &Path, bytes: u64, in_parts: bool) -> Result<()> {
        if !in_parts {
            return self.put_whole(key, path).await;
        }
        let file = Arc::new(File::open(path).map_err(unread)?);
        let what = || format!("cannot write {key:?} to the bucket {}", self.name);
        let begin = self.client.create_multipart_upload();
        let begin = begin.bucket(&self.name).key(self.key(key));
        let begin = begin
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .content_type("application/octet-stream");
        let opened = begin.send().await.map_err(|error| told(what(), error))?;
        let upload = opened.upload_id().unwrap_or_default();
        let done = self.put_parts(key, upload, (&file, bytes)).await;
        if done.is_err() {
            let request = self.client.abort_multipart_upload();
            let request = request.bucket(&self.name).key(self.key(key));
            // Whoever finds the key unused later tries again.
            let _ = request.upload_id(upload).send().await;
        }
        done
    }

    /// Reads the file twice: its checksum goes first.
    async fn put_whole(&self, key: &str, path: &Path) -> Result<()> {
        let owned = path.to_owned();
        let sum = blocking(move || {
            let mut sum = Sha256::new();
            let mut file = File::open(owned).map_err(unread)?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                match file.read(&mut buffer).map_err(unread)? {
                    0 => return Ok(STANDARD.encode(sum.finalize())),
                    read => sum.update(&buffer[..read]),
                }
            }
        });
        let request = self.client.put_object();
        let request = request.bucket(&self.name).key(self.key(key));
        let request = request
            .checksum_sha256(sum.await?)
            .content_type("application/octet-stream");
        let body = ByteStream::from_path(path).await;
        let body = body.map_err(|error| Error::internal("cannot read content to upload", error))?;
        let what = || format!("cannot write {key:?} to the bucket {}", self.name);
        let request = request.body(body).customize();
        let sent = request.config_override(Self::sending()).send().await;
        sent.map_err(|error| told(what(), error))?;
        Ok(())
    }

    async fn put_parts(
        &self,
        key: &str,
        upload: &str,
        (file, bytes): (&Arc<File>, u64),
    ) -> Result<()> {
        let size = part_bytes(bytes);
        let at_once = usize::try_from((HELD_BYTES / size).max(1)).unwrap_or(1);
        let parts = (0..bytes.div_ceil(size)).map(|at| {
            let (from, number) = (at * size, i32::try_from(at + 1).unwrap_or(i32::MAX));
            let length = size.min(bytes - from);
            async move {
                let body = part(file, from, length).await?;
                self.put_part((key, upload), number, body).await
            }
        });
        let done: Vec<CompletedPart> = futures_util::stream::iter(parts)
            .buffered(at_once)
            .try_collect()
            .await?;
        let done = CompletedMultipartUpload::builder().set_parts(Some(done));
        let request = self.client.complete_multipart_upload();
        let request = request.bucket(&self.name).key(self.key(key));
        let request = request.upload_id(upload).multipart_upload(done.build());
        let what = || {
            format!(
                "cannot end the upload of {key:?} to the bucket {}",
                self.name
            )
        };
        let request = request.customize().config_override(Self::sending());
        let Err(error) = request.send().await else {
            return Ok(());
        };
        // The answer to an earlier try may have been lost.
        if kind(&error) == Kind::Absent {
            let there = self.head(key, None).await?;
            if there.is_some_and(|there| there.bytes == bytes) {
                return Ok(());
            }
        }
        Err(told(what(), error))
    }

    async fn put_part(
        &self,
        (key, upload): (&str, &str),
        number: i32,
        body: Bytes,
    ) -> Result<CompletedPart> {
        let sum = checksum(&body);
        let request = self.client.upload_part();
        let request = request.bucket(&self.name).key(self.key(key));
        let request = request.upload_id(upload).part_number(number);
        let request = request.checksum_sha256(&sum).body(ByteStream::from(body));
        let what = || format!("cannot write a part of {key:?} to the bucket {}", self.name);
        let request = request.customize().config_override(Self::sending());
        let sent = request.send().await.map_err(|error| told(what(), error))?;
        let done = CompletedPart::builder().part_number(number);
        // A server that does not keep checksums would refuse to be reminded of one.
        let kept = sent.checksum_sha256().is_some().then_some(sum);
        Ok(done
            .set_e_tag(sent.e_tag().map(str::to_owned))
            .set_checksum_sha256(kept)
            .build())
    }
}

/// How long the parts of an upload are: a power of two, and few enough of them.
fn part_bytes(bytes: u64) -> u64 {
    bytes
        .div_ceil(MOST_PARTS)
        .next_power_of_two()
        .max(PART_BYTES)
}

async fn part(file: &Arc<File>, from: u64, length: u64) -> Result<Bytes> {
    let file = Arc::clone(file);
    let read = move || {
        let length = usize::try_from(length);
        let mut part =
            vec![0; length.map_err(|error| Error::internal("a part is too long", error))?];
        file.read_exact_at(&mut part, from).map_err(unread)?;
        Ok(Bytes::from(part))
    };
    blocking(read).await
}

fn unread(error: std::io::Error) -> Error {
    io_error("cannot read content to upload", error)
}

pub(super) fn checksum(body: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_and_never_small() {
        assert_eq!(part_bytes(PART_BYTES + 1), PART_BYTES);
        let most = 5 << 40;
        assert!(most / part_bytes(most) <= MOST_PARTS, "five terabytes");
    }
}

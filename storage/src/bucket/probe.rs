//! What the server of a bucket can do: found out by trying, below a prefix of its own, which is left empty.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde::Serialize;

use super::Bucket;
use super::fault::{Kind, kind};
use super::put::checksum;
use crate::objects::random_name;
use crate::{Error, Result};

/// What was found.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent ability"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// A body that is not what its checksum says is refused. Without it, what was written is read back.
    pub checksums: bool,
    /// Content can be sent in parts. Without it, nothing longer than 5 GB can be kept, and what is long is read twice.
    pub parts: bool,
    /// Reading can be bound to an `ETag`. Without it, the `ETag` that comes back is compared.
    pub preconditions: bool,
    /// Uploads in parts that were not ended can be found and given up. Without it, a rule of the bucket should remove them.
    pub lists_uploads: bool,
    /// Old versions of keys are kept: what is removed goes on costing until a rule of the bucket removes it.
    pub versions: bool,
}

impl Bucket {
    /// Tries the server: what Cairn relies on, then what it does better with.
    ///
    /// # Errors
    /// `Unavailable` where it does not answer or does not let us in, `Invalid` where it cannot be relied on, with what was tried and what came.
    pub async fn probe(&self) -> Result<Abilities> {
        let scratch = format!("probe/{}/", random_name());
        let found = self.try_all(&scratch).await;
        let left = ["plain", "wrong"].map(|name| format!("{scratch}{name}"));
        let cleared = self.remove(&left).await;
        let found = found?;
        cleared?;
        Ok(found)
    }

    async fn try_all(&self, scratch: &str) -> Result<Abilities> {
        let key = format!("{scratch}plain");
        let broken = |what: &str| {
            Error::invalid(format!(
                "the bucket {} cannot be relied on: {what}",
                self.name
            ))
        };
        for content in ["first", "second and longer"] {
            self.put(&key, Bytes::from_static(content.as_bytes()))
                .await?;
            let wrong = || broken("what was written is not what is read right after");
            let head = self.head(&key, None).await?.ok_or_else(wrong)?;
            let all = 0..content.len() as u64;
            if head.bytes != all.end || self.read(&key, all).await? != content.as_bytes() {
                return Err(wrong());
            }
        }
        if self.read(&key, 7..10).await? != b"and" {
            return Err(broken("a range of a key is not what was asked for"));
        }
        let mut listing = self.list(scratch);
        let mut listed = 0;
        while let Some(page) = listing.next().await? {
            listed += page.iter().filter(|one| one.key == key).count();
        }
        if listed != 1 {
            return Err(broken("a key that was written is not listed"));
        }
        let found = Abilities {
            checksums: self.refuses_wrong(&format!("{scratch}wrong")).await?,
            preconditions: self.knows_preconditions(&key).await?,
            parts: self.takes_parts(&format!("{scratch}parts")).await?,
            lists_uploads: self.lists_uploads(scratch).await?,
            versions: self
                .head(&key, None)
                .await?
                .is_some_and(|head| head.pin.version.is_some_and(|version| version != "null")),
        };
        self.remove(std::slice::from_ref(&key)).await?;
        if self.head(&key, None).await?.is_some() {
            return Err(broken("a key that was removed is there"));
        }
        Ok(found)
    }

    async fn read(&self, key: &str, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let mut read = Vec::new();
        if let Some(mut body) = self.get(key, range, None).await? {
            while let Some(piece) = body.next().await? {
                read.extend_from_slice(&piece);
            }
        }
        Ok(read)
    }

    async fn refuses_wrong(&self, key: &str) -> Result<bool> {
        let request = self.client.put_object().bucket(&self.name);
        let request = request
            .key(self.key(key))
            .checksum_sha256(checksum(b"told"));
        let sent = request.body(ByteStream::from_static(b"sent")).send().await;
        match sent {
            Ok(_) => Ok(false),
            Err(error) if kind(&error) == Kind::Later => Err(super::fault::told(
                format!("cannot try the bucket {}", self.name),
                error,
            )),
            Err(_) => Ok(true),
        }
    }

    async fn takes_parts(&self, key: &str) -> Result<bool> {
        let begin = self.client.create_multipart_upload();
        let begin = begin.bucket(&self.name).key(self.key(key));
        let Ok(upload) = begin.send().await else {
            return Ok(false);
        };
        let request = self.client.abort_multipart_upload();
        let request = request.bucket(&self.name).key(self.key(key));
        let given_up = request
            .set_upload_id(upload.upload_id().map(str::to_owned))
            .send()
            .await;
        Ok(given_up.is_ok())
    }

    async fn knows_preconditions(&self, key: &str) -> Result<bool> {
        let request = self.client.get_object().bucket(&self.name);
        let request = request.key(self.key(key)).if_match("\"0123456789abcdef\"");
        Ok(matches!(request.send().await, Err(error) if kind(&error) == Kind::Changed))
    }

    async fn lists_uploads(&self, within: &str) -> Result<bool> {
        let request = self.client.list_multipart_uploads();
        let request = request.bucket(&self.name).prefix(self.key(within));
        Ok(request.send().await.is_ok())
    }
}

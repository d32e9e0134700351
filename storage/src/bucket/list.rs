//! Listing a bucket, and removing keys from it.

use std::collections::HashSet;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::fault::{Kind, kind, told};
use super::{Bucket, Head, Pin};
use crate::objects::Hash;
use crate::{Error, Result};

/// The most keys that one request removes.
const AT_ONCE: usize = 1000;

/// A key that was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key, without the bucket's prefix.
    pub key: String,
    /// What the bucket says of it. Listings name no versions.
    pub head: Head,
}

/// A listing under way.
pub struct Listing<'a> {
    bucket: &'a Bucket,
    within: String,
    /// The token of the next page; none before the first.
    token: Option<String>,
    /// Tokens seen: a server that gives one again would be asked for ever.
    seen: HashSet<Hash>,
    done: bool,
}

impl Listing<'_> {
    /// The next keys, in the order of the server, which need not be that of their bytes; none at the end.
    ///
    /// # Errors
    /// As [`Bucket::get`]; `Internal` where the server leaves the prefix, or does not come to an end.
    pub async fn next(&mut self) -> Result<Option<Vec<Listed>>> {
        if self.done {
            return Ok(None);
        }
        let Self { bucket, within, .. } = &*self;
        let what = format!("cannot list {within:?} in the bucket {}", bucket.name);
        let request = bucket.client.list_objects_v2();
        let request = request.bucket(&bucket.name).prefix(bucket.key(within));
        let output = request.set_continuation_token(self.token.take()).send();
        let output = match output.await {
            Ok(output) => output,
            Err(error) => return Err(told(what, error)),
        };
        let outside = |key: &str| {
            Error::fault(format!(
                "{what}: the server lists {key:?}, which does not belong there"
            ))
        };
        let mut page = Vec::with_capacity(output.contents().len());
        for object in output.contents() {
            let whole = object.key().unwrap_or_default();
            let key = whole.strip_prefix(&self.bucket.prefix);
            let key = key.filter(|key| key.starts_with(&self.within));
            page.push(Listed {
                key: key.ok_or_else(|| outside(whole))?.to_owned(),
                head: Head {
                    bytes: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
                    pin: Pin {
                        etag: quoted(object.e_tag().unwrap_or_default()),
                        version: None,
                    },
                },
            });
        }
        self.token = output.next_continuation_token().map(str::to_owned);
        self.done = !output.is_truncated().unwrap_or_default();
        let is_new = self
            .token
            .as_ref()
            .is_some_and(|token| self.seen.insert(Hash::of(token.as_bytes())));
        if !self.done && !is_new {
            return Err(Error::fault(format!(
                "{what}: the server says that there is more, and not where"
            )));
        }
        Ok(Some(page))
    }
}

/// An `ETag` as answers about a key have it: some servers leave the quotes out in listings.
fn quoted(etag: &str) -> String {
    if etag.is_empty() || etag.ends_with('"') {
        etag.to_owned()
    } else {
        format!("\"{etag}\"")
    }
}

impl Bucket {
    /// Begins to list the keys that begin with `within`.
    pub fn list(&self, within: &str) -> Listing<'_> {
        Listing {
            bucket: self,
            within: within.to_owned(),
            token: None,
            seen: HashSet::new(),
            done: false,
        }
    }

    /// Removes keys, whether they are there or not.
    ///
    /// # Errors
    /// As [`Bucket::get`]; some may be gone then.
    pub async fn remove(&self, keys: &[String]) -> Result<()> {
        for chunk in keys.chunks(AT_ONCE) {
            self.remove_few(chunk).await?;
        }
        Ok(())
    }

    async fn remove_few(&self, keys: &[String]) -> Result<()> {
        let what = || format!("cannot remove keys from the bucket {}", self.name);
        let named = |key: &String| ObjectIdentifier::builder().key(self.key(key)).build();
        let invalid = |error| Error::internal("a request to remove keys is malformed", error);
        let named: Result<Vec<_>, _> = keys.iter().map(named).collect();
        let delete = Delete::builder()
            .set_objects(Some(named.map_err(invalid)?))
            .quiet(true);
        let request = self.client.delete_objects().bucket(&self.name);
        let output = request
            .delete(delete.build().map_err(invalid)?)
            .send()
            .await;
        let output = output.map_err(|error| told(what(), error))?;
        let failed = output
            .errors()
            .iter()
            .find(|error| error.code() != Some("NoSuchKey"));
        match failed {
            None => Ok(()),
            Some(error) => Err(Error::unavailable(
                what(),
                format!(
                    "{:?}: {}",
                    error.key().unwrap_or_default(),
                    error.code().unwrap_or_default()
                ),
            )),
        }
    }

    /// Gives up the uploads of a key that were begun in parts and not ended. A server that cannot list them has none that this could find.
    ///
    /// # Errors
    /// As [`Bucket::get`].
    pub async fn give_up(&self, key: &str) -> Result<()> {
        let what = || format!("cannot give up uploads to the bucket {}", self.name);
        let whole = self.key(key);
        let request = self.client.list_multipart_uploads();
        let output = match request.bucket(&self.name).prefix(&whole).send().await {
            Ok(output) => output,
            Err(error) if matches!(kind(&error), Kind::Unable | Kind::Absent) => return Ok(()),
            Err(error) => return Err(told(what(), error)),
        };
        for upload in output
            .uploads()
            .iter()
            .filter(|one| one.key() == Some(&whole))
        {
            let request = self.client.abort_multipart_upload();
            let request = request.bucket(&self.name).key(&whole);
            let gone = request
                .set_upload_id(upload.upload_id().map(str::to_owned))
                .send()
                .await;
            match gone {
                Err(error) if kind(&error) != Kind::Absent => return Err(told(what(), error)),
                _ => {}
            }
        }
        Ok(())
    }
}

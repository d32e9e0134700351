//! Reading from a bucket.

use std::cmp::Ordering;
use std::ops::Range;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::Bucket;
use super::fault::{Kind, kind, told};
use crate::{Error, Result};

/// What names one state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The `ETag`, with its quotes.
    pub etag: String,
    /// The version, in buckets that keep versions.
    pub version: Option<String>,
}

/// What a bucket says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its state.
    pub pin: Pin,
}

/// Content on its way.
pub struct Body {
    what: String,
    left: u64,
    version: Option<String>,
    stream: ByteStream,
}

impl Body {
    /// The version that is sent, in buckets that keep versions; none where nothing had to be asked for.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// `Unavailable` where it is cut short.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        let cut = |cause: &str| Error::unavailable(self.what.clone(), cause.to_owned());
        match self.stream.try_next().await {
            Ok(None) if self.left > 0 => Err(cut("the server sent less than it said")),
            Ok(None) => Ok(None),
            Ok(Some(piece)) => match self.left.checked_sub(piece.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Ok(Some(piece))
                }
                None => Err(cut("the server sent more than it was asked for")),
            },
            Err(error) => Err(Error::unavailable(self.what.clone(), error)),
        }
    }
}

impl Bucket {
    /// Asks for a part of a key, which must be there: `pin` says in which state. None where the key, or
    /// that state of it, is not there, or not as long.
    ///
    /// # Errors
    /// `Unavailable` where the server does not answer or does not let us in, or sends another range than was asked for.
    pub async fn get(
        &self,
        key: &str,
        range: Range<u64>,
        pin: Option<&Pin>,
    ) -> Result<Option<Body>> {
        let what = format!("cannot read {key:?} in the bucket {}", self.name);
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            let stream = ByteStream::from_static(b"");
            return Ok(Some(Body {
                what,
                left: 0,
                version: None,
                stream,
            }));
        }
        let request = self.client.get_object();
        let request = request.bucket(&self.name).key(self.key(key));
        let request = request.range(format!("bytes={}-{}", range.start, range.end - 1));
        let request = request
            .set_if_match(pin.map(|pin| pin.etag.clone()))
            .set_version_id(pin.and_then(|pin| pin.version.clone()));
        let output = match request.send().await {
            Ok(output) => output,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(told(what, error)),
        };
        // Servers that know no preconditions send what is there now.
        if pin.is_some_and(|pin| output.e_tag() != Some(&pin.etag)) {
            return Ok(None);
        }
        let sent = output
            .content_length()
            .and_then(|sent| u64::try_from(sent).ok());
        match sent.map(|sent| sent.cmp(&length)) {
            // The key has become shorter.
            Some(Ordering::Less) => return Ok(None),
            Some(Ordering::Greater) => {
                return Err(Error::unavailable(
                    what,
                    "the server sends more than it was asked for",
                ));
            }
            _ => {}
        }
        Ok(Some(Body {
            what,
            left: length,
            version: output.version_id().map(str::to_owned),
            stream: output.body,
        }))
    }

    /// What the bucket says of a key; none where it is not there.
    ///
    /// # Errors
    /// As [`Bucket::get`].
    pub async fn head(&self, key: &str, version: Option<&str>) -> Result<Option<Head>> {
        let request = self.client.head_object();
        let request = request.bucket(&self.name).key(self.key(key));
        let output = match request
            .set_version_id(version.map(str::to_owned))
            .send()
            .await
        {
            Ok(output) => output,
            Err(error) if kind(&error) == Kind::Absent => return Ok(None),
            Err(error) => {
                let what = format!("cannot look at {key:?} in the bucket {}", self.name);
                return Err(told(what, error));
            }
        };
        Ok(Some(Head {
            bytes: u64::try_from(output.content_length().unwrap_or_default()).unwrap_or_default(),
            pin: Pin {
                etag: output.e_tag().unwrap_or_default().to_owned(),
                version: output.version_id().map(str::to_owned),
            },
        }))
    }
}

/// Whether it is not there as it was. A range beyond the end means that the key has become shorter.
fn is_gone<E: aws_sdk_s3::error::ProvideErrorMetadata>(
    error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>,
) -> bool {
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    status == Some(416) || matches!(kind(error), Kind::Absent | Kind::Changed)
}

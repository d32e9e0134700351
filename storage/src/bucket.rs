//! An S3 bucket: the few operations that Cairn needs of one, in the form that servers other than AWS understand too.
//!
//! Every body that is sent goes with its SHA-256 in a header, never in a trailer (`aws-chunked` is what other servers fail on). Requests are
//! repeated by the SDK with growing pauses; redirects to other hosts are not followed. Nothing here knows what objects mean to a store.

use std::fmt;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation,
    ResponseChecksumValidation,
};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use crate::secret::Secret;
use crate::{Error, Result};

mod fault;
mod get;
mod list;
mod probe;
mod put;

#[cfg(test)]
pub(crate) mod tests;

pub use get::{Body, Head, Pin};
pub use list::{Listed, Listing};
pub use probe::Abilities;
pub(crate) use put::PART_BYTES;

/// How often a request is tried.
const TRIES: u32 = 5;
const CONNECT: Duration = Duration::from_secs(3);
const READ: Duration = Duration::from_secs(30);
/// The same for requests that send content, which counts from their beginning: a slow line is no stalled one, which is noticed by itself.
const SEND: Duration = Duration::from_mins(30);

/// Where a bucket is, and how one gets in.
#[derive(Debug, Clone)]
pub struct Access {
    /// The server's address; none for AWS itself.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The name of the bucket.
    pub bucket: String,
    /// What every key begins with: empty, or ending with `/`.
    pub prefix: String,
    /// The access key's id.
    pub key_id: String,
    /// The access key's secret.
    pub secret: Secret,
    /// The bucket stands in the path of a URL, not in the host's name.
    pub path_style: bool,
    /// PEM file with certificate authorities to trust besides the system's.
    pub extra_ca: Option<Vec<u8>>,
}

/// One bucket, or the part of it below a prefix. Keys are given without that prefix. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    name: String,
    prefix: String,
}

impl Bucket {
    /// Takes note of where the bucket is; asks it nothing.
    ///
    /// # Errors
    /// `Invalid` for a prefix that does not end with `/`, or certificates that cannot be read.
    pub fn new(access: &Access) -> Result<Self> {
        if !access.prefix.is_empty()
            && (!access.prefix.ends_with('/') || access.prefix.starts_with('/'))
        {
            return Err(Error::invalid(format!(
                "the prefix {:?} of the bucket must end with `/` and not begin with it",
                access.prefix
            )));
        }
        let credentials =
            Credentials::new(&access.key_id, access.secret.expose(), None, None, "cairn");
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .credentials_provider(credentials)
            .force_path_style(access.path_style)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(timeouts)
            .http_client(http(access.extra_ca.as_deref())?);
        config.set_endpoint_url(access.endpoint.clone());
        Ok(Self {
            client: Client::from_conf(config.build()),
            name: access.bucket.clone(),
            prefix: access.prefix.clone(),
        })
    }

    /// The name of the bucket.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What every key begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How requests are made that send content.
    fn sending() -> aws_sdk_s3::config::Builder {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SEND);
        Config::builder().timeout_config(timeouts.build())
    }

    /// The whole key.
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.name, self.prefix)
    }
}

fn http(extra_ca: Option<&[u8]>) -> Result<aws_sdk_s3::config::SharedHttpClient> {
    let mut trusted = tls::TrustStore::default();
    if let Some(pem) = extra_ca {
        trusted.add_pem_certificate(pem);
    }
    let context = tls::TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| {
            Error::invalid(format!("the extra certificates cannot be used: {error}"))
        })?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

//! `[s3]`: the bucket that keeps what is stored, instead of files of this host. `[buckets.NAME]`: buckets that things may be adopted from.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use control::Adoptable;
use serde::{Deserialize, Serialize};
use storage::bucket::{Access, Bucket};
use storage::secret::Secret;

/// Keys that may come from the environment, as `CAIRN_S3_…`.
pub(super) const KEYS: [&str; 9] = [
    "bucket",
    "endpoint",
    "region",
    "prefix",
    "access_key_id",
    "secret_access_key",
    "secret_access_key_file",
    "path_style",
    "copies_bytes",
];

/// Where the bucket is, and how one gets in. What is not given is taken from the variables that other tools read, such as `AWS_ACCESS_KEY_ID`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct S3 {
    /// The bucket's name.
    pub(crate) bucket: String,
    /// The server's address; default: AWS.
    pub(crate) endpoint: Option<String>,
    /// The region; default `us-east-1`.
    pub(crate) region: Option<String>,
    /// What every key begins with, ending with `/`: two services can share a bucket.
    pub(crate) prefix: String,
    /// The access key's id.
    pub(crate) access_key_id: Option<String>,
    /// The access key's secret.
    pub(crate) secret_access_key: Option<String>,
    /// File with that secret.
    pub(crate) secret_access_key_file: Option<PathBuf>,
    /// Whether the bucket stands in the path of a URL; default: yes where there is an `endpoint`.
    pub(crate) path_style: Option<bool>,
    /// How much of it may have copies on this host, in bytes; default: as much as there is.
    pub(crate) copies_bytes: Option<u64>,
    /// The projects that may adopt what is in it, by their names; default: every project. Not for `[s3]`.
    pub(crate) projects: Option<Vec<String>>,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// The bucket; asks it nothing.
    ///
    /// # Errors
    /// Where a key is missing, or a file cannot be read.
    pub(crate) fn open(&self, extra_ca: Option<&PathBuf>) -> Result<Bucket> {
        ensure!(!self.bucket.is_empty(), "`bucket` is missing");
        let usual = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let endpoint = self.endpoint.clone();
        let endpoint = endpoint.or_else(|| usual("AWS_ENDPOINT_URL_S3"));
        let extra_ca = extra_ca.map(|file| {
            let failed = || format!("extra_ca_file {} cannot be read", file.display());
            std::fs::read(file).with_context(failed)
        });
        let key_id = self.access_key_id.clone();
        let secret = self.secret()?.or_else(|| usual("AWS_SECRET_ACCESS_KEY"));
        let access = Access {
            region: self
                .region
                .clone()
                .or_else(|| usual("AWS_REGION"))
                .unwrap_or_else(|| "us-east-1".to_owned()),
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            key_id: key_id
                .or_else(|| usual("AWS_ACCESS_KEY_ID"))
                .context("`access_key_id` is missing, and AWS_ACCESS_KEY_ID is not set")?,
            secret: Secret::from(secret.context(
                "`secret_access_key` and `secret_access_key_file` are missing, and AWS_SECRET_ACCESS_KEY is not set",
            )?),
            path_style: self.path_style.unwrap_or(endpoint.is_some()),
            endpoint,
            extra_ca: extra_ca.transpose()?,
        };
        Ok(Bucket::new(&access)?)
    }

    /// The bucket with whole keys, whatever its prefix.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_whole(&self, extra_ca: Option<&PathBuf>) -> Result<Bucket> {
        self.open(extra_ca)?;
        let prefix = String::new();
        let whole = Self {
            prefix,
            ..self.clone()
        };
        whole.open(extra_ca)
    }

    /// What the configuration lets projects adopt of it.
    pub(crate) fn adoptable(&self, name: &str) -> Adoptable {
        Adoptable {
            name: name.to_owned(),
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            projects: self.projects.clone(),
        }
    }

    /// Whether some key belongs to both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        // One that is not given may be the other's, by a variable.
        let ends = self.endpoint.as_ref().zip(other.endpoint.as_ref());
        let trimmed = |end: &str| end.trim_end_matches('/').to_owned();
        let is_near = ends.is_none_or(|(one, other)| trimmed(one) == trimmed(other));
        let is_same = self.bucket == other.bucket && is_near;
        let (one, other) = (&self.prefix, &other.prefix);
        is_same && (one.starts_with(other.as_str()) || other.starts_with(one.as_str()))
    }

    fn secret(&self) -> Result<Option<String>> {
        let Some(file) = &self.secret_access_key_file else {
            return Ok(self.secret_access_key.clone());
        };
        ensure!(
            self.secret_access_key.is_none(),
            "`secret_access_key` and `secret_access_key_file` do not go together"
        );
        let text = std::fs::read_to_string(file).with_context(|| {
            format!("`secret_access_key_file` {} cannot be read", file.display())
        })?;
        Ok(Some(text.trim().to_owned()))
    }
}

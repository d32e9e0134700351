//! `cairn.toml`: every key, its default and its check. Each key can also be given as `CAIRN_…` in the environment, which wins.
//!
//! `docs/configuration.md` describes the same keys for people.

mod machines;
mod s3;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use control::Adoptable;
use figment::{
    Figment,
    providers::{Env, Format as _, Serialized, Toml},
};
use gateway::config::{Listener, Role, Tls};
use serde::{Deserialize, Serialize};
use storage::{
    bucket::Bucket,
    objects::{Buckets, KeptIn},
};
use url::Url;

use self::machines::Machine;
pub(crate) use self::machines::{Local, millicores};
use self::s3::S3;

/// The whole configuration. Unknown keys in the file are an error: a misspelt key must not be silently without effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Address and port of the app.
    pub(crate) listen: SocketAddr,
    /// The address that people type. Default: `http://localhost:PORT` on loopback; required otherwise.
    pub(crate) public_url: Option<Url>,
    /// Parent domain of workspace origins, such as `workspaces.example.org`; needs a wildcard DNS record.
    pub(crate) workspace_domain: Option<String>,
    /// Where workspaces listen when there is no `workspace_domain`. Default: the next port.
    pub(crate) workspace_listen: Option<SocketAddr>,
    /// Public address of `workspace_listen`, where a reverse proxy gives it another.
    pub(crate) workspace_url: Option<Url>,
    /// PEM files, where the server itself ends TLS.
    pub(crate) tls_certificate: Option<PathBuf>,
    /// See `tls_certificate`.
    pub(crate) tls_key: Option<PathBuf>,
    /// Peers whose `X-Forwarded-…` headers are believed.
    pub(crate) trusted_proxies: Vec<String>,
    /// Allows listening beyond loopback without https.
    pub(crate) insecure_http: bool,
    /// `postgres://…`; default: SQLite in the data directory.
    pub(crate) database: Option<String>,
    /// File with the database URL, where it holds a password.
    pub(crate) database_file: Option<PathBuf>,
    /// The bucket that keeps what is stored; default: files in the data directory.
    pub(crate) s3: Option<S3>,
    /// Buckets that data of projects may be adopted from where they lie, by names of their own.
    pub(crate) buckets: BTreeMap<String, S3>,
    /// Key that seals secrets at rest. Default: `secret_key` in the data directory, made at the first start.
    pub(crate) secret_key_file: Option<PathBuf>,
    /// One log line for each request.
    pub(crate) access_log: bool,
    /// `text` or `json`.
    pub(crate) log_format: LogFormat,
    /// Jobs that run at the same time on this machine. Default: one for each core, at least two.
    pub(crate) max_jobs: Option<usize>,
    /// What runs on a machine that cannot be reached for this many seconds is given up; the machine itself ends it before. Default: 600.
    pub(crate) offline_grace_s: u64,
    /// What a workspace's home may take, in bytes. Default: no limit.
    pub(crate) home_quota_bytes: Option<u64>,
    /// How often the home of a running server is saved, in seconds, where there is more than one machine.
    pub(crate) home_save_s: u64,
    /// How often the store is rid of what nothing uses, and how long that must have been so, in seconds; 0: only when asked.
    pub(crate) gc_interval_s: u64,
    /// How long it takes to read everything in the store once, to see that it is what came in, in seconds; 0: not at all. Default: thirty days.
    pub(crate) scrub_period_s: u64,
    /// The most bytes that are read for it in a second, also where it takes longer then; 0: not at all. Default: 20 MB.
    pub(crate) scrub_bytes_per_s: u64,
    /// First uid, and how many, for work when the service runs as root.
    pub(crate) uids: (u32, u32),
    /// Where environments are made, also for other services of this machine. Default: `environments` in the data directory.
    pub(crate) environments_dir: Option<PathBuf>,
    /// `uv`, which makes environments. Default: found on the PATH.
    pub(crate) uv: Option<PathBuf>,
    /// PEM file with certificate authorities to trust besides the system's: in builds, and in all work.
    pub(crate) extra_ca_file: Option<PathBuf>,
    /// The Docker engine's socket, where there is one.
    pub(crate) docker_socket: PathBuf,
    /// The image that packages are installed on where nothing else is said.
    pub(crate) base_image: String,
    /// Whether images that the engine lacks are fetched from their registry.
    pub(crate) pull_images: bool,
    /// Patterns of images that people may name themselves; none are allowed where this is empty.
    pub(crate) allowed_images: Vec<String>,
    /// The networks of containers, and where they lead.
    pub(crate) docker_network: spawner::docker::Network,
    /// `cairn-inside`, which containers are shown. Default: beside this program.
    pub(crate) inside: Option<PathBuf>,
    /// Environments by name; `default` is used where none is asked for.
    pub(crate) environments: BTreeMap<String, Environment>,
    /// Machine types by name.
    pub(crate) machines: BTreeMap<String, Machine>,
    /// What this machine has for work.
    pub(crate) local: Local,
}

/// How the server writes its own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One readable line for each event.
    Text,
    /// One JSON object for each event.
    Json,
}

/// An environment: packages, or a container image in one of four forms.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Environment {
    /// Requirement specifiers, for every runtime.
    pub(crate) packages: Option<Vec<String>>,
    /// Python version; default: what the machine, or the image, has.
    pub(crate) python: Option<String>,
    /// An image's name.
    pub(crate) image: Option<String>,
    /// A `requirements.txt`, installed on `base`.
    pub(crate) requirements: Option<PathBuf>,
    /// An `environment.yml`, installed on `base`.
    #[serde(rename = "environment_yml")]
    pub(crate) conda: Option<PathBuf>,
    /// A Dockerfile in its folder.
    pub(crate) dockerfile: Option<PathBuf>,
    /// The image to install on; default: `base_image`.
    pub(crate) base: Option<String>,
}

impl Environment {
    /// What is used where the configuration names no `default`.
    fn usual() -> Self {
        let packages = [
            "jupyterlab==4.6.*",
            "jupyter-docprovider==3.0.*",
            "jupyter-server-ydoc==3.0.*",
            "ipykernel",
            "numpy",
            "pandas",
            "matplotlib",
            "scikit-learn",
        ];
        Self {
            packages: Some(packages.map(str::to_owned).to_vec()),
            ..Self::default()
        }
    }

    fn check(&self, name: &str) -> Result<()> {
        let forms = [
            self.packages.is_some(),
            self.image.is_some(),
            self.requirements.is_some(),
            self.conda.is_some(),
            self.dockerfile.is_some(),
        ];
        ensure!(
            forms.into_iter().filter(|given| *given).count() == 1,
            "environments.{name} needs exactly one of packages, image, requirements, environment_yml and dockerfile"
        );
        let based = self.requirements.is_some() || self.conda.is_some();
        ensure!(
            self.base.is_none() || based,
            "environments.{name}.base goes with requirements or environment_yml only"
        );
        let chooses = self.packages.is_some() || self.requirements.is_some();
        ensure!(
            self.python.is_none() || chooses,
            "environments.{name}.python goes with packages or requirements only"
        );
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8000)),
            public_url: None,
            workspace_domain: None,
            workspace_listen: None,
            workspace_url: None,
            tls_certificate: None,
            tls_key: None,
            trusted_proxies: Vec::new(),
            insecure_http: false,
            database: None,
            database_file: None,
            s3: None,
            buckets: BTreeMap::new(),
            secret_key_file: None,
            access_log: true,
            log_format: LogFormat::Text,
            max_jobs: None,
            offline_grace_s: 600,
            home_quota_bytes: None,
            home_save_s: 600,
            gc_interval_s: 86_400,
            scrub_period_s: 30 * 86_400,
            scrub_bytes_per_s: 20_000_000,
            uids: (200_000, 100_000),
            environments_dir: None,
            uv: None,
            extra_ca_file: None,
            docker_socket: "/var/run/docker.sock".into(),
            base_image: "cairn/base".to_owned(),
            pull_images: true,
            allowed_images: Vec::new(),
            docker_network: spawner::docker::Network::default(),
            inside: None,
            environments: BTreeMap::new(),
            machines: BTreeMap::from([("local".to_owned(), Machine::default())]),
            local: Local::default(),
        }
    }
}

impl Config {
    /// Reads `file`, or `cairn.toml` in the data directory where there is one, then the environment; `listen` wins over both.
    pub(crate) fn load(
        file: Option<&Path>,
        data: &Path,
        listen: Option<SocketAddr>,
    ) -> Result<Self> {
        let path = file.map_or_else(|| data.join("cairn.toml"), Path::to_owned);
        ensure!(
            file.is_none() || path.is_file(),
            "{} is not a file",
            path.display()
        );
        let variables = Env::prefixed("CAIRN_").only(&KEYS);
        let mut layers = Figment::from(Serialized::defaults(Self::default()));
        if path.is_file() {
            layers = layers.merge(Toml::file_exact(&path));
        }
        let of_s3 = Env::prefixed("CAIRN_S3_").only(&s3::KEYS);
        let of_s3 = of_s3.map(|key| format!("s3.{key}").into());
        let layers = layers.merge(variables).merge(of_s3);
        let mut config: Self = layers.extract().with_context(|| {
            format!(
                "the configuration ({} and CAIRN_… variables) cannot be read",
                path.display()
            )
        })?;
        config.listen = listen.unwrap_or(config.listen);
        // Not one of the layers: a table of the file would be mixed with it.
        config
            .environments
            .entry("default".to_owned())
            .or_insert_with(Environment::usual);
        config.check()?;
        Ok(config)
    }

    /// The address that people type.
    pub(crate) fn public_url(&self) -> Result<Url> {
        if let Some(url) = &self.public_url {
            return Ok(url.clone());
        }
        let scheme = if self.tls_certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let port = self.listen.port();
        let url = if self.listen.ip().is_loopback() {
            format!("{scheme}://localhost:{port}")
        } else {
            format!("{scheme}://{}", self.listen)
        };
        Url::parse(&url).context("the address to listen on gives no URL: set public_url")
    }

    /// The database's URL.
    pub(crate) fn database_url(&self, data: &Path) -> Result<String> {
        match (&self.database, &self.database_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(file)) => Ok(std::fs::read_to_string(file)
                .with_context(|| format!("database_file {} cannot be read", file.display()))?
                .trim()
                .to_owned()),
            (None, None) => Ok(format!("sqlite:{}", data.join("cairn.db").display())),
        }
    }

    /// The bucket that keeps what is stored, where one does; it is asked nothing yet.
    pub(crate) fn bucket(&self) -> Result<Option<Bucket>> {
        let open = |s3: &S3| s3.open(self.extra_ca_file.as_ref());
        let bucket = self.s3.as_ref().map(open).transpose();
        bucket.context("[s3] cannot be used")
    }

    /// Where the store has what is stored; nothing is asked for yet.
    pub(crate) fn kept_in(&self) -> Result<KeptIn> {
        let mut others = Buckets::new();
        for (name, s3) in &self.buckets {
            let opened = s3.open_whole(self.extra_ca_file.as_ref());
            let failed = || format!("[buckets.{name}] cannot be used");
            others.insert(name.clone(), opened.with_context(failed)?);
        }
        let bucket = self.bucket()?;
        Ok(KeptIn { bucket, others })
    }

    /// What may be adopted.
    pub(crate) fn adoptable(&self) -> Vec<Adoptable> {
        self.buckets
            .iter()
            .map(|(name, s3)| s3.adoptable(name))
            .collect()
    }

    fn check_buckets(&self) -> Result<()> {
        self.kept_in()?;
        let Some(own) = &self.s3 else {
            return Ok(());
        };
        ensure!(
            own.projects.is_none(),
            "`projects` is for [buckets.NAME], not for [s3]"
        );
        for (name, s3) in &self.buckets {
            ensure!(
                !s3.overlaps(own),
                "[buckets.{name}] holds what is stored itself, see [s3]: nobody may adopt that"
            );
        }
        Ok(())
    }

    /// What the gateway is told.
    pub(crate) fn gateway(&self) -> Result<gateway::Config> {
        let tls = self
            .tls_certificate
            .clone()
            .zip(self.tls_key.clone())
            .map(|(certificate, key)| Tls { certificate, key });
        let mut config = gateway::Config::new(self.public_url()?, self.listen);
        config.listeners[0].tls.clone_from(&tls);
        config.access_log = self.access_log;
        config.trusted_proxies = self
            .trusted_proxies
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, String>>()
            .map_err(anyhow::Error::msg)?;
        if let Some(domain) = &self.workspace_domain {
            config.workspace_domain = Some(domain.clone());
        }
        if config.workspace_domain.is_none() || self.workspace_listen.is_some() {
            let address = match self.workspace_listen {
                Some(address) => address,
                None => SocketAddr::new(
                    self.listen.ip(),
                    self.listen
                        .port()
                        .checked_add(1)
                        .context("there is no next port: set workspace_listen")?,
                ),
            };
            config.workspace_url = Some(self.workspace_url(address)?);
            config.listeners.push(Listener {
                address,
                role: Role::Workspaces,
                tls,
            });
        }
        Ok(config)
    }

    /// Where people reach the second listener: the app's own host on the other port, unless the configuration says otherwise.
    fn workspace_url(&self, address: SocketAddr) -> Result<Url> {
        if let Some(url) = &self.workspace_url {
            return Ok(url.clone());
        }
        let mut url = self.public_url()?;
        url.set_port(Some(address.port()))
            .map_err(|()| anyhow::anyhow!("public_url cannot have a port: set workspace_url"))?;
        Ok(url)
    }

    fn check(&self) -> Result<()> {
        for (name, environment) in &self.environments {
            environment.check(name)?;
        }
        ensure!(
            !self.machines.is_empty(),
            "the configuration names no machine type"
        );
        ensure!(
            self.tls_certificate.is_some() == self.tls_key.is_some(),
            "tls_certificate and tls_key go together: one of them is missing"
        );
        for (name, machine) in &self.machines {
            machine.check(name)?;
        }
        self.local.check()?;
        self.check_buckets()?;
        ensure!(
            self.uids.0 > 0 && self.uids.1 >= 1000,
            "uids must begin above 0 and hold at least 1000"
        );
        let url = self.public_url()?;
        ensure!(
            matches!(url.scheme(), "http" | "https"),
            "public_url must begin with http:// or https://"
        );
        ensure!(
            url.path() == "/" && url.query().is_none(),
            "public_url must have no path"
        );
        let open = !self.listen.ip().is_loopback()
            || self
                .workspace_listen
                .is_some_and(|address| !address.ip().is_loopback());
        if open && url.scheme() == "http" && !self.insecure_http {
            bail!(
                "listening on {} without https would send passwords and notebooks in the clear: set tls_certificate and tls_key, or a public_url \
                 with https behind a reverse proxy, or insecure_http = true on a network that you trust",
                self.listen
            );
        }
        Ok(())
    }
}

/// Keys that may come from the environment; tables come from the file only.
const KEYS: [&str; 28] = [
    "listen",
    "public_url",
    "workspace_domain",
    "workspace_listen",
    "workspace_url",
    "tls_certificate",
    "tls_key",
    "trusted_proxies",
    "insecure_http",
    "database",
    "database_file",
    "secret_key_file",
    "access_log",
    "log_format",
    "max_jobs",
    "home_quota_bytes",
    "home_save_s",
    "gc_interval_s",
    "scrub_period_s",
    "scrub_bytes_per_s",
    "environments_dir",
    "uv",
    "extra_ca_file",
    "docker_socket",
    "base_image",
    "pull_images",
    "allowed_images",
    "inside",
];

#[cfg(test)]
mod tests;

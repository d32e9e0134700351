//! The environments of the configuration, and what builds them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use control::Layout;
use spawner::{
    EnvironmentSpec, Environments, ImageSpec, Images, authorities,
    images::{Options, Source},
};

use crate::config::{Config, Environment};

/// What builds may be told of this machine: where packages come from.
const VARIABLES: [&str; 15] = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_HTTP_TIMEOUT",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// What builds environments.
pub(crate) fn environments(config: &Config, data: &Path) -> Result<Environments> {
    let own = || Layout::new(data).environments();
    let dir = config.environments_dir.clone().unwrap_or_else(own);
    let uv = config.uv.clone().unwrap_or_else(|| "uv".into());
    let bundle = bundle(config, data)?;
    let mut environments = Environments::new(&dir, uv);
    if let Some(bundle) = &bundle {
        environments = environments.with_authorities(bundle);
    }
    let variables = VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    let options = Options {
        base: config.base_image.clone(),
        pull: config.pull_images,
        authorities: bundle,
        variables: variables.collect(),
        network: None,
    };
    if config.docker_socket.exists() {
        environments = environments.with_images(Images::new(&config.docker_socket, dir, options));
    }
    Ok(environments)
}

/// The system's authorities and those of `extra_ca_file` as one file, made anew at every start.
fn bundle(config: &Config, data: &Path) -> Result<Option<PathBuf>> {
    let Some(extra) = &config.extra_ca_file else {
        return Ok(None);
    };
    let bundle = data.join("ca-certificates.crt");
    authorities::merge(extra, &bundle)?;
    Ok(Some(bundle))
}

/// The environments of the configuration, as the spawner builds them.
pub(crate) fn specs(config: &Config) -> Result<BTreeMap<String, EnvironmentSpec>> {
    let spec = |(name, environment): (&String, &Environment)| {
        let source = source(config, environment)
            .with_context(|| format!("environments.{name} cannot be used"))?;
        let spec = EnvironmentSpec {
            name: name.clone(),
            python: environment.python.clone(),
            packages: environment.packages.clone().unwrap_or_default(),
            contained: false,
            image: source.map(|source| ImageSpec {
                source,
                allowed: None,
            }),
        };
        Ok((name.clone(), spec))
    };
    config.environments.iter().map(spec).collect()
}

fn source(config: &Config, environment: &Environment) -> Result<Option<Source>> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let base = || {
        environment
            .base
            .clone()
            .unwrap_or_else(|| config.base_image.clone())
    };
    if let Some(name) = &environment.image {
        return Ok(Some(Source::Image(name.clone())));
    }
    if let Some(path) = &environment.requirements {
        let (base, text) = (base(), read(path)?);
        return Ok(Some(Source::Requirements { base, text }));
    }
    if let Some(path) = &environment.conda {
        let (base, text) = (base(), read(path)?);
        return Ok(Some(Source::Conda { base, text }));
    }
    if let Some(path) = &environment.dockerfile {
        let path = path
            .canonicalize()
            .with_context(|| format!("{} cannot be found", path.display()))?;
        return Ok(Some(Source::Dockerfile(path)));
    }
    Ok(None)
}

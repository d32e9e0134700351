//! What an image offers: found out once by running it, remembered by its id.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    CreateContainerOptions, LogsOptions, RemoveContainerOptions, StartContainerOptions,
};
use futures_util::StreamExt;
use serde::Deserialize;

use super::engine::{self, Found};
use super::{Image, Inner, Python};
use crate::error::Context as _;
use crate::{Error, Result, files};

/// How long the image may take to answer.
const PATIENCE: Duration = Duration::from_mins(2);
const ANSWER_BYTES: usize = 64 * 1024;
/// Prints one line of JSON, where there is a Python.
const QUESTION: &str = r#"p=$(command -v python3 || command -v python) || exit 0
exec "$p" -I -c '
import json, sys
try:
    from importlib.metadata import version
    lab = version("jupyterlab")
except Exception:
    lab = None
print(json.dumps({"cairn": 1, "prefix": sys.prefix, "version": "%d.%d.%d" % sys.version_info[:3], "jupyterlab": lab}))'"#;

#[derive(Deserialize)]
struct Answer {
    cairn: u32,
    prefix: PathBuf,
    version: String,
    jupyterlab: Option<String>,
}

/// The image, if it was asked before.
pub(super) fn remembered(dir: &Path, found: &Found) -> Result<Option<Image>> {
    check_architecture(found)?;
    files::read_json(&path(dir, &found.id))
        .context(|| "what an image offers cannot be read".to_owned())
}

/// The image; asks it where that was never done.
pub(super) async fn image(inner: &Inner, found: Found) -> Result<Image> {
    let id = found.id.clone();
    check_architecture(&found)?;
    let path = path(&inner.dir, &id);
    let failed = || "what an image offers cannot be kept".to_owned();
    if let Some(image) = files::read_json(&path).context(failed)? {
        return Ok(image);
    }
    let python = ask(inner, &found).await?;
    let image = Image {
        id,
        env: found.env,
        python,
    };
    files::make_folder(path.parent().unwrap_or(&inner.dir), 0o755).context(failed)?;
    files::write_json(&path, &image).context(failed)?;
    Ok(image)
}

fn path(dir: &Path, id: &str) -> PathBuf {
    let name: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    dir.join("images").join(name).with_extension("json")
}

fn check_architecture(found: &Found) -> Result<()> {
    let ours = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if found.architecture.is_empty() || found.architecture == ours {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the image {} is for another kind of processor: {}, and this machine is {ours}",
        found.name, found.architecture
    )))
}

/// Runs the image without network, privileges or anything of this machine.
async fn ask(inner: &Inner, found: &Found) -> Result<Option<Python>> {
    let host = HostConfig {
        network_mode: Some("none".into()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges".into()]),
        memory: Some(1 << 30),
        pids_limit: Some(100),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([("max-size".into(), "1m".into())])),
        }),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        image: Some(found.id.clone()),
        entrypoint: Some(vec!["/bin/sh".into(), "-c".into(), QUESTION.into()]),
        cmd: Some(Vec::new()),
        user: Some("65534:65534".into()),
        working_dir: Some("/".into()),
        labels: Some(HashMap::from([("cairn.probe".into(), "1".into())])),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let made = inner
        .docker()
        .await?
        .create_container(None::<CreateContainerOptions>, body);
    let id = made.await.map_err(engine::failed)?.id;
    let answer = tokio::time::timeout(PATIENCE, listen(inner, &id)).await;
    let options = RemoveContainerOptions {
        force: true,
        v: true,
        ..RemoveContainerOptions::default()
    };
    let removed = inner
        .docker()
        .await?
        .remove_container(&id, Some(options))
        .await;
    let answer = answer.map_err(|_| {
        Error::Invalid(format!(
            "the image {} does not answer when it is run",
            found.name
        ))
    })??;
    removed.map_err(engine::failed)?;
    Ok(answer.as_deref().and_then(read))
}

/// What it prints; none where it has no shell to ask.
async fn listen(inner: &Inner, id: &str) -> Result<Option<String>> {
    if let Err(error) = inner
        .docker()
        .await?
        .start_container(id, None::<StartContainerOptions>)
        .await
    {
        return match engine::failed(error) {
            Error::Unavailable { message, source }
                if !message.contains("OCI runtime") && !message.contains("executable file") =>
            {
                Err(Error::Unavailable { message, source })
            }
            _ => Ok(None),
        };
    }
    let options = LogsOptions {
        follow: true,
        stdout: true,
        ..LogsOptions::default()
    };
    let mut output = inner.docker().await?.logs(id, Some(options));
    let mut text = Vec::new();
    while let Some(piece) = output.next().await {
        text.extend_from_slice(&piece.map_err(engine::failed)?.into_bytes());
        if text.len() > ANSWER_BYTES {
            break;
        }
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// What an image says of itself is not to be trusted.
fn read(text: &str) -> Option<Python> {
    let answer = text
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Answer>(line).ok())?;
    let normal = |p: &Path| {
        p.is_absolute()
            && p.components()
                .all(|c| matches!(c, Component::RootDir | Component::Normal(_)))
    };
    let plain =
        |v: &str| v.len() <= 40 && v.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    let fits = answer.cairn == 1 && normal(&answer.prefix) && plain(&answer.version);
    fits.then_some(Python {
        prefix: answer.prefix,
        version: answer.version,
        jupyterlab: answer.jupyterlab.filter(|v| plain(v)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        assert!(read("").is_none());
        assert!(
            read(r#"{"cairn": 1, "prefix": "../x", "version": "3", "jupyterlab": null}"#).is_none()
        );
        let good = read("noise\n{\"cairn\": 1, \"prefix\": \"/opt/x\", \"version\": \"3.11.2\", \"jupyterlab\": \"4.6.6\"}\n").unwrap();
        assert_eq!(good.jupyterlab.as_deref(), Some("4.6.6"));
    }
}

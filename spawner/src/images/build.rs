//! One build by the engine's own builder. What it is made of goes there a piece at a time; what it says goes into the log.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptions, PruneImagesOptions};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::engine::{self, Found};
use super::recipe::{Content, Recipe};
use super::{Inner, Log, layer};
use crate::error::Context as _;
use crate::{Error, Result, archive, authorities};

/// Marks every image of a build, so that what a failed one leaves is found.
const LABEL: &str = "cairn.environment";
/// How long a build may say nothing.
const SILENCE: Duration = Duration::from_mins(30);
/// How much of the log goes into an error.
const TAIL_BYTES: usize = 2000;

/// Builds, and returns the image. A build that fails leaves nothing with the engine.
pub(super) async fn run(inner: &Inner, recipe: &Recipe, tag: &str, log: &mut Log) -> Result<Found> {
    // What an interrupted build left.
    clean(inner, tag).await?;
    let built = carry_out(inner, recipe, tag, log).await;
    // Also of a good build: stages that are in no image hold settings of this machine.
    let cleaned = clean(inner, tag).await;
    built?;
    cleaned?;
    engine::inspect(inner.docker().await?, tag)
        .await?
        .ok_or_else(|| Error::NotFound(format!("the image {tag}, which was built just now,")))
}

async fn carry_out(inner: &Inner, recipe: &Recipe, tag: &str, log: &mut Log) -> Result<()> {
    log.line(&format!("Building {} as {tag}", recipe.name))?;
    let options = BuildImageOptions {
        dockerfile: ".cairn/Dockerfile".into(),
        t: Some(tag.to_owned()),
        rm: true,
        forcerm: true,
        buildargs: Some(inner.options.variables.clone().into_iter().collect()),
        networkmode: inner.options.network.clone(),
        ..BuildImageOptions::default()
    };
    let files = files(inner, recipe, tag)?;
    let (pieces, sending) = send(files, &recipe.content);
    let body = bollard::body_try_stream(pieces);
    let docker = inner.docker().await?;
    let mut answers = std::pin::pin!(docker.build_image(options, None, Some(body)));
    let mut said = String::new();
    let failure = loop {
        let next = tokio::time::timeout(SILENCE, answers.next()).await;
        let next = next
            .map_err(|e| Error::unavailable("the Docker engine's builder is silent", e.into()))?;
        let Some(answer) = next else { break None };
        let text = match answer {
            Ok(info) => {
                if let Some(error) = info.error_detail.and_then(|e| e.message) {
                    break Some(error);
                }
                info.stream
                    .or(info.status.map(|s| format!("{s}\n")))
                    .unwrap_or_default()
            }
            Err(bollard::errors::Error::DockerStreamError { error }) => break Some(error),
            Err(error) => match sending.await.ok().and_then(Result::err) {
                Some(reason) => {
                    return Err(Error::Invalid(format!(
                        "the files could not be sent: {reason}"
                    )));
                }
                None => return Err(engine::failed(error)),
            },
        };
        log.text(&text)?;
        said.push_str(&text);
        let cut = said.len().saturating_sub(TAIL_BYTES);
        if cut > TAIL_BYTES {
            said.drain(..said.ceil_char_boundary(cut));
        }
    };
    let Some(error) = failure else { return Ok(()) };
    let cut = said.ceil_char_boundary(said.len().saturating_sub(TAIL_BYTES));
    Err(Error::Build {
        name: recipe.name.clone(),
        message: format!("{}\n{error}", said[cut..].trim()),
    })
}

/// What the builder gets besides the folder: path and content.
fn files(inner: &Inner, recipe: &Recipe, tag: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let label = format!("LABEL {LABEL}={}\n", tag.rsplit(':').next().unwrap_or(tag));
    let bundle = match &inner.options.authorities {
        Some(path) => Some(std::fs::read(path).context(|| {
            format!(
                "the certificate authorities in {} cannot be read",
                path.display()
            )
        })?),
        None => None,
    };
    let mut files = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| files.push((format!(".cairn/{name}"), bytes));
    match &recipe.content {
        Content::Nothing => {}
        Content::Layer(requirements) => {
            let base = recipe.bases.first().map_or("", String::as_str);
            add("Dockerfile", layer::dockerfile(base, &label).into_bytes());
            add("install.sh", layer::SCRIPT.into());
            add("requirements.txt", requirements.clone().into_bytes());
            let variables = inner.options.variables.iter();
            let lines: Vec<_> = variables
                .map(|(name, value)| format!("{name}={value}\n"))
                .collect();
            add("env", lines.concat().into_bytes());
        }
        Content::Folder(dockerfile, _) => {
            let trust = bundle.as_ref().map(|_| {
                let variables: Vec<_> = authorities::variables()
                    .map(|(name, path)| format!("{name}={path}"))
                    .collect();
                format!(
                    "COPY .cairn/ca-certificates.crt {}\nENV {}\n",
                    authorities::PATH,
                    variables.join(" ")
                )
            });
            let added = label + &trust.unwrap_or_default();
            add("Dockerfile", dockerfile.with(&added).into_bytes());
        }
    }
    if let Some(bundle) = bundle {
        add("ca-certificates.crt", bundle);
    }
    Ok(files)
}

/// The body of the request.
fn send(
    files: Vec<(String, Vec<u8>)>,
    content: &Content,
) -> (
    impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    tokio::task::JoinHandle<io::Result<()>>,
) {
    let folder = match content {
        Content::Folder(_, folder) => Some(folder.clone()),
        _ => None,
    };
    archive::stream(move |tar| {
        for (path, bytes) in &files {
            archive::file(tar, path, 0o644, bytes)?;
        }
        match folder {
            Some(folder) => folder.write(tar),
            None => Ok(()),
        }
    })
}

/// Removes what builds of this tag left that is in no named image.
async fn clean(inner: &Inner, tag: &str) -> Result<()> {
    let value = tag.rsplit(':').next().unwrap_or(tag);
    let filters = HashMap::from([
        ("dangling".to_owned(), vec!["true".to_owned()]),
        ("label".to_owned(), vec![format!("{LABEL}={value}")]),
    ]);
    let options = PruneImagesOptions {
        filters: Some(filters),
    };
    match inner.docker().await?.prune_images(Some(options)).await {
        // With 409 somebody prunes already: the next build finds what is left.
        Ok(_)
        | Err(bollard::errors::Error::DockerResponseServerError {
            status_code: 409, ..
        }) => Ok(()),
        Err(error) => Err(engine::failed(error)),
    }
}

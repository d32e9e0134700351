//! What is asked of the engine about images, and its answers as this crate's errors.

use std::collections::BTreeMap;
use std::io;

use bollard::Docker;
use bollard::errors::Error as Answer;

use crate::{Error, Result};

/// An image as the engine has it.
pub(crate) struct Found {
    pub(crate) id: String,
    /// As the engine says it, such as `arm64`.
    pub(crate) architecture: String,
    pub(crate) env: BTreeMap<String, String>,
    /// What people call it.
    pub(crate) name: String,
}

/// The image of this name or id; none where it is not here.
pub(crate) async fn inspect(docker: &Docker, name: &str) -> Result<Option<Found>> {
    check(name)?;
    let found = match docker.inspect_image(name).await {
        Ok(found) => found,
        Err(Answer::DockerResponseServerError {
            status_code: 404, ..
        }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let config = found.config.unwrap_or_default();
    let env = config.env.unwrap_or_default();
    let pair = |text: String| {
        text.split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    Ok(Some(Found {
        id: found.id.unwrap_or_default(),
        architecture: found.architecture.unwrap_or_default(),
        env: env.into_iter().filter_map(pair).collect(),
        name: name.to_owned(),
    }))
}

/// Names become part of a path of the engine's API.
pub(super) fn check(name: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b);
    let fits = (1..=300).contains(&name.len())
        && name.bytes().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("..")
        && !name.contains("//");
    if fits {
        Ok(())
    } else {
        let shown: String = name.chars().take(80).collect();
        Err(Error::Invalid(format!("{shown:?} is not an image's name")))
    }
}

/// What an answer means to whoever asked for an image.
pub(crate) fn failed(error: Answer) -> Error {
    match error {
        Answer::DockerResponseServerError {
            status_code: 404,
            message,
        } => Error::NotFound(message),
        Answer::DockerResponseServerError {
            status_code: 400..500,
            message,
        } => Error::Invalid(message),
        error => {
            let message = format!("the Docker engine did not do its part: {error}");
            Error::unavailable(message, io::Error::other(error))
        }
    }
}

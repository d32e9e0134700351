//! Notebooks of jobs as pages to read and to print.

use std::io::{BufWriter, Seek as _, Write as _};

use kernels::{export, notebook::Document};
use storage::{Hash, manifest, objects::Store};

use crate::{Error, Result, cells};

pub use kernels::export::{CONTENT_SECURITY_POLICY, Options};

/// A notebook larger than this, in bytes, is not made a page.
const MOST: u64 = 64 << 20;

/// Makes the notebook at `path` of a manifest a page of HTML, and gives the open file that holds it, which nobody else sees.
///
/// It must be sent with [`CONTENT_SECURITY_POLICY`]: it holds what other people's code put out, scripts included. Dropping the future lets the work
/// run to its end.
///
/// # Errors
/// `NotFound` without such a file, `Invalid` for one that is no notebook or is larger than 64 MiB.
pub async fn of_notebook(
    store: &Store,
    manifest_digest: Hash,
    path: &str,
    options: Options,
) -> Result<tokio::fs::File> {
    let missing = || Error::not_found("there is no such file");
    let file = manifest::file(store, manifest_digest, path).await?;
    if file.ok_or_else(missing)?.bytes > MOST {
        return Err(Error::invalid(
            "this notebook is larger than 64 MiB: download it to look at it",
        ));
    }
    let content = manifest::read(store, manifest_digest, path, None).await?;
    let content = content.ok_or_else(missing)?.collect().await?;
    let page = cells::aside(move || {
        let text = std::str::from_utf8(&content)
            .map_err(|_| Error::invalid("this file is no notebook: it is not text"))?;
        let document = cells::parse(text)?;
        write(&document, &options)
            .map_err(|error| Error::internal("a notebook's page cannot be written", error))
    });
    Ok(tokio::fs::File::from_std(page.await?))
}

fn write(document: &Document, options: &Options) -> std::io::Result<std::fs::File> {
    let mut out = BufWriter::new(tempfile::tempfile()?);
    export::html(document, options, &mut out)?;
    out.flush()?;
    let mut page = out
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)?;
    page.rewind()?;
    Ok(page)
}

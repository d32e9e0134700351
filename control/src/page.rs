//! Notebooks of jobs as pages to read and to print.

use std::{
    fs::File,
    io::{self, BufWriter, Seek as _, Write},
    path::Path,
};

use kernels::{export, notebook::Document};
use storage::{Hash, manifest, objects::Store};

use crate::{Error, Result, cells};

pub use kernels::export::{CONTENT_SECURITY_POLICY, Options};

/// A notebook larger than this, in bytes, is not made a page.
const MOST: u64 = 64 << 20;
/// Nor is a page larger than this made.
const MOST_OF_PAGE: usize = 256 << 20;

/// Makes the notebook at `path` of a manifest a page of HTML, and gives the open file that holds it: in `scratch`, without a name.
///
/// It must be sent with [`CONTENT_SECURITY_POLICY`]: it holds what other people's code put out, scripts included. Dropping the future lets the work
/// run to its end.
///
/// # Errors
/// `NotFound` without such a file, `Invalid` for one that is no notebook or is larger than 64 MiB, or its page than 256 MiB; `Unavailable` where many
/// are being made.
pub async fn of_notebook(
    store: &Store,
    manifest_digest: Hash,
    path: &str,
    options: Options,
    scratch: &Path,
) -> Result<tokio::fs::File> {
    let missing = || Error::not_found("there is no such file");
    let file = manifest::file(store, manifest_digest, path).await?;
    if file.ok_or_else(missing)?.bytes > MOST {
        return Err(Error::invalid(
            "this notebook is larger than 64 MiB: download it to look at it",
        ));
    }
    let turn = cells::turn().await?;
    let content = manifest::read(store, manifest_digest, path, None).await?;
    let content = content.ok_or_else(missing)?.collect().await?;
    let scratch = scratch.to_owned();
    let page = cells::aside(turn, move || {
        let text = std::str::from_utf8(&content)
            .map_err(|_| Error::invalid("this file is no notebook: it is not text"))?;
        let document = cells::parse(text)?;
        write(&document, &options, &scratch)
    });
    Ok(tokio::fs::File::from_std(page.await?))
}

fn write(document: &Document, options: &Options, scratch: &Path) -> Result<File> {
    let failed = |error| Error::internal("a notebook's page cannot be written", error);
    let mut out = Bounded {
        file: BufWriter::new(tempfile::tempfile_in(scratch).map_err(failed)?),
        left: MOST_OF_PAGE,
    };
    match export::html(document, options, &mut out) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Err(Error::invalid(
            "the page of this notebook would be larger than 256 MiB: download the notebook to look at it",
        )),
        Err(error) => Err(failed(error)),
        Ok(()) => out.finish().map_err(failed),
    }
}

/// A file that takes so many bytes.
struct Bounded {
    file: BufWriter<File>,
    left: usize,
}

impl Bounded {
    /// The file, to be read from its start.
    fn finish(self) -> io::Result<File> {
        let file = self.file.into_inner();
        let mut file = file.map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len());
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

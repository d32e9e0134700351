//! What a notebook run said of its own end: which cell, and why. It comes from the job, so nothing in it is trusted.

use std::{
    fs::OpenOptions,
    io::Read as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;

const BYTES: u64 = 64 * 1024;
const MESSAGE_CHARS: usize = 2000;

#[derive(Deserialize)]
struct Report {
    message: String,
    cell: Option<Cell>,
}

#[derive(Deserialize)]
struct Cell {
    number: u64,
    total: u64,
}

/// A sentence on how the run ended, naming its cell; nothing where the run said nothing that can be read.
pub(crate) async fn read(attempt: &Path) -> Option<String> {
    let path = attempt.join("report/outcome.json");
    let text = tokio::task::spawn_blocking(move || bounded(&path))
        .await
        .ok()??;
    let Report { message, cell } = serde_json::from_str(&text).ok()?;
    let plain: String = message
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .take(MESSAGE_CHARS)
        .collect();
    let named = plain.to_lowercase().contains("cell");
    Some(match cell {
        Some(Cell { number, total }) if !named => format!("Cell {number} of {total}: {plain}"),
        _ => plain,
    })
}

/// The file's text, if it is a regular file of a sane size. Neither a link nor a pipe in its place is followed or waited for.
fn bounded(path: &PathBuf) -> Option<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > BYTES {
        return None;
    }
    let mut text = String::new();
    file.take(BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn said(text: &str) -> Option<String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("report")).expect("made");
        std::fs::write(folder.path().join("report/outcome.json"), text).expect("written");
        read(folder.path()).await
    }

    #[tokio::test]
    async fn the_cell_is_named_once() {
        let unnamed = r#"{"message":"ZeroDivisionError: division by zero","cell":{"number":3,"total":5,"title":"1/0"}}"#;
        assert_eq!(
            said(unnamed).await.as_deref(),
            Some("Cell 3 of 5: ZeroDivisionError: division by zero")
        );
        let named = r#"{"message":"cell 3 of 5 raised","cell":{"number":3,"total":5}}"#;
        assert_eq!(said(named).await.as_deref(), Some("cell 3 of 5 raised"));
    }

    #[tokio::test]
    async fn rubbish_links_and_pipes_say_nothing() {
        assert_eq!(said("[]").await, None);
        assert_eq!(said(&"x".repeat(70_000)).await, None);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("report")).expect("made");
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("report/outcome.json"))
            .expect("linked");
        assert_eq!(read(folder.path()).await, None);
    }
}

//! Files that the server keeps, of jobs and of versions: listed, or fetched into a folder.

mod batch;
mod download;
mod fetch;
mod tree;

use std::collections::VecDeque;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::api::Client;
use crate::api::types::{self, File};
use crate::output::{self, Table};

/// The most files that are listed or fetched at once.
const MAX_FILES: usize = 1_000_000;

/// Where the API has a listing of files; the content of each is below it.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    path: Vec<String>,
}

/// What to fetch, and where to.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The folder; nothing is ever written outside of it.
    pub(crate) folder: PathBuf,
    /// Only what lies there.
    pub(crate) path: String,
    /// Whether files that are there and differ are replaced.
    pub(crate) force: bool,
}

impl Listing {
    /// The listing at a path of the API.
    pub(crate) fn at(path: &[&str]) -> Self {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        Self { path }
    }

    fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        let path = self.path.iter().map(String::as_str);
        path.chain(below.iter().copied()).collect()
    }

    /// Prints what lies at a path, or everything below it.
    pub(crate) async fn print(
        &self,
        client: &Client,
        path: &str,
        recursive: bool,
        json: bool,
    ) -> anyhow::Result<()> {
        let path = path.trim_matches('/');
        let items = if recursive {
            self.walk(client, path).await?
        } else {
            self.folder(client, path).await?
        };
        if json {
            return output::json(&json!({ "items": items, "next": null }));
        }
        let mut table = Table::new(&["PATH", "SIZE"]);
        for item in &items {
            let file: File = types::read(item)?;
            if file.kind == "directory" {
                table.row([format!("{}/", file.path), String::new()]);
            } else {
                table.row([file.path, output::bytes(file.bytes)]);
            }
        }
        table.print("No files.")?;
        Ok(())
    }

    /// Fetches files into a folder. What is there already and the same is left alone; what was begun is gone on with. `digest` names all of
    /// what the listing has.
    pub(crate) async fn get(
        &self,
        client: &Client,
        wanted: Wanted,
        digest: &str,
        json: bool,
    ) -> anyhow::Result<()> {
        let items = self.walk(client, wanted.path.trim_matches('/')).await?;
        let files = items.iter().map(types::read);
        let files: Vec<File> = files.collect::<anyhow::Result<_>>()?;
        let folder = wanted.folder.clone();
        let got = fetch::all(client, self, files, wanted, digest).await?;
        if json {
            return output::json(&json!({ "items": items, "next": null }));
        }
        let unchanged = match got.unchanged {
            0 => String::new(),
            more => format!(", {more} more were there already"),
        };
        output::note(format!(
            "{} files, {}, in {}{unchanged}",
            got.files,
            output::bytes(got.bytes),
            folder.display()
        ));
        Ok(())
    }

    /// Every file at or below a path.
    async fn walk(&self, client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut files = Vec::new();
        let mut folders = VecDeque::from([path.to_owned()]);
        while let Some(path) = folders.pop_front() {
            for item in self.folder(client, &path).await? {
                let file: File = types::read(&item)?;
                if file.kind == "directory" {
                    // Only what lies below: a listing must not lead in circles.
                    anyhow::ensure!(
                        path.is_empty() || file.path.starts_with(&format!("{path}/")),
                        "the server's listing of {path:?} is not below it"
                    );
                    anyhow::ensure!(
                        file.path.len() > path.len(),
                        "the server's listing of {path:?} holds itself"
                    );
                    folders.push_back(file.path);
                } else {
                    files.push(item);
                }
                anyhow::ensure!(
                    files.len() + folders.len() <= MAX_FILES,
                    "more than {MAX_FILES} files: fetch one folder at a time"
                );
            }
        }
        Ok(files)
    }

    async fn folder(&self, client: &Client, path: &str) -> anyhow::Result<Vec<Value>> {
        let query = [("path", path.to_owned())];
        let list = client.list(&self.path(&[]), &query, MAX_FILES).await?;
        types::items(&list)
    }
}

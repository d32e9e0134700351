//! What a workspace's server sees below `inputs`: a folder of its own, shown read-only. What it starts with is mounted over it, the trees that
//! all on this machine share; what is attached while it runs is made in the folder and so shows at once.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use storage::{
    ids::WorkspaceId,
    materialise::{self, Link},
    objects::Store,
    workspaces::Input,
};

use super::home::{make_folder, remove_tree};
use crate::{Error, Layout, Result, reference::Reference};

/// The folder of one workspace. Whoever uses it holds the workspace's lock.
pub(super) struct Shelf {
    folder: PathBuf,
}

/// What is in it, by name; kept beside it.
#[derive(Default, Serialize, Deserialize)]
struct Shown(BTreeMap<String, Item>);

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Item {
    reference: String,
    manifest_digest: String,
    /// Only a start can change it.
    mounted: bool,
}

impl Shelf {
    pub(super) fn of(layout: &Layout, workspace: WorkspaceId) -> Self {
        Self {
            folder: layout.shelf(&workspace),
        }
    }

    /// The folder that the server sees.
    pub(super) fn inside(&self) -> PathBuf {
        self.folder.join("inputs")
    }

    /// Begins anew: empty, with a place for each mount. `mounted` has path and source of each.
    pub(super) async fn lay_out(
        &self,
        inputs: &[Input],
        mounted: &[(String, PathBuf)],
    ) -> Result<()> {
        remove_tree(self.folder.clone()).await?;
        let inside = self.inside();
        make_folder(&inside)
            .and_then(|()| open(&inside))
            .and_then(|()| {
                mounted
                    .iter()
                    .try_for_each(|(path, source)| place(&inside.join(path), source))
            })
            .map_err(failed)?;
        let mut shown = Shown::default();
        if !mounted.is_empty() {
            shown.0.extend(inputs.iter().map(|input| item(input, true)));
        }
        self.save(&shown)
    }

    /// Makes an input's files appear, in place of those of an older one of its name. Says whether they do: what the server started with
    /// stays until its next start.
    pub(super) async fn show(&self, store: &Store, input: &Input, link: Link) -> Result<bool> {
        if !self.inside().is_dir() {
            // Its server is from a time before there were shelves.
            return Ok(false);
        }
        let mut shown = self.load()?;
        let (name, new) = item(input, false);
        match shown.0.get(&name) {
            Some(old) if old.mounted => {
                return Ok(
                    old.manifest_digest == new.manifest_digest && old.reference == new.reference
                );
            }
            Some(old) if *old == new && self.inside().join(&name).is_dir() => return Ok(true),
            _ => {}
        }
        let Reference::Outputs { path, .. } = input.reference.parse()?;
        let fresh = self.folder.join("fresh");
        remove_tree(fresh.clone()).await?;
        let digest = input.manifest_digest.parse()?;
        materialise::tree(store, digest, path.as_deref(), &fresh, link).await?;
        self.clear(&name).await?;
        fs::rename(&fresh, self.inside().join(&name)).map_err(failed)?;
        shown.0.insert(name, new);
        self.save(&shown)?;
        Ok(true)
    }

    /// Takes an input's files away. Says whether they are gone: what the server started with stays until its next start.
    pub(super) async fn hide(&self, name: &str) -> Result<bool> {
        let mut shown = self.load()?;
        if shown.0.get(name).is_some_and(|item| item.mounted) {
            return Ok(false);
        }
        self.clear(name).await?;
        if shown.0.remove(name).is_some() {
            self.save(&shown)?;
        }
        Ok(true)
    }

    /// Removes all of it.
    pub(super) async fn remove(&self) -> Result<()> {
        remove_tree(self.folder.clone()).await
    }

    /// Out of sight at once, then gone.
    async fn clear(&self, name: &str) -> Result<()> {
        let (there, old) = (self.inside().join(name), self.folder.join("old"));
        remove_tree(old.clone()).await?;
        match fs::rename(&there, &old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
            Ok(()) => remove_tree(old).await,
        }
    }

    fn record(&self) -> PathBuf {
        self.folder.join("shown.json")
    }

    fn load(&self) -> Result<Shown> {
        match fs::read(self.record()) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| Error::internal("the record of shown inputs is damaged", error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Shown::default()),
            Err(error) => Err(failed(error)),
        }
    }

    fn save(&self, shown: &Shown) -> Result<()> {
        let fresh = self.record().with_extension("new");
        serde_json::to_vec(shown)
            .map_err(io::Error::other)
            .and_then(|text| fs::write(&fresh, text))
            .and_then(|()| fs::rename(&fresh, self.record()))
            .map_err(failed)
    }
}

fn item(input: &Input, mounted: bool) -> (String, Item) {
    let item = Item {
        reference: input.reference.clone(),
        manifest_digest: input.manifest_digest.clone(),
        mounted,
    };
    (input.name.clone(), item)
}

/// A folder or an empty file for `source` to be mounted over.
fn place(path: &Path, source: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    make_folder(parent)?;
    open(parent)?;
    if source.is_dir() {
        make_folder(path)?;
        open(path)
    } else {
        fs::write(path, "")
    }
}

/// The server has another uid.
fn open(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

fn failed(error: io::Error) -> Error {
    Error::internal("a workspace's inputs cannot be laid out", error)
}

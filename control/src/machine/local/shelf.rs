//! What a workspace's server sees below `inputs`: a folder of its own, shown read-only. What it starts with is mounted over it, the trees that
//! all on this machine share; what is attached while it runs is made in the folder and so shows at once, link by link: a mount would not show in
//! a sandbox or container that is there already.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
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

    /// Makes these the inputs that the server sees, but for what it started with, which stays until its next start. Where one fails the others
    /// are shown all the same; the first error is returned then.
    pub(super) async fn show(&self, store: &Store, inputs: &[Input], link: Link) -> Result<()> {
        if !self.inside().is_dir() {
            // Its server is from a time before there were shelves.
            return Ok(());
        }
        let mut shown = self.load()?;
        let mut outcome = Ok(());
        for name in self.unwanted(inputs, &shown)? {
            match self.clear(&name).await {
                Ok(()) => drop(shown.0.remove(&name)),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        self.save(&shown)?;
        for input in inputs {
            let (name, new) = item(input, false);
            match shown.0.get(&name) {
                Some(old) if old.mounted => continue,
                Some(old) if *old == new && self.inside().join(&name).is_dir() => continue,
                _ => {}
            }
            match self.replace(store, input, link).await {
                Ok(()) => {
                    shown.0.insert(name, new);
                    self.save(&shown)?;
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// What is there and should not be, also what a crash kept out of the record.
    fn unwanted(&self, inputs: &[Input], shown: &Shown) -> Result<Vec<String>> {
        let is_mounted = |name: &String| shown.0.get(name).is_some_and(|old| old.mounted);
        let is_wanted = |name: &String| inputs.iter().any(|input| input.name == *name);
        let there = fs::read_dir(self.inside()).map_err(failed)?;
        let names = there.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: Vec<String> = names.collect::<io::Result<_>>().map_err(failed)?;
        let gone = names.into_iter();
        Ok(gone
            .filter(|name| !is_mounted(name) && !is_wanted(name))
            .collect())
    }

    /// Makes an input's files appear, in place of what has its name.
    async fn replace(&self, store: &Store, input: &Input, link: Link) -> Result<()> {
        let reference: Reference = input.reference.parse()?;
        let digest = input.manifest_digest.parse()?;
        let fresh = self.folder.join("fresh");
        remove_tree(fresh.clone()).await?;
        materialise::tree(store, digest, reference.path(), &fresh, link).await?;
        self.clear(&input.name).await?;
        let there = self.inside().join(&input.name);
        fs::rename(&fresh, &there)
            .and_then(|()| set_mode(&there, 0o555))
            .map_err(failed)
    }

    /// Removes all of it.
    pub(super) async fn remove(&self) -> Result<()> {
        remove_tree(self.folder.clone()).await
    }

    /// Out of sight at once, then gone.
    async fn clear(&self, name: &str) -> Result<()> {
        let (there, old) = (self.inside().join(name), self.folder.join("old"));
        remove_tree(old.clone()).await?;
        // Only who may write a folder may move it to another one.
        match set_mode(&there, 0o755).and_then(|()| fs::rename(&there, &old)) {
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
    set_mode(folder, 0o755)
}

fn set_mode(folder: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}

fn failed(error: io::Error) -> Error {
    Error::internal("a workspace's inputs cannot be laid out", error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use storage::{
        Db,
        clock::System,
        ids::ProjectId,
        snapshot::{self, Options},
    };

    use super::*;

    /// Runs a test as somebody who is not above the bits of files.
    fn without_privilege(test: impl Future<Output = ()> + Send + 'static) {
        let thread = std::thread::spawn(move || {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::thread::Uid::from_raw(65_534);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(test);
        });
        thread.join().unwrap();
    }

    struct Bed {
        dir: tempfile::TempDir,
        store: Store,
        shelf: Shelf,
    }

    impl Bed {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let url = Db::sqlite_url(&dir.path().join("cairn.db")).unwrap();
            let db = Db::open(&url, System::shared()).await.unwrap();
            Self {
                store: Store::open(&dir.path().join("store"), db).await.unwrap(),
                shelf: Shelf::of(&Layout::new(dir.path()), WorkspaceId::new(&System)),
                dir,
            }
        }

        /// An input of one file, `text`.
        async fn input(&self, name: &str, text: &str) -> Input {
            let folder = self.dir.path().join("outputs");
            fs::create_dir_all(folder.join("sub")).unwrap();
            fs::write(folder.join("sub/text"), text).unwrap();
            let options = Options::new(ProjectId::new(&System));
            let taken = snapshot::take(&self.store, &folder, options).await.unwrap();
            Input {
                name: name.to_owned(),
                reference: "ada/vision#1".to_owned(),
                manifest_digest: taken.captured().summary.manifest_digest.to_string(),
                files: 1,
                bytes: 1,
                version_id: None,
                source_job_id: None,
                left_out: None,
            }
        }

        async fn show(&self, inputs: &[Input]) -> Result<()> {
            self.shelf.show(&self.store, inputs, Link::Copy).await
        }

        /// What the server sees: each input with its text.
        fn seen(&self) -> Vec<(String, String)> {
            let inside = self.shelf.inside();
            let names = fs::read_dir(&inside).unwrap().map(Result::unwrap);
            let mut seen: Vec<_> = names
                .map(|entry| {
                    let text = fs::read_to_string(entry.path().join("sub/text")).unwrap();
                    (entry.file_name().into_string().unwrap(), text)
                })
                .collect();
            seen.sort();
            seen
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    }

    #[test]
    fn a_running_server_sees_what_is_recorded() {
        without_privilege(async {
            let bed = Bed::new().await;
            let (one, two) = (bed.input("a", "one").await, bed.input("b", "two").await);
            bed.show(std::slice::from_ref(&one)).await.unwrap();
            assert!(!bed.shelf.inside().exists(), "no server, nothing to show");
            bed.shelf.lay_out(&[], &[]).await.unwrap();
            bed.show(&[one.clone(), two.clone()]).await.unwrap();
            assert_eq!(bed.seen(), pairs(&[("a", "one"), ("b", "two")]));
            let there = bed.shelf.inside().join("a");
            let mode = fs::metadata(&there).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o555);
            let newer = bed.input("a", "newer").await;
            bed.show(&[newer]).await.unwrap();
            assert_eq!(bed.seen(), pairs(&[("a", "newer")]));
            bed.show(&[]).await.unwrap();
            assert_eq!(bed.seen(), []);
            bed.show(&[two]).await.unwrap();
            bed.shelf.remove().await.unwrap();
            assert!(!bed.shelf.folder.exists());
        });
    }

    #[test]
    fn what_a_server_started_with_stays_and_one_that_fails_hides_no_other() {
        without_privilege(async {
            let bed = Bed::new().await;
            let (mounted, fine) = (bed.input("m", "old").await, bed.input("z", "fine").await);
            let source = bed.dir.path().join("outputs");
            let mount = [("m".to_owned(), source)];
            let started = std::slice::from_ref(&mounted);
            bed.shelf.lay_out(started, &mount).await.unwrap();
            let lost = Input {
                manifest_digest: storage::Hash::of(b"lost").to_string(),
                ..bed.input("l", "lost").await
            };
            assert!(bed.show(&[lost, fine]).await.is_err());
            let inside = bed.shelf.inside();
            let names = || {
                let names = fs::read_dir(&inside).unwrap().map(Result::unwrap);
                let names = names.map(|entry| entry.file_name().into_string().unwrap());
                names.collect::<BTreeSet<_>>()
            };
            assert_eq!(names(), BTreeSet::from(["m".to_owned(), "z".to_owned()]));
            assert!(inside.join("z/sub/text").exists());
            // Over the place of what is mounted nothing is laid, and it is not taken away.
            bed.show(&[bed.input("m", "new").await]).await.unwrap();
            assert_eq!(names(), BTreeSet::from(["m".to_owned()]));
            assert_eq!(fs::read_dir(inside.join("m")).unwrap().count(), 0);
        });
    }

    #[test]
    fn what_a_crash_left_out_of_the_record_goes_too() {
        without_privilege(async {
            let bed = Bed::new().await;
            bed.shelf.lay_out(&[], &[]).await.unwrap();
            let one = bed.input("a", "one").await;
            bed.show(std::slice::from_ref(&one)).await.unwrap();
            bed.shelf.save(&Shown::default()).unwrap();
            bed.show(&[]).await.unwrap();
            assert_eq!(bed.seen(), []);
        });
    }
}

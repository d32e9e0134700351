//! Measures showing a version of 100,000 files: its image made and mounted for the first time, mounted again, mounted by the next process, and
//! 2,000 of its files read, against the same objects read where they lie. Prints `name ours peer ratio goal` (milliseconds, medians;
//! ratio = peer or limit / ours), or JSON with `--json`. Says so where the kernel mounts nothing. Small files show what an open costs, on two
//! file systems instead of one; it is lost in reading files as large as pictures are. A first look at a file, `once`, has no goal: the peer's
//! names are in the kernel's cache by then.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use storage::ids::ProjectId;
use storage::manifest::{Manifest, Node};
use storage::materialise::Link;
use storage::mount::{self, Mounts, Rung};
use storage::{Db, Hash, Store, Tx, clock, projects, snapshot, users};

const FILES: usize = 100_000;
const FOLDERS: usize = 400;
/// One in so many files is as large as a picture, and the one after it is read for comparison.
const STEP: usize = 50;
const SMALL_BYTES: usize = 1000;
const LARGE_BYTES: usize = 100_000;
const TURNS: usize = 9;
const READS: usize = 25;

struct Bench {
    data: tempfile::TempDir,
    store: Store,
    digest: Hash,
    rung: Rung,
}

#[tokio::main]
async fn main() -> Result<()> {
    let data = tempfile::tempdir()?;
    let rung = mount::probe(data.path());
    if let Rung::Farm(why) = &rung {
        println!("mount: not measured, as {why}");
        return Ok(());
    }
    let store = open(data.path()).await?;
    let digest = capture(&store, data.path()).await?;
    let bench = Bench {
        data,
        store,
        digest,
        rung,
    };
    let measured = bench.measure().await;
    // Whatever went wrong, no mount stays.
    let mounts = bench.mounts().await?;
    mounts.keep(HashSet::new()).await?;
    drop(bench.data);
    measured
}

impl Bench {
    async fn mounts(&self) -> Result<Mounts> {
        Ok(Mounts::open(&self.store, self.rung.clone()).await?)
    }

    async fn measure(&self) -> Result<()> {
        let image = self
            .store_folder()
            .join(format!("images/{}.erofs", self.digest));
        let (mut first, mut again, mut next) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let mounts = self.mounts().await?;
            first.push(self.mount(&mounts).await?);
            again.push(self.mount(&mounts).await?);
            next.push(self.mount(&self.mounts().await?).await?);
            std::fs::remove_file(&image)?;
        }
        report("mount_100k_first_ms", median(first), 500.0, 1.0);
        let mounts = self.mounts().await?;
        self.mount(&mounts).await?;
        let bytes = std::fs::metadata(&image)?.len();
        report("mount_100k_again_ms", median(again), 5.0, 1.0);
        report("mount_100k_next_process_ms", median(next), 500.0, 1.0);
        let each = f64::from(u32::try_from(bytes)?) / f64::from(u32::try_from(FILES)?);
        report("mount_image_bytes_a_file", each, 160.0, 1.0);
        self.read(&mounts).await
    }

    /// How long it takes until the folder is there; it is gone again afterwards.
    async fn mount(&self, mounts: &Mounts) -> Result<f64> {
        let start = Instant::now();
        let place = mounts.folder(self.digest, Link::Hard).await?;
        let took = start.elapsed();
        ensure!(place.join("d000/f000000").is_file(), "the files are there");
        mounts.keep(HashSet::new()).await?;
        Ok(took.as_secs_f64() * 1000.0)
    }

    async fn read(&self, mounts: &Mounts) -> Result<()> {
        let place = mounts.folder(self.digest, Link::Hard).await?;
        let manifest = Manifest::open(self.store.objects().clone(), &self.digest)?;
        let manifest = manifest.context("it was just made")?;
        for (name, bytes) in [("100_kb", LARGE_BYTES), ("1_kb", SMALL_BYTES)] {
            let (mut shown, mut direct) = (Vec::new(), Vec::new());
            for entry in manifest.entries() {
                let entry = entry?;
                let number: usize = entry.path[6..].parse()?;
                let Node::File { hash, .. } = entry.node else {
                    continue;
                };
                if number % STEP == usize::from(bytes == SMALL_BYTES) {
                    shown.push(place.join(entry.path));
                    direct.push(self.store.objects().path(&hash).context("a file")?);
                }
            }
            let once = read(&shown, bytes)?;
            let (mut ours, mut peer) = (Vec::new(), Vec::new());
            for _ in 0..READS {
                peer.push(read(&direct, bytes)?);
                ours.push(read(&shown, bytes)?);
            }
            let peer = median(peer);
            report(
                &format!("mount_read_2000_of_{name}_ms"),
                median(ours),
                peer,
                0.95,
            );
            report(
                &format!("mount_read_2000_of_{name}_once_ms"),
                once,
                peer,
                0.0,
            );
        }
        Ok(())
    }

    fn store_folder(&self) -> PathBuf {
        self.data.path().join("store")
    }
}

fn read(paths: &[PathBuf], bytes: usize) -> Result<f64> {
    let start = Instant::now();
    for path in paths {
        ensure!(std::fs::read(path)?.len() == bytes);
    }
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

async fn open(data: &Path) -> Result<Store> {
    let url = Db::sqlite_url(&data.join("cairn.db"))?;
    let db = Db::open(&url, clock::System::shared()).await?;
    Ok(Store::open(&data.join("store"), db).await?)
}

async fn capture(store: &Store, data: &Path) -> Result<Hash> {
    let work = |mut tx: Tx| async move {
        let new = users::NewUser {
            name: "bench".into(),
            ..users::NewUser::default()
        };
        let user = users::create(&mut tx, &new).await?.id;
        Ok(projects::create(&mut tx, "bench", "", user).await?.id)
    };
    let project: ProjectId = store.db().write(work).await?;
    let folder = data.join("files");
    for number in 0..FILES {
        let around = folder.join(format!("d{:03}", number % FOLDERS));
        if number < FOLDERS {
            std::fs::create_dir_all(&around)?;
        }
        let mut content = format!("file {number}\n").into_bytes();
        let large = number % STEP == 0;
        content.resize(if large { LARGE_BYTES } else { SMALL_BYTES }, b'.');
        std::fs::write(around.join(format!("f{number:06}")), content)?;
    }
    let options = snapshot::Options::new(project);
    let taken = snapshot::take(store, &folder, options).await?;
    std::fs::remove_dir_all(folder)?;
    Ok(taken.captured().summary.manifest_digest)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(name: &str, ours: f64, peer: f64, goal: f64) {
    let ratio = peer / ours;
    if std::env::args().any(|arg| arg == "--json") {
        let line = serde_json::json!({"name": name, "ours": ours, "peer": peer, "ratio": ratio, "goal": goal});
        println!("{line}");
    } else {
        println!("{name} {ours:.2} {peer:.2} {ratio:.2} {goal:.2}");
    }
}

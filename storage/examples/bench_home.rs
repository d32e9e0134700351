//! Measures moving a home of 1 GB, 1 % of it changed, from one store to another over loopback: snapshot, transfer of what the other lacks,
//! verified restore over the older copy, all durable. Prints `name ours limit ratio goal` (milliseconds, median of 5), or JSON with `--json`.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use storage::homes::{self, Restore, Taken};
use storage::ids::ProjectId;
use storage::objects::Space;
use storage::{Db, Hash, Store, Tx, clock, projects, users};

const FILES: usize = 1024;
const FILE_BYTES: usize = 1 << 20;
const CHANGED: usize = FILES / 100;
const TURNS: usize = 5;
const LIMIT_MS: f64 = 3000.0;
/// Files touched within this time before a snapshot are read again at the next.
const SETTLE: Duration = Duration::from_millis(2500);

struct Side {
    store: Store,
    project: ProjectId,
    home: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let data = tempfile::tempdir()?;
    let (from, to) = (
        Side::open(&data.path().join("a")).await?,
        Side::open(&data.path().join("b")).await?,
    );
    std::fs::create_dir(&from.home)?;
    for n in 0..FILES {
        write(&from.home, n, 0)?;
    }
    std::thread::sleep(SETTLE);
    go(&from, &to).await?;
    let mut times = Vec::new();
    for turn in 1..=TURNS {
        for n in 0..CHANGED {
            write(&from.home, n * 100 + turn, turn)?;
        }
        std::thread::sleep(SETTLE);
        let start = Instant::now();
        go(&from, &to).await?;
        times.push(start.elapsed());
        for n in [turn, turn + 100, FILES - 1] {
            let (ours, theirs) = (read(&from.home, n)?, read(&to.home, n)?);
            ensure!(ours == theirs, "file {n} is the same on both sides");
        }
    }
    times.sort_unstable();
    report(times[TURNS / 2].as_secs_f64() * 1000.0);
    Ok(())
}

/// Moves the home.
async fn go(from: &Side, to: &Side) -> Result<()> {
    let pending = homes::take(&from.store, from.project, &from.home, "home").await?;
    let taken = pending.commit(&from.store).await?;
    send(from, to)?;
    let how = restore(to, &taken);
    Ok(homes::restore(&to.store, &to.home, how).await?)
}

fn restore(to: &Side, taken: &Taken) -> Restore {
    Restore {
        project: to.project,
        index: "home".into(),
        manifest_digest: taken.summary.manifest_digest,
        attributes_hash: taken.attributes_hash,
        owner: None,
        keep_aside: None,
    }
}

/// Sends what the other side lacks through a connection, and waits until it is durable there.
fn send(from: &Side, to: &Side) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let store = to.store.clone();
    let receiver = std::thread::spawn(move || receive(&listener.accept()?.0, &store));
    let mut stream = TcpStream::connect(address)?;
    for (tag, space) in [(0_u8, Space::Objects), (1, Space::Manifests)] {
        let mut missing: Vec<(Hash, u64)> = Vec::new();
        for prefix in 0..=u8::MAX {
            from.store
                .objects()
                .list(space, prefix, &mut |hash, size| {
                    if to.store.objects().size(space, &hash)?.is_none() {
                        missing.push((hash, size));
                    }
                    Ok(())
                })?;
        }
        for (hash, size) in missing {
            stream.write_all(&[tag])?;
            stream.write_all(hash.as_bytes())?;
            stream.write_all(&size.to_le_bytes())?;
            let source = from.store.objects().open(space, &hash)?;
            std::io::copy(&mut source.context("it was listed")?, &mut stream)?;
        }
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    receiver.join().expect("the receiver does not panic")
}

fn receive(mut stream: &TcpStream, store: &Store) -> Result<()> {
    let batch = store.objects().begin()?;
    let mut head = [0; 41];
    while stream.read(&mut head[..1])? == 1 {
        stream.read_exact(&mut head[1..])?;
        let named = Hash::from_bytes(head[1..33].try_into()?);
        let size = u64::from_le_bytes(head[33..].try_into()?);
        let mut body = stream.take(size);
        if head[0] == 0 {
            let (hash, _) = batch.put(&mut body)?;
            ensure!(hash == named, "what was received is what was sent");
        } else {
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes)?;
            batch.put_node(&named, &bytes)?;
        }
    }
    // Nothing collects here.
    drop(batch.commit()?);
    Ok(())
}

impl Side {
    async fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir(folder)?;
        let url = Db::sqlite_url(&folder.join("cairn.db"))?;
        let db = Db::open(&url, clock::System::shared()).await?;
        let store = Store::open(&folder.join("store"), db).await?;
        let work = |mut tx: Tx| async move {
            let new = users::NewUser {
                name: "bench".into(),
                ..users::NewUser::default()
            };
            let user = users::create(&mut tx, &new).await?.id;
            Ok(projects::create(&mut tx, "bench", "", user).await?.id)
        };
        let project = store.db().write(work).await?;
        Ok(Self {
            store,
            project,
            home: folder.join("home"),
        })
    }
}

fn path(home: &Path, number: usize) -> PathBuf {
    home.join(format!("d{:02}/f{number:04}", number % 32))
}

fn write(home: &Path, number: usize, turn: usize) -> Result<()> {
    let path = path(home, number);
    std::fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
    let line = format!("file {number} as of turn {turn}\n");
    let mut content = line.repeat(FILE_BYTES / line.len() + 1).into_bytes();
    content.truncate(FILE_BYTES);
    Ok(std::fs::write(path, content)?)
}

fn read(home: &Path, number: usize) -> Result<Vec<u8>> {
    Ok(std::fs::read(path(home, number))?)
}

fn report(ours: f64) {
    let (name, ratio, goal) = ("home_1_gb_1_percent_changed_ms", LIMIT_MS / ours, 1.0);
    if std::env::args().any(|arg| arg == "--json") {
        let line = serde_json::json!({"name": name, "ours": ours, "limit": LIMIT_MS, "ratio": ratio, "goal": goal});
        println!("{line}");
    } else {
        println!("{name} {ours:.2} {LIMIT_MS:.2} {ratio:.2} {goal:.2}");
    }
}

//! A worker and the gateway over a real connection: what control asks of the machine is done there, and comes back.

use std::{path::Path, sync::Arc, time::Duration};

use control::{Address, HomeSource, Layout, LocalMachine, Machine, machine::Host};
use gateway::machines::{Hello, MACHINE_HEADER, PROTOCOL, Worker};
use spawner::Environments;
use storage::{
    Db, Hash, Store,
    clock::System,
    ids::{MachineId, ProjectId, WorkspaceId},
    machines, materialise, outputs, projects,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixListener},
    task::JoinHandle,
};

use super::{
    app::{self, TestApp},
    runtime::Quiet,
};

/// Long enough for the slowest machine that tests run on.
const PATIENCE: Duration = Duration::from_mins(1);
/// Not text, so that nothing on the way may take it for text.
const RECORDS: &[u8] = b"1 o caf\xe9\n2 e \xff\xfe\n";

struct Bed {
    app: TestApp,
    id: MachineId,
    token: String,
    /// The worker's data directory.
    folder: TempDir,
    worker: Worker,
}

impl Bed {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let (machine, secret) = app
            .write(|mut tx| async move { machines::create(&mut tx, "gpu-1", &[]).await })
            .await;
        let folder = tempfile::tempdir().unwrap();
        let worker = worker(folder.path()).await;
        Self {
            app,
            id: machine.id,
            token: secret.expose().to_owned(),
            folder,
            worker,
        }
    }

    /// Connects the worker, and returns once the gateway holds the machine.
    async fn connected(&self) -> (JoinHandle<()>, Arc<dyn Machine>) {
        let (head, socket) = self.upgrade(&protocol(), &self.token).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert!(head.contains(&format!("{MACHINE_HEADER}: {}", self.id)));
        let worker = self.worker.clone();
        let serving = tokio::spawn(async move { worker.serve(socket).await });
        self.until(true).await;
        (serving, self.app.control.hosts().get(self.id).unwrap())
    }

    /// Waits until the gateway holds the machine, or does not any more.
    async fn until(&self, held: bool) {
        let hosts = self.app.control.hosts();
        let mut changes = hosts.changes();
        let waited = async {
            while hosts.holds(self.id) != held {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waited).await.unwrap();
    }

    async fn upgrade(&self, protocol: &str, token: &str) -> (String, TcpStream) {
        let port = self.app.port();
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!(
            "GET /api/v1/machines/connect HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {token}\r\n\
             Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        (String::from_utf8(head).unwrap(), socket)
    }

    async fn project(&self) -> ProjectId {
        let owner = self.app.user("ada", false).await.id;
        let made = self
            .app
            .write(
                move |mut tx| async move { projects::create(&mut tx, "vision", "", owner).await },
            )
            .await;
        made.id
    }

    /// A manifest that only the server has.
    async fn template(&self, project: ProjectId) -> Hash {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("train.py"), "print(1)").unwrap();
        std::fs::write(folder.path().join("data/big"), vec![9; 3_000_000]).unwrap();
        let store = self.app.control.store();
        let pending = outputs::capture(store, project, folder.path())
            .await
            .unwrap();
        pending.commit(store).await.unwrap().summary.manifest_digest
    }
}

async fn worker(folder: &Path) -> Worker {
    let url = Db::sqlite_url(&folder.join("cairn.db")).unwrap();
    let db = Db::open(&url, Arc::new(System)).await.unwrap();
    let layout = Layout::new(folder);
    let runtime = Quiet::listening(folder.join("server.sock"), RECORDS);
    let store = Store::open(&layout.store(), db).await.unwrap();
    let machine = LocalMachine::new(Host {
        id: MachineId::new(&System),
        mounts: app::farms(&store).await,
        engine: None,
        store,
        runtime: Arc::new(runtime),
        environments: Environments::new(layout.environments(), "uv"),
        layout,
        api_url: None,
        isolated: false,
        contained: false,
    });
    let hello = Hello {
        labels: vec!["gpu".to_owned()],
        runtimes: vec!["quiet".to_owned()],
        memory_bytes: Some(1 << 30),
        ..Hello::default()
    };
    Worker::new(machine, hello)
}

/// Sends back whatever comes.
fn echo(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
}

#[tokio::test]
async fn a_worker_is_a_machine_for_as_long_as_it_is_connected() {
    let bed = Bed::new().await;
    for _ in 0..2 {
        let (serving, machine) = bed.connected().await;
        assert_eq!(machine.id(), bed.id);
        assert_eq!(machine.runs().await.unwrap(), [""; 0]);
        let known = machines::get(bed.app.db(), bed.id).await.unwrap().unwrap();
        assert_eq!(known.own_labels, ["gpu"]);
        assert_eq!(known.memory_bytes, Some(1 << 30));
        assert!(known.seen_ms.is_some());
        serving.abort();
        let _ = serving.await;
        bed.worker.hang_up();
        bed.until(false).await;
        let gone = machine.runs().await.unwrap_err();
        assert!(gone.retryable(), "{gone}");
    }
}

#[tokio::test]
async fn no_other_token_and_no_other_version_opens_a_connection() {
    let bed = Bed::new().await;
    let person = bed.app.user("root", true).await.id;
    let all = ["read", "write", "workspaces", "account", "admin"];
    let personal = bed.app.token(person, &all).await;
    for token in ["cairn_nonsense", &personal] {
        let (head, _) = bed.upgrade(&protocol(), token).await;
        assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    }
    for other in ["cairn-machine/0", "websocket"] {
        let (head, _) = bed.upgrade(other, &bed.token).await;
        assert!(head.starts_with("HTTP/1.1 426"), "{head}");
    }
    let api = bed.app.with_token(&bed.token);
    assert_eq!(
        api.get("/api/v1/me").await.status,
        401,
        "it is good for nothing else"
    );
    let id = bed.id;
    bed.app
        .write(move |mut tx| async move { machines::remove(&mut tx, id).await })
        .await;
    let (head, _) = bed.upgrade(&protocol(), &bed.token).await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
}

#[tokio::test]
async fn a_home_is_made_of_what_the_server_has_and_its_files_come_back() {
    let bed = Bed::new().await;
    let (_serving, machine) = bed.connected().await;
    let project = bed.project().await;
    let workspace = WorkspaceId::new(&System);
    let none = machine.snapshot(workspace, project).await;
    assert!(matches!(none, Err(control::Error::Conflict(_))), "{none:?}");

    let template = bed.template(project).await;
    machine.make_home(workspace, Some(template)).await.unwrap();
    let work = Layout::new(bed.folder.path()).work(&workspace);
    assert_eq!(
        std::fs::read(work.join("data/big")).unwrap(),
        vec![9; 3_000_000]
    );

    std::fs::write(work.join("model.bin"), vec![4; 2_000_000]).unwrap();
    std::fs::remove_file(work.join("train.py")).unwrap();
    let store = bed.app.control.store();
    for _ in 0..2 {
        let pending = machine.snapshot(workspace, project).await.unwrap();
        let kept = pending.commit(store).await.unwrap().summary;
        assert_eq!((kept.files, kept.bytes), (2, 5_000_000));
        let out = tempfile::tempdir().unwrap();
        let out = out.path().join("out");
        materialise::copy_to(store, kept.manifest_digest, &out, None)
            .await
            .unwrap();
        assert_eq!(
            std::fs::read(out.join("model.bin")).unwrap(),
            vec![4; 2_000_000]
        );
    }
    machine.remove_home(workspace).await.unwrap();
    assert!(!work.exists());
}

/// The home of a workspace on two machines, whole: content, modes, links, empty folders, names of any bytes.
#[tokio::test]
async fn a_home_goes_from_a_worker_to_the_server_and_back() {
    use std::os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _};
    let bed = Bed::new().await;
    let (_serving, there) = bed.connected().await;
    let here = Arc::clone(bed.app.control.hosts().local());
    let (project, workspace) = (bed.project().await, WorkspaceId::new(&System));
    there.make_home(workspace, None).await.unwrap();
    let home = Layout::new(bed.folder.path()).home(&workspace);
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    std::fs::write(home.join("work/run.sh"), vec![7; 3_000_000]).unwrap();
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(home.join("work/run.sh"), mode).unwrap();
    std::fs::hard_link(home.join("work/run.sh"), home.join(odd)).unwrap();
    std::os::unix::fs::symlink("/nowhere", home.join("link")).unwrap();
    std::fs::create_dir(home.join("empty")).unwrap();

    let store = bed.app.control.store();
    let mut machines = [&there, &here];
    let mut last = None;
    for _ in 0..3 {
        let [from, to] = machines;
        let pending = from.snapshot_home(workspace, project).await.unwrap();
        let taken = pending.commit(store).await.unwrap();
        let source = HomeSource {
            project_id: project,
            manifest_digest: taken.summary.manifest_digest,
            attributes_hash: taken.attributes_hash,
            uid_slot: None,
            keep_aside: None,
        };
        to.restore_home(workspace, &source).await.unwrap();
        let seen = (taken.summary.manifest_digest, taken.attributes_hash);
        assert!(last.is_none_or(|last| last == seen), "nothing was lost");
        last = Some(seen);
        let (ours, theirs) = (
            from.measure_home(workspace).await.unwrap(),
            to.measure_home(workspace).await.unwrap(),
        );
        assert_eq!(ours.files, theirs.files);
        machines.reverse();
    }
    assert_eq!(
        std::fs::read(home.join(odd)).unwrap(),
        vec![7; 3_000_000],
        "it is a name of the same file"
    );
}

#[tokio::test]
async fn a_log_arrives_byte_for_byte() {
    let bed = Bed::new().await;
    let (_serving, machine) = bed.connected().await;
    let chunk = machine.read_log("w-1", 0, 1000).await.unwrap();
    assert_eq!(chunk.bytes, RECORDS);
    let rest = machine.read_log("w-1", 9, 1000).await.unwrap();
    assert_eq!((rest.offset, rest.bytes.as_slice()), (9, &RECORDS[9..]));
}

#[tokio::test]
async fn traffic_reaches_the_server_of_a_run_on_many_streams_at_once() {
    let bed = Bed::new().await;
    let (_serving, machine) = bed.connected().await;
    let Some(Address::Remote(remote)) = machine.address("w-1").await.unwrap() else {
        panic!("it is on another machine");
    };
    let refused = remote.connect().await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    echo(&bed.folder.path().join("server.sock"));
    let talks = (0..40_u8).map(|number| {
        let remote = remote.clone();
        tokio::spawn(async move {
            let stream = remote.connect().await.unwrap();
            let sent = vec![number; 700_000];
            let (mut read, mut write) = tokio::io::split(stream);
            let (said, mut heard) = (sent.clone(), Vec::new());
            let talk = tokio::join!(
                async move {
                    write.write_all(&said).await.unwrap();
                    write.shutdown().await.unwrap();
                },
                async { read.read_to_end(&mut heard).await.unwrap() }
            );
            assert_eq!(talk.1, sent.len());
            assert_eq!(heard, sent);
        })
    });
    for talk in talks.collect::<Vec<_>>() {
        tokio::time::timeout(PATIENCE, talk).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_run_reaches_the_api_with_its_own_token_and_nothing_else() {
    let bed = Bed::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let worker = bed.worker.clone();
    let _forwarding = tokio::spawn(async move { worker.forward(listener).await });
    let person = bed.app.user("ada", false).await.id;
    let token = bed.app.token(person, &["read"]).await;
    // Asked before there is a connection: it waits for one.
    let early = tokio::spawn(ask(port, "/api/v1/me", Some(token.clone())));
    let (_serving, _machine) = bed.connected().await;
    let early = tokio::time::timeout(PATIENCE, early)
        .await
        .unwrap()
        .unwrap();
    assert!(early.starts_with("HTTP/1.1 200"), "{early}");
    assert!(early.contains("\"ada\""), "{early}");
    for (path, token) in [
        ("/api/v1/me", None),
        ("/metrics", Some(token.clone())),
        ("/", Some(token)),
    ] {
        let answer = ask(port, path, token).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
    }
}

async fn ask(port: u16, path: &str, token: Option<String>) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let shown = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{shown}Connection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

/// What a worker of this version asks to speak.
fn protocol() -> String {
    format!("cairn-machine/{PROTOCOL}")
}

//! A server of its own for a test, and a person with a home of their own.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const CAIRN: &str = env!("CARGO_BIN_EXE_cairn");
/// Where all tests find the environments that one of them has made: each takes half a minute of a core.
const ENVIRONMENTS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/environments");
/// What a server says goes to this file of its folder.
const LOG: &str = "log";
/// Far beyond what a start takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A schema of the PostgreSQL server that `CAIRN_TEST_POSTGRES_URL` names, for one server of ours.
struct Schema {
    server: String,
    name: String,
}

impl Schema {
    /// The one that belongs to a server's folder; none where tests are to use SQLite.
    fn of(folder: &Path) -> Option<Self> {
        let server = std::env::var("CAIRN_TEST_POSTGRES_URL").ok()?;
        let name = folder.file_name()?.to_str()?.to_lowercase();
        let plain = name.chars().filter(char::is_ascii_alphanumeric);
        let name = format!("c_{}", plain.collect::<String>());
        Some(Self { server, name })
    }

    fn run(&self, before: &str, after: &str) {
        let statement = format!("{before} {} {after}", self.name);
        let made = Command::new("psql")
            .args(["--quiet", "--dbname", &self.server, "--command", &statement])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    fn url(&self) -> String {
        format!("{}?options[search_path]={}", self.server, self.name)
    }
}

/// A running server. Dropping it stops it and everything it runs.
pub(crate) struct Rig {
    folder: TempDir,
    port: u16,
    server: Child,
}

/// What a command printed.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The command's JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {:?} {:?}", self.out, self.err))
    }
}

/// Is there a `uv`, without which no environment can be made?
pub(crate) fn has_uv() -> bool {
    let found = Command::new("uv")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: there is no uv on the PATH, and running a job needs an environment");
    }
    found
}

/// Whether the records are in PostgreSQL.
pub(crate) fn is_on_postgres() -> bool {
    std::env::var_os("CAIRN_TEST_POSTGRES_URL").is_some()
}

/// How many supervisors watch over runs of data directories whose names hold `run`, all at one moment: what ended while the others
/// were looked for does not count, and a process that a supervisor is just making, still under its name, is not another one.
pub(crate) fn supervisors(machines: &[&Path], run: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut seen: Vec<(PathBuf, Vec<u8>)> = processes
        .map(|entry| entry.path().join("cmdline"))
        .filter_map(|path| std::fs::read(&path).ok().map(|line| (path, line)))
        .filter(|(_, line)| {
            let line = String::from_utf8_lossy(line);
            let of = |data: &&Path| line.contains(data.to_str().unwrap());
            line.contains("--detached") && line.contains(run) && machines.iter().any(of)
        })
        .collect();
    seen.retain(|(path, line)| std::fs::read(path).is_ok_and(|now| now == *line));
    let runs: HashSet<Vec<u8>> = seen.into_iter().map(|(_, line)| line).collect();
    runs.len()
}

impl Rig {
    /// A server on a free port, and a project folder to stand in.
    pub(crate) fn new() -> Self {
        Self::with(&["ipykernel"], "")
    }

    /// As [`signed_in`](Self::signed_in), with other packages in the default environment.
    pub(crate) fn with_packages(packages: &[&str]) -> Self {
        let rig = Self::with(packages, "");
        rig.sign_in();
        rig
    }

    /// `more` comes at the end of the configuration.
    fn with(packages: &[&str], more: &str) -> Self {
        // No header of a table: what a test adds may begin with keys of the whole.
        let config = format!("environments.default.packages = {packages:?}\n{more}");
        Self::serving(prepare(&config, is_on_postgres()))
    }

    /// A server of what `backup` restores, with a configuration of its own; on SQLite, or where tests are to have their records.
    pub(crate) fn restored(backup: &Path, config: &str, on_sqlite: bool) -> Self {
        let folder = prepare(config, is_on_postgres() && !on_sqlite);
        let restored = restore(folder.path(), backup).output().unwrap();
        assert!(restored.status.success(), "{restored:?}");
        let rig = Self::serving(folder);
        rig.sign_in();
        rig
    }

    fn serving(folder: TempDir) -> Self {
        let port = free_port();
        let server = serve(Path::new(CAIRN), folder.path(), port, None);
        Self {
            folder,
            port,
            server,
        }
    }

    /// As [`new`](Self::new), and signed in as the administrator with the link that the server wrote.
    pub(crate) fn signed_in() -> Self {
        Self::signed_in_with("")
    }

    /// The same, with more in the configuration.
    pub(crate) fn signed_in_with(more: &str) -> Self {
        let rig = Self::with(&["ipykernel"], more);
        rig.sign_in();
        rig
    }

    fn sign_in(&self) {
        let said = self.cairn(&["login", &self.link()]);
        assert_eq!(said.code, 0, "{}", said.err);
    }

    /// A second server, with a data directory of its own on the same database and store; none where that database is not a shared one.
    pub(crate) fn second(&self) -> Option<Self> {
        Schema::of(self.folder.path())?;
        let folder = tempfile::tempdir().unwrap();
        for name in ["data", "home", "project"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let config = std::fs::read_to_string(self.data().join("cairn.toml")).unwrap();
        std::fs::write(folder.path().join("data/cairn.toml"), config).unwrap();
        std::fs::copy(
            self.data().join("secret_key"),
            folder.path().join("data/secret_key"),
        )
        .unwrap();
        // What the records name is in one store, whoever wrote it.
        std::os::unix::fs::symlink(self.data().join("store"), folder.path().join("data/store"))
            .unwrap();
        let port = free_port();
        let server = serve(Path::new(CAIRN), folder.path(), port, None);
        let second = Self {
            folder,
            port,
            server,
        };
        second.sign_in();
        Some(second)
    }

    /// Asks until the answer is right; patience, for a slow machine.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(begun.elapsed() < 4 * PATIENCE, "{what} does not happen");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The sign-in link.
    pub(crate) fn link(&self) -> String {
        std::fs::read_to_string(self.data().join("sign-in-link"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The URL of the database of a server that was not restored.
    pub(crate) fn database(&self) -> String {
        let file = || format!("sqlite://{}", self.data().join("cairn.db").display());
        Schema::of(self.folder.path()).map_or_else(file, |schema| schema.url())
    }

    /// What the server has said since it serves.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(LOG)).unwrap()
    }

    /// The command line's own folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home/cairn")
    }

    /// A file of the project folder, or a path beside it.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("project").join(path)
    }

    /// Writes a file into the project folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Runs `cairn` in the project folder.
    pub(crate) fn cairn(&self, arguments: &[&str]) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said {
            code: status.code().unwrap_or(-1),
            out: text(stdout),
            err: text(stderr),
        }
    }

    /// `cairn` in the project folder, to be started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CAIRN);
        command
            .args(arguments)
            .current_dir(self.folder.path().join("project"))
            .stdin(Stdio::null());
        clean(&mut command, self.folder.path());
        command
    }

    /// Ends the server and starts it again on the same port.
    pub(crate) fn restart(&mut self, how: Restart) {
        let mut binary = PathBuf::from(CAIRN);
        match how {
            Restart::Kill => self.server.kill().unwrap(),
            Restart::Terminate => self.terminate(),
            Restart::Upgrade => {
                self.terminate();
                binary = self.folder.path().join("newer-cairn");
                std::fs::copy(CAIRN, &binary).unwrap();
            }
        }
        self.server.wait().unwrap();
        self.server = serve(&binary, self.folder.path(), self.port, None);
    }

    /// Kills the server and starts one that dies as suddenly when it comes to `point`.
    pub(crate) fn restart_to_crash_at(&mut self, point: &str) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        let crash_at = Some(point);
        self.server = serve(Path::new(CAIRN), self.folder.path(), self.port, crash_at);
    }

    /// Waits until the server has died by itself.
    pub(crate) fn await_crash(&mut self, patience: Duration) {
        let begun = Instant::now();
        while self.server.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < patience, "the server does not die");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a server in place of one that has died.
    pub(crate) fn start_again(&mut self) {
        self.server = serve(Path::new(CAIRN), self.folder.path(), self.port, None);
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.server);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let data = self.data();
        let mut down = Command::new(CAIRN);
        down.arg("down")
            .arg("--data-dir")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        clean(&mut down, self.folder.path());
        let _ = down.status();
        let _ = self.server.kill();
        let _ = self.server.wait();
        if let Some(schema) = Schema::of(self.folder.path()) {
            schema.run("DROP SCHEMA IF EXISTS", "CASCADE");
        }
    }
}

/// A folder for a server that has not begun, with its configuration.
fn prepare(config: &str, on_postgres: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["data", "home", "project"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let mut config = config.to_owned();
    if let Some(schema) = Schema::of(folder.path()).filter(|_| on_postgres) {
        schema.run("CREATE SCHEMA", "");
        config.insert_str(0, &format!("database = {:?}\n", schema.url()));
    }
    std::fs::write(folder.path().join("data/cairn.toml"), config).unwrap();
    folder
}

/// `cairn restore` of a backup into the data directory below `folder`, to be run.
pub(crate) fn restore(folder: &Path, backup: &Path) -> Command {
    let mut command = Command::new(CAIRN);
    command.arg("restore").arg(backup);
    command.arg("--data-dir").arg(folder.join("data"));
    clean(&mut command, folder);
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// How a server ends before it is started again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Restart {
    /// As in a power cut.
    Kill,
    /// As systemd does with `KillMode=process`.
    Terminate,
    /// The same, and what starts is another file.
    Upgrade,
}

/// Starts the server and returns once it says that it serves.
fn serve(binary: &Path, folder: &Path, port: u16, crash_at: Option<&str>) -> Child {
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .arg("--data-dir")
        .arg(folder.join("data"))
        .args(["--listen", &format!("127.0.0.1:{port}")]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    clean(&mut command, folder);
    if let Some(point) = crash_at {
        command.env("CAIRN_TEST_CRASH_AT", point);
    }
    let mut server = command.spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let begun = Instant::now();
    let mut seen = Vec::new();
    let mut log = std::fs::File::options();
    let log = log.create(true).append(true).open(folder.join(LOG));
    let mut log = log.unwrap();
    while let Some(Ok(line)) = lines.next() {
        let is_up = line.contains("serving");
        seen.push(line);
        if is_up {
            // Whoever writes to a pipe that nobody reads comes to a stop.
            std::thread::spawn(move || {
                lines.map_while(Result::ok).for_each(|line| {
                    // The folder may be gone already.
                    let _ = writeln!(log, "{line}");
                });
            });
            return server;
        }
        if begun.elapsed() > PATIENCE {
            break;
        }
    }
    let _ = server.kill();
    let _ = server.wait();
    panic!("the server does not come up: {}", seen.join("\n"));
}

/// Nothing of the environment that the tests run in reaches the command, but what finds programs.
fn clean(command: &mut Command, folder: &Path) {
    let kept = [
        "PATH",
        "UV_CACHE_DIR",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "PIP_INDEX_URL",
        "SSL_CERT_FILE",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
    ];
    let values: Vec<_> = kept
        .iter()
        .filter_map(|name| std::env::var_os(name).map(|value| (name, value)))
        .collect();
    let uv_cache = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache/uv"));
    let uv_config = std::env::var_os("HOME")
        .map(|home| Path::new(&home).join(".config/uv/uv.toml"))
        .filter(|path| path.is_file());
    command
        .env_clear()
        .envs(values)
        .env("HOME", folder.join("home"))
        .env("CAIRN_HOME", folder.join("home/cairn"))
        .env("CAIRN_ENVIRONMENTS_DIR", ENVIRONMENTS);
    if let Some(cache) = uv_cache.filter(|_| std::env::var_os("UV_CACHE_DIR").is_none()) {
        command.env("UV_CACHE_DIR", cache);
    }
    if let Some(config) = uv_config {
        command.env("UV_CONFIG_FILE", config);
    }
}

//! The processes that a measurement needs, each on its core; all end with the stage.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::WORKSPACE;

/// The core of the proxy under test, and that of everything else.
const CORES: (&str, &str) = ("0", "1");

/// A process that ends when it is dropped.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A proxy and where to reach it.
pub(crate) struct Peer {
    process: Running,
    pub(crate) name: &'static str,
    pub(crate) port: u16,
}

impl Peer {
    /// Open descriptors and resident bytes.
    pub(crate) fn usage(&self) -> Result<(usize, f64)> {
        let process = Path::new("/proc").join(self.process.0.id().to_string());
        let files = fs::read_dir(process.join("fd"))?.count();
        let status = fs::read_to_string(process.join("status"))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("no VmRSS")?;
        let kib: f64 = line
            .split_whitespace()
            .nth(1)
            .context("no number")?
            .parse()?;
        Ok((files, kib * 1024.0))
    }
}

/// All that is measured.
pub(crate) struct Stage {
    pub(crate) ours: Peer,
    pub(crate) nginx: Option<Peer>,
    pub(crate) chp: Option<Peer>,
    pub(crate) backend: Peer,
}

impl Stage {
    pub(crate) fn set(folder: &Path) -> Result<Self> {
        let socket = folder.join("backend.sock");
        let program = std::env::current_exe()?;
        let mut backend = pinned(CORES.1, &program);
        backend.arg("backend").arg(&socket);
        let backend = announced("direct", backend)?;
        let mut serve = pinned(CORES.0, &program);
        serve
            .arg("serve")
            .arg(&socket)
            .arg(folder.join("access.log"));
        let ours = announced("cairn", serve)?;
        Ok(Self {
            nginx: nginx(folder, &socket)?,
            chp: chp(backend.port)?,
            ours,
            backend,
        })
    }

    /// What `Host` a request to `peer` names.
    pub(crate) fn host(&self, peer: &Peer) -> String {
        if peer.port == self.ours.port {
            format!("{WORKSPACE}.localhost:{}", peer.port)
        } else {
            format!("localhost:{}", peer.port)
        }
    }
}

/// A command on a core of its own.
pub(crate) fn on_client_core(program: &str) -> Command {
    pinned(CORES.1, Path::new(program))
}

fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// Starts a process of ours, which prints its port.
fn announced(name: &'static str, mut command: Command) -> Result<Peer> {
    let mut child = command.stdout(Stdio::piped()).spawn().context(name)?;
    let output = child.stdout.take().context("no output")?;
    let process = Running(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    Ok(Peer {
        process,
        name,
        port: line
            .trim()
            .parse()
            .with_context(|| format!("{name} gave no port"))?,
    })
}

fn nginx(folder: &Path, socket: &Path) -> Result<Option<Peer>> {
    let Some(program) = [
        "/usr/sbin/nginx",
        "/usr/local/sbin/nginx",
        "/opt/homebrew/bin/nginx",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists()) else {
        return Ok(None);
    };
    let port = free_port()?;
    let (home, socket) = (folder.display(), socket.display());
    let configuration = format!(
        "daemon off; master_process off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx-error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log {home}/nginx-access.log combined; client_body_temp_path {home}/b; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;\n\
         uwsgi_temp_path {home}/u; scgi_temp_path {home}/s; keepalive_requests 1000000000;\n\
         upstream backend {{ server unix:{socket}; keepalive 64; keepalive_requests 1000000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;\n\
         proxy_set_header X-Forwarded-Host $http_host; proxy_set_header Authorization \"token 0123456789abcdef0123456789abcdef\";\n\
         proxy_set_header Cookie \"\"; proxy_buffering off; }} }} }}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration)?;
    let mut command = pinned(CORES.0, Path::new(program));
    command
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(&file)
        .stderr(Stdio::null());
    Ok(Some(Peer {
        process: Running(command.spawn()?),
        name: "nginx",
        port: answering(port)?,
    }))
}

/// configurable-http-proxy, where the variable `CHP` names its program.
fn chp(backend: u16) -> Result<Option<Peer>> {
    let Some(program) = std::env::var_os("CHP") else {
        return Ok(None);
    };
    let (port, api) = (free_port()?, free_port()?);
    let mut command = pinned(CORES.0, Path::new(&program));
    command
        .args([
            "--ip",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--api-port",
            &api.to_string(),
        ])
        .args([
            "--log-level",
            "info",
            "--default-target",
            &format!("http://127.0.0.1:{backend}"),
        ])
        .env("CONFIGPROXY_AUTH_TOKEN", "bench")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(Some(Peer {
        process: Running(command.spawn()?),
        name: "chp",
        port: answering(port)?,
    }))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until a peer accepts connections.
fn answering(port: u16) -> Result<u16> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            bail!("nothing answers on port {port}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(port)
}

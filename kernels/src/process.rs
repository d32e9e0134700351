//! The kernel's process: starting it in a group of its own, signals to the whole group, and what its end means.
//! Speaks no protocol.

mod folder;
mod memory;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use jupyter_protocol::connection_info::Transport;
use jupyter_zmq_client::{ConnectionInfo, peek_ports_with_listeners};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

use self::folder::Folder;
use crate::error::{Error, Result};
use crate::kernelspec::Kernelspec;
use crate::sink::{Sink, Stream};

/// How much of the end of the kernel's stderr is kept for messages.
const TAIL_BYTES: usize = 4096;

/// Where and how a kernel is started.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) spec: &'a Kernelspec,
    pub(crate) cwd: &'a Path,
    pub(crate) environment: Option<&'a Path>,
    pub(crate) over_tcp: bool,
}

/// A running kernel. Dropping it kills its whole process group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    tail: Tail,
    pump: JoinHandle<()>,
    kills_before: Option<u64>,
    pub(crate) connection: ConnectionInfo,
    is_over: bool,
    _folder: Folder,
}

type Tail = Arc<Mutex<Vec<u8>>>;

impl Process {
    /// Starts the kernel; it is not ready to answer yet.
    ///
    /// # Errors
    /// `Unavailable` when its command cannot be started, `Internal` when there is no place for its sockets.
    pub(crate) async fn start(start: &Start<'_>, sink: Sink) -> Result<Self> {
        let folder = Folder::create().map_err(|error| {
            Error::internal("the kernel's connection file cannot be written", error)
        })?;
        let (connection, listeners) = connection(&folder, start.over_tcp).await?;
        let file = folder.path().join("connection.json");
        write_private(&file, &connection).map_err(|error| {
            Error::internal("the kernel's connection file cannot be written", error)
        })?;
        let kills_before = memory::kills();
        let argv = start.spec.command(&file);
        // The ports stay ours until the moment the kernel may take them.
        drop(listeners);
        let mut child = command(start, &argv).spawn().map_err(|error| {
            Error::Unavailable(format!(
                "the kernel `{}` cannot be started: {}: {error}",
                start.spec.name, argv[0]
            ))
        })?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let tail = Tail::default();
        let pump = tokio::spawn(pump(child.stderr.take(), Arc::clone(&tail), sink));
        Ok(Self {
            child,
            group: group.expect("a process that was not waited for has an id"),
            tail,
            pump,
            kills_before,
            connection,
            is_over: false,
            _folder: folder,
        })
    }

    /// Whether messages go over sockets in a folder.
    pub(crate) fn sockets(&self) -> Vec<PathBuf> {
        let info = &self.connection;
        match info.transport {
            Transport::IPC => [info.shell_port, info.iopub_port, info.control_port]
                .map(|port| PathBuf::from(format!("{}-{port}", info.ip)))
                .into(),
            Transport::TCP => Vec::new(),
        }
    }

    /// Waits for the end of the kernel's process. Cancel safe; answers again at once after that.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        // Waiting for one's own child fails only when something else has reaped it: then it is over, too.
        self.child.wait().await.unwrap_or_default()
    }

    /// Sends a signal to the kernel and everything it started.
    pub(crate) fn signal(&self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = kill_process_group(self.group, signal);
    }

    /// Ends the kernel and everything it started, and waits for it.
    pub(crate) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.exited().await;
        self.is_over = true;
        self.pump.abort();
    }

    /// Says how the process ended, for people.
    pub(crate) fn describe(&self, status: ExitStatus) -> String {
        match (status.signal(), status.code()) {
            (Some(9), _) => match (self.kills_before, memory::kills()) {
                (Some(before), Some(now)) if now > before => {
                    "was killed because memory ran out (SIGKILL)".into()
                }
                _ => "was killed (SIGKILL), which is also what running out of memory looks like"
                    .into(),
            },
            (Some(signal), _) => format!("was ended by {}", signal_name(signal)),
            (None, Some(code)) => format!("exited with status {code}"),
            (None, None) => "ended".into(),
        }
    }

    /// The last lines the process wrote to its own stderr.
    pub(crate) async fn last_words(&mut self) -> String {
        // What was written before the end is still in the pipe; something the kernel started may hold the pipe open.
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), &mut self.pump).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The number of a group that is over may be another's by now.
        if !self.is_over {
            self.signal(Signal::KILL);
        }
        self.pump.abort();
    }
}

async fn connection(
    folder: &Folder,
    over_tcp: bool,
) -> Result<(ConnectionInfo, Vec<tokio::net::TcpListener>)> {
    let mut info = ConnectionInfo {
        ip: folder.path().join("k").to_string_lossy().into_owned(),
        transport: Transport::IPC,
        shell_port: 1,
        iopub_port: 2,
        stdin_port: 3,
        control_port: 4,
        hb_port: 5,
        key: format!(
            "{}{}",
            uuid::Uuid::new_v4().simple(),
            uuid::Uuid::new_v4().simple()
        ),
        signature_scheme: "hmac-sha256".into(),
        kernel_name: None,
    };
    if !over_tcp && folder.fits_sockets() {
        return Ok((info, Vec::new()));
    }
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (ports, listeners) = peek_ports_with_listeners(loopback, 5)
        .await
        .map_err(|error| Error::internal("there is no free port for the kernel", error))?;
    info.transport = Transport::TCP;
    info.ip = loopback.to_string();
    [
        info.shell_port,
        info.iopub_port,
        info.stdin_port,
        info.control_port,
        info.hb_port,
    ] = ports.try_into().expect("five ports were asked for");
    Ok((info, listeners))
}

fn write_private(path: &Path, connection: &ConnectionInfo) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&serde_json::to_vec(connection)?)
}

fn command(start: &Start<'_>, argv: &[String]) -> Command {
    let mut command = Command::new(&argv[0]);
    command
        .args(&argv[1..])
        .current_dir(start.cwd)
        .envs(variables(start))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The variables a kernel gets beside our own.
fn variables(start: &Start<'_>) -> BTreeMap<String, std::ffi::OsString> {
    let mut variables = BTreeMap::new();
    for (name, value) in &start.spec.env {
        let value = substitute(value, |name| std::env::var(name).ok());
        variables.insert(name.clone(), value.into());
    }
    // Kernels end by themselves when this process is gone.
    // Some take a first process of a container, whose id is 1, for a parent that is gone.
    if std::process::id() != 1 {
        let id = std::process::id().to_string();
        variables.insert("JPY_PARENT_PID".into(), id.into());
    }
    if let Some(environment) = start.environment {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let own = std::iter::once(environment.join("bin"));
        if let Ok(path) = std::env::join_paths(own.chain(std::env::split_paths(&inherited))) {
            variables.entry("PATH".into()).or_insert(path);
        }
        variables.insert("VIRTUAL_ENV".into(), environment.into());
    }
    variables
}

/// Fills in `${NAME}`; what is not set stays as it is.
fn substitute(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let found = after
            .split_once('}')
            .and_then(|(name, tail)| Some((value(name)?, tail)));
        if let Some((value, tail)) = found {
            out.push_str(&value);
            rest = tail;
        } else {
            out.push_str("${");
            rest = after;
        }
    }
    out + rest
}

/// Passes the kernel's own stderr on, and keeps its end.
async fn pump(stderr: Option<ChildStderr>, tail: Tail, sink: Sink) {
    let Some(mut stderr) = stderr else { return };
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&buffer[..count]);
            let surplus = tail.len().saturating_sub(TAIL_BYTES);
            tail.drain(..surplus);
        }
        sink.write(Stream::Stderr, &buffer[..count]).await;
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL (an instruction this processor lacks)",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        11 => "SIGSEGV (a crash in native code)",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        _ => return format!("signal {signal}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::substitute;

    #[test]
    fn variables_of_a_description_are_filled_in() {
        let value = |name: &str| (name == "A").then(|| "1".to_owned());
        assert_eq!(substitute("x${A}y${B}z${", value), "x1y${B}z${");
        assert_eq!(substitute("plain $A", value), "plain $A");
    }
}

//! What this machine offers to the process runtime, found out by trying, and what each missing part costs.

use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use crate::cgroup::Layout;
use crate::frame::{self, Order, Report, Work};
use crate::process::Config;
use crate::sandbox::Plan;
use crate::{SECRETS, host};

/// How long the trial may take.
const TRIAL: Duration = Duration::from_secs(20);
/// Where programs of the system are.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// What was found. JSON for `cairn doctor --json`; `notes` are the sentences for people.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent finding"
)]
#[derive(Clone, Debug, Serialize)]
pub struct Capabilities {
    /// What bubblewrap calls itself, if it is installed.
    pub bubblewrap: Option<String>,
    /// Whether a sandbox with exactly the options of a run works.
    pub sandbox: bool,
    /// Whether memory can be limited, and a lack of it told from other ends.
    pub memory_limits: bool,
    /// Whether CPU time can be limited.
    pub cpu_limits: bool,
    /// Whether the number of processes can be limited.
    pub process_limits: bool,
    /// First uid and number of uids that work gets, if this is root.
    pub uids: Option<(u32, u32)>,
    /// One plain sentence for each thing that is missing or worth knowing, with what it costs.
    pub notes: Vec<String>,
    #[serde(skip)]
    pub(crate) bwrap: Option<PathBuf>,
    #[serde(skip)]
    pub(crate) groups: Layout,
}

/// Tries everything out. Blocks for some 20 ms. Leaves nothing behind.
pub fn probe(config: &Config) -> Capabilities {
    let found = find_program("bwrap");
    let bubblewrap = found.as_deref().and_then(version);
    let trial = found
        .as_deref()
        .filter(|_| config.sandbox)
        .map(|bwrap| trial(config, bwrap));
    let groups = Layout::discover();
    let uids = host::is_root().then_some(config.uids);
    let mut notes = vec![sandbox_note(config, trial.as_ref(), uids.is_some())];
    notes.extend(group_note(&groups));
    notes.push("Servers and jobs use this machine's network as it is: let only people in who trust each other.".into());
    Capabilities {
        bubblewrap,
        sandbox: matches!(trial, Some(Ok(()))),
        memory_limits: groups.has("memory"),
        cpu_limits: groups.has("cpu"),
        process_limits: groups.has("pids"),
        uids,
        notes,
        bwrap: found.filter(|_| matches!(trial, Some(Ok(())))),
        groups,
    }
}

fn sandbox_note(config: &Config, trial: Option<&io::Result<()>>, root: bool) -> String {
    let cost = if root {
        "each workspace has a uid of its own but sees the machine's files and processes, and paths are this machine's own, which other uids must be able to reach"
    } else {
        "work runs as you, sees your files and processes, and paths are this machine's own"
    };
    match trial {
        Some(Ok(())) => "The sandbox works: work sees the system read-only, its own folders and its own processes.".into(),
        Some(Err(e)) => format!("bubblewrap is installed but does not work here ({e}): {cost}."),
        None if !config.sandbox => format!("The sandbox is switched off: {cost}."),
        None if cfg!(target_os = "linux") => format!("bubblewrap is not installed (Debian: apt-get install bubblewrap): {cost}."),
        None => format!("This system has no bubblewrap: {cost}."),
    }
}

fn group_note(groups: &Layout) -> Option<String> {
    let parts = [("memory", "memory"), ("cpu", "CPU"), ("pids", "process")];
    let missing: Vec<_> = parts
        .iter()
        .filter(|(c, _)| !groups.has(c))
        .map(|(_, word)| *word)
        .collect();
    if missing.is_empty() {
        return None;
    }
    let mut note = format!(
        "No control group can be made here for these limits, which are then not in force: {}.",
        missing.join(", ")
    );
    if !groups.has("memory") {
        note.push_str(" A memory limit holds for each process by itself, and running out of memory is not told from other failures.");
    }
    Some(note)
}

/// The first executable file of that name in the system's folders.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let executable =
        |p: &PathBuf| rustix::fs::access(p, rustix::fs::Access::EXEC_OK).is_ok() && p.is_file();
    PATH.split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(executable)
}

fn version(bwrap: &Path) -> Option<String> {
    let output = Command::new(bwrap).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|v| !v.is_empty())
}

/// Runs `true` the way a run's command is run.
fn trial(config: &Config, bwrap: &Path) -> io::Result<()> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut command = host::program(config.program.as_deref());
    command
        .args(["supervise", "--launch"])
        .env_clear()
        .current_dir("/");
    command
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    drop(command);
    let result = converse(config, bwrap, &mut ours);
    // The end of the connection ends whatever still runs.
    drop(ours);
    let mut complaint = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut complaint)?;
    }
    child.wait()?;
    result.map_err(|e| complaint.lines().last().map_or(e, io::Error::other))
}

fn converse(config: &Config, bwrap: &Path, control: &mut UnixStream) -> io::Result<()> {
    control.set_read_timeout(Some(TRIAL))?;
    let plan = Plan {
        bwrap: bwrap.to_owned(),
        mounts: Vec::new(),
        devices: Vec::new(),
        hidden: config.hidden.clone(),
        home: "/".into(),
    };
    let order = Order {
        supervisor: std::process::id(),
        owner: host::is_root().then_some((config.uids.0, config.uids.0)),
        groups: Vec::new(),
        data_bytes: None,
        processes: None,
        sandbox: Some(plan),
    };
    let work = Work {
        argv: vec!["true".into()],
        env: vec![("PATH".into(), PATH.into())],
        cwd: "/".into(),
        secrets_folder: SECRETS.into(),
        secrets: vec![("trial".into(), String::new())],
        api_port: None,
    };
    frame::write(control, &order)?;
    frame::write(control, &work)?;
    while let Some(report) = frame::read::<Report>(control)? {
        match report {
            Report::Started => {}
            Report::Exited { code: Some(0), .. } => return Ok(()),
            Report::Exited { .. } => return Err(io::Error::other("a program inside it failed")),
            Report::Failed { message, .. } => return Err(io::Error::other(message)),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Whether a path can be read and entered by every uid, from the root down.
pub(crate) fn open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let open = |p: &Path| fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o005 == 0o005);
    path.ancestors().all(open)
}

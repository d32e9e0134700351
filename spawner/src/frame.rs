//! Messages between the processes of one run: a length of four bytes, then JSON.
//!
//! Read with exact reads only, so that the next program in an `exec` chain finds its own message untouched.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sandbox::Plan;
use crate::status::Failure;

/// Beyond what the kernel takes as arguments and environment, with room for secrets.
const MAX_BYTES: u32 = 32 << 20;
/// What the work could forge at most, see [`Report`].
pub(crate) const MAX_REPORT_BYTES: u32 = 64 << 10;

/// To the launcher: what to become before the command runs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The supervisor's process; the launcher gives up if its parent is another.
    pub(crate) supervisor: u32,
    /// The uid and gid to become, if this is root.
    pub(crate) owner: Option<(u32, u32)>,
    /// `cgroup.procs` files to join.
    pub(crate) groups: Vec<std::path::PathBuf>,
    /// Per-process limit of writable memory, where no cgroup can limit all together.
    pub(crate) data_bytes: Option<u64>,
    /// Limit of processes of the uid, where no cgroup can limit the run's.
    pub(crate) processes: Option<u64>,
    /// The sandbox, unless there is none here.
    pub(crate) sandbox: Option<Plan>,
}

/// To the init: the command.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: std::path::PathBuf,
    /// Folder for the secrets.
    pub(crate) secrets_folder: std::path::PathBuf,
    /// Names and hexadecimal content.
    pub(crate) secrets: Vec<(String, String)>,
    /// A port of the loopback interface that leads to the API.
    #[serde(default)]
    pub(crate) api_port: Option<u16>,
}

/// From launcher and init. Not trusted: the work may have taken the init over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The start failed and nothing runs.
    Failed { failure: Failure, message: String },
    /// The command runs.
    Started,
    /// The command ended.
    Exited {
        code: Option<i32>,
        signal: Option<i32>,
        /// How many processes the kernel ended for lack of memory, where only the init can see that.
        #[serde(default)]
        oom_kills: u64,
    },
}

/// To the init while the command runs. The end of the connection means: kill everything.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// SIGTERM to every process.
    Terminate,
}

/// Writes one message.
pub(crate) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(message)?)
}

/// One message as bytes.
pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(body);
    Ok(bytes)
}

/// Reads one message; `None` at the end of the stream.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length);
    if length > MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length as usize];
    from.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

//! The last step into an attempt: the job's token becomes a variable, this process the command.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// The whole of the hidden command `cairn enter -- COMMAND…`. [`crate::SELF`] as the first word means this program.
///
/// Runs inside the attempt, so that the token stands in no argument list and in no file but the one on tmpfs. Returns only where the command
/// cannot be started, with the status that a shell would give.
pub fn enter(command: &[OsString]) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else {
        return complain("there is no command", 2);
    };
    let mut command = if program == crate::SELF {
        Command::new("/proc/self/exe")
    } else {
        Command::new(program)
    };
    command.args(arguments);
    if let Some(path) = std::env::var_os("CAIRN_TOKEN_FILE") {
        match std::fs::read_to_string(&path) {
            Ok(token) => drop(command.env("CAIRN_TOKEN", token.trim())),
            Err(e) => return complain(&format!("the job's token cannot be read: {e}"), 1),
        }
    }
    let error = command.exec();
    let missing = error.kind() == io::ErrorKind::NotFound;
    let said = format!("{}: {error}", program.to_string_lossy());
    complain(&said, if missing { 127 } else { 126 })
}

fn complain(said: &str, status: u8) -> ExitCode {
    // Where nobody reads, the status must do.
    drop(writeln!(io::stderr(), "cairn: {said}"));
    ExitCode::from(status)
}

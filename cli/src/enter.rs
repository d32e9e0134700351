//! The hidden command `cairn enter -- COMMAND…`: reads the job's token into the environment and becomes the command.
//!
//! It runs inside the attempt, so that the token stands in no argument list and in no file but the one on tmpfs.

use std::{
    ffi::OsString, io::Write as _, os::unix::process::CommandExt as _, process::Command,
    process::ExitCode,
};

use anyhow::{Context as _, Result};

/// Arguments of `cairn enter`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command; this program itself where its first word is `cairn:self`.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

/// Becomes the command; returns only where that fails, with the status a shell would give.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let (program, arguments) = args.command.split_first().context("there is no command")?;
    let mut command = if program == spawner::SELF {
        Command::new("/proc/self/exe")
    } else {
        Command::new(program)
    };
    command.args(arguments);
    if let Some(path) = std::env::var_os("CAIRN_TOKEN_FILE") {
        let token = std::fs::read_to_string(&path).context("the job's token cannot be read")?;
        command.env("CAIRN_TOKEN", token.trim());
    }
    let error = command.exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    writeln!(
        std::io::stderr(),
        "cairn: {}: {error}",
        program.to_string_lossy()
    )?;
    Ok(ExitCode::from(code))
}

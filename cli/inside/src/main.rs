//! `cairn-inside`: the part of `cairn` that runs inside containers, shown to each of them. Built static, so that any image will do; without
//! the service and its database, so that it is small. See `build_inside` in `deploy/lib.sh`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// What runs of Cairn need inside a container. Started by the service, never by hand.
#[derive(Debug, Parser)]
#[command(name = "cairn", version)]
enum Command {
    /// Become a job's command, with its token in the environment.
    Enter {
        /// The command; this program itself where its first word is `cairn:self`.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Run a notebook without a browser.
    Execute(kernels::ExecuteArgs),
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "supervise") {
        return spawner::supervise(&arguments[1..]);
    }
    match Command::parse() {
        Command::Enter { command } => spawner::enter(&command),
        Command::Execute(args) => ExitCode::from(inside::main_execute(args)),
    }
}

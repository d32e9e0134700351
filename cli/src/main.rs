//! The `cairn` binary: reads the command line and hands it to one module per command.
//!
//! Nothing here starts a runtime, opens a file or touches the network: each command takes what it needs, so that the small ones stay fast.

mod args;
mod down;
mod prepare;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "cairn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Down(args) => down::run(args),
        Command::Prepare(args) => prepare::run(args),
    }
}

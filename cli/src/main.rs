//! The `cairn` binary: reads the command line and hands it to one module per command.
//!
//! Nothing here starts a runtime, opens a file or touches the network: each command takes what it needs, so that the small ones stay fast.

mod api;
mod args;
mod backup;
mod browser;
mod capacity;
mod cells;
mod clock;
mod config;
mod data;
mod doctor;
mod down;
mod enter;
mod environment;
mod exit;
mod files;
mod gc;
mod home;
mod host;
mod jobs;
mod lineage;
mod login;
mod logs;
mod machines;
mod output;
mod outputs;
mod progress;
mod project;
mod reference;
mod restore;
mod resume;
mod run;
mod scrub;
mod serve;
mod service;
mod session;
mod small;
mod token;
mod up;
mod upload;
mod user;
mod worker;
mod workspace;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    // First of all: a supervisor forks, which wants a process in which nothing has been started.
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "supervise") {
        return spawner::supervise(&arguments[1..]);
    }
    match dispatch(Cli::parse()) {
        Ok(code) => code,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format!("cairn: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let json = cli.json;
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Worker(args) => worker::run(&args),
        Command::Down(args) => down::run(&args),
        Command::Up(args) => up::run(&args),
        Command::Doctor(args) => doctor::run(&args, json),
        Command::Backup(args) => Ok(backup::run(&args, json)),
        Command::Restore(args) => restore::run(&args, json),
        Command::User(args) => user::run(&args, json),
        Command::Login(args) => login::run(args, json),
        Command::Logout(args) => login::logout(&args, json),
        Command::Project(action) => project::run(action, json),
        Command::Ws(action) => workspace::run(action, json),
        Command::Run(args) => Ok(run::run(*args, json)),
        Command::Cells(args) => cells::run(&args, json),
        Command::Html(args) => Ok(exit::code(kernels::main_html(&args))),
        Command::Jobs(args) => jobs::run(&args, json),
        Command::Logs(args) => logs::run(&args, json),
        Command::Outputs(args) => outputs::run(args, json),
        Command::Data(action) => data::run(action, json),
        Command::Lineage(args) => lineage::run(&args, json),
        Command::Resume(args) => resume::run(&args, json),
        Command::Stop(args) => jobs::stop(&args, json),
        Command::Env(action) => environment::run(action, json),
        Command::Machines { action } => machines::run(action, json),
        Command::Gc(args) => gc::run(&args, json),
        Command::Scrub => scrub::run(json),
        Command::Token(action) => token::run(action, json),
        Command::Enter(args) => Ok(spawner::enter(&args.command)),
        Command::Execute(args) => Ok(exit::code(inside::main_execute(args))),
        Command::Supervise { args } => Ok(spawner::supervise(&args)),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)
    })
}

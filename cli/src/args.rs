//! The command tree. Each command's own arguments live beside its code.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::{
    backup, cells, data, doctor, down, enter, environment, gc, jobs, lineage, login, logs,
    machines, outputs, project, restore, resume, run, serve, token, up, user, worker, workspace,
};

/// Notebooks that leave a trail.
#[derive(Debug, Parser)]
#[command(
    name = "cairn",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Print the API's objects as JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `cairn` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service on this machine.
    Serve(serve::Args),
    /// Make this host a machine of a server elsewhere: dial out to it and run what it places here.
    Worker(worker::Args),
    /// Stop the service on this machine, with every server and job it runs.
    Down(down::Args),
    /// Prepare this machine, start the service in the background and print a sign-in link.
    Up(up::Args),
    /// Say what this machine offers, and what each missing part costs.
    Doctor(doctor::Args),
    /// Write everything that the server on this machine keeps into one file, while it runs.
    Backup(backup::Args),
    /// Put a backup into an empty data directory and an empty database.
    Restore(restore::Args),
    /// People: add, give a sign-in link, shut out. On the server's machine also without being signed in.
    User(user::Args),
    /// Sign in to a server.
    Login(login::Args),
    /// Sign out of a server: the token ends there and is forgotten here.
    Logout(login::LogoutArgs),
    /// Projects: make, list, choose.
    #[command(subcommand)]
    Project(project::Action),
    /// Workspaces: make, start, stop, open, remove.
    #[command(subcommand)]
    Ws(workspace::Action),
    /// Run the folder you stand in as a job and follow its log; Ctrl-C detaches.
    Run(Box<run::Args>),
    /// Say which cells of a notebook a selection needs to run by itself, and make a notebook of them.
    Cells(cells::Args),
    /// Make one page of HTML of a notebook, to read without JupyterLab, print or send. Asks no server.
    Html(kernels::HtmlArgs),
    /// List jobs, newest first.
    Jobs(jobs::Args),
    /// Print a job's log.
    Logs(logs::Args),
    /// List or fetch what a job left.
    Outputs(outputs::Args),
    /// Datasets: send, fetch, list, compare, derive, name and take back versions.
    #[command(subcommand)]
    Data(data::Action),
    /// Say what a version or a job came from, and what came from it.
    Lineage(lineage::Args),
    /// Let a job that is held at a failed cell go on: the cell as it was, or with a corrected notebook.
    Resume(resume::Args),
    /// Stop a job; what it left is kept.
    Stop(jobs::StopArgs),
    /// Environments: list, build.
    #[command(subcommand)]
    Env(environment::Action),
    /// Machine types with what is free, and machines: list, add, drain, remove.
    Machines {
        /// What to do.
        #[command(subcommand)]
        action: Option<machines::Action>,
    },
    /// Take away what nothing in the store uses any more, or say what would go. Once a day this is done anyway. For administrators.
    Gc(gc::Args),
    /// Show how far reading the store again is, and the damage that it found. For administrators.
    Scrub,
    /// Tokens for programs: make, list, end.
    #[command(subcommand)]
    Token(token::Action),
    /// Become a job's command, with its token in the environment; used inside attempts.
    #[command(hide = true)]
    Enter(enter::Args),
    /// Run a notebook without a browser; used inside attempts.
    #[command(hide = true)]
    Execute(kernels::ExecuteArgs),
    /// Watch over one server or attempt; used by the service. `main` takes it before the command line is read.
    #[command(hide = true, disable_help_flag = true)]
    Supervise {
        /// What the service hands over.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn tree(command: &clap::Command, path: &str, lines: &mut Vec<String>) {
        for command in command
            .get_subcommands()
            .filter(|command| command.get_name() != "help" && !command.is_hide_set())
        {
            let path = format!("{path} {}", command.get_name());
            let mut words = vec![path.clone()];
            for argument in command
                .get_arguments()
                .filter(|argument| !argument.is_hide_set() && argument.get_id() != "json")
            {
                let value = argument
                    .get_value_names()
                    .and_then(|names| names.first())
                    .map_or_else(String::new, ToString::to_string);
                let takes_value = argument.get_action().takes_values();
                words.push(match argument.get_long() {
                    Some(long) if takes_value => format!("--{long} {value}"),
                    Some(long) => format!("--{long}"),
                    None => value,
                });
            }
            lines.push(words.join(" "));
            tree(command, &path, lines);
        }
    }

    #[test]
    fn the_command_tree_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_tree_changes_only_on_purpose() {
        let mut lines = Vec::new();
        tree(&Cli::command(), "cairn", &mut lines);
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn commands_read_as_the_design_says() {
        for line in [
            "cairn serve --config f --data-dir d --listen 127.0.0.1:8000",
            "cairn down --data-dir d",
            "cairn backup f.tar.zst --data-dir d --json",
            "cairn backup - --config f",
            "cairn restore - --data-dir d --config f",
            "cairn login http://localhost:8000/sign-in#x",
            "cairn project use vision --json",
            "cairn ws create w --project p --env e --machine m --input model=vision#12 --input #3",
            "cairn ws restart w --machine gpu",
            "cairn ws open w --wait",
            "cairn run --project p --env e --machine m --input m=p#1 --param lr=0.1 --param n=3 --wait -- python train.py --lr 1",
            "cairn run --notebook a.ipynb --workspace w",
            "cairn --json jobs error",
            "cairn logs 12 -f",
            "cairn outputs vision#12",
            "cairn outputs 12 ls",
            "cairn outputs 12 get out",
            "cairn stop 12",
            "cairn run --notebook a.ipynb --hold-on-error 2h --wait",
            "cairn resume 12",
            "cairn resume vision#12 fixed.ipynb --json",
            "cairn token create --name ci --expires 30d",
            "cairn env build",
            "cairn machines --json",
            "cairn machines add m2 --label gpu",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn a_run_needs_a_command_or_a_notebook_and_not_both() {
        for line in [
            "cairn run",
            "cairn run --notebook a.ipynb -- python x.py",
            "cairn run python x.py",
            "cairn run --param x -- true",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}

//! Starts, finds, watches and stops servers and attempts on the machine it is on.
//!
//! Takes a plain [`Spec`] and gives a serialisable [`Handle`]. Knows no users, no database and no HTTP routes.

pub mod authorities;
pub mod conformance;
pub mod docker;
pub mod environments;
pub mod error;
pub mod images;
pub mod install;
pub mod log;
pub mod process;
pub mod runtime;
mod runtimes;
pub mod spec;
pub mod status;

mod archive;
mod capabilities;
mod cgroup;
mod clock;
mod enter;
mod files;
mod frame;
mod gpus;
mod host;
mod run;
mod sandbox;
mod supervised;
mod supervisor;
mod sys;

pub use capabilities::{Capabilities, probe};
pub use docker::DockerRuntime;
pub use enter::enter;
pub use environments::{Environment, EnvironmentSpec, Environments};
pub use error::Error;
pub use images::{ImageSpec, Images};
pub use log::LogChunk;
pub use process::{Config, ProcessRuntime};
pub use runtime::Runtime;
pub use runtimes::Runtimes;
pub use spec::{Access, Endpoint, Gpu, Limits, Mount, Secret, Spec};
pub use status::{Exit, Failure, Handle, Phase, Reason, Status};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// As `argv[0]` of a [`Spec`] it means "this very program", also where its file cannot be seen by the work.
pub const SELF: &str = "cairn:self";
/// Where the files of [`Spec::secrets`] are, as the work sees it.
pub const SECRETS: &str = "/cairn/secrets";

/// The whole of the hidden subcommand `cairn supervise ARGS…`; `args` is all that follows the word `supervise`.
///
/// Call it first thing in `main`: before any thread is started, any async runtime made or anything printed. Returns the status to exit with.
pub fn supervise(args: &[std::ffi::OsString]) -> std::process::ExitCode {
    let args: Vec<_> = args
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    supervisor::run(&args)
}

//! Measures the proxy beside its peers, in one run on one machine: nginx and configurable-http-proxy (`CHP`, if given) for requests,
//! a direct connection for tunnels. Prints `name ours peer ratio goal`, and the same as JSON with `--json`. `--only` and one of
//! `requests`, `echo`, `frames` and `idle` measures that alone.
//!
//! The proxy under test has a core of its own (the first), with its access log on; backend and clients share the second.

#[path = "bench_proxy/backend.rs"]
mod backend;
#[path = "bench_proxy/peers.rs"]
mod peers;
#[path = "../../deploy/bench/report.rs"]
mod report;
#[path = "bench_proxy/requests.rs"]
mod requests;
#[path = "bench_proxy/serve.rs"]
mod serve;
#[path = "bench_proxy/sockets.rs"]
mod sockets;

use std::path::Path;

use anyhow::{Context as _, Result};

/// The workspace that everything is asked of.
const WORKSPACE: &str = "01939d4e-8a3b-7c11-9d2e-0123456789ab";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| {
        arguments
            .get(at)
            .map(Path::new)
            .context("a path is missing")
    };
    match arguments.first().map(String::as_str) {
        Some("serve") => serve::run(argument(1)?, argument(2)?),
        Some("backend") => backend::run(argument(1)?),
        _ => {
            let only = arguments.iter().position(|argument| argument == "--only");
            let part = only.and_then(|at| arguments.get(at + 1));
            let json = arguments.iter().any(|argument| argument == "--json");
            measure(json, |name| part.is_none_or(|part| part == name))
        }
    }
}

fn measure(json: bool, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = peers::Stage::set(folder.path())?;
    let mut report = report::Report::new(json);
    if wanted("requests") {
        requests::measure(&stage, &mut report)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(sockets::measure(&stage, &mut report, wanted))?;
    report.finish()
}

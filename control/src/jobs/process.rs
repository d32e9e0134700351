//! Describes an attempt's process as a plain spec for the spawner. Pure: starts nothing, asks nothing.
//!
//! The folders a job sees are those of DESIGN.md, "What a job sees"; the same folders also stand where Valohai's and FloydHub's
//! documentation puts them, so that code written for those runs unchanged.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use spawner::{Environment, Limits, Mount, Spec};

use crate::{
    machine::{AttemptWork, Work},
    workspaces::server,
};

/// Bytes of log kept of one attempt, then it is cut and says so.
const LOG_LIMIT_BYTES: u64 = 10 << 30;

/// Where a notebook run says how it ended, for [`super::report`].
const REPORT: &str = "/cairn/report/outcome.json";

/// What an attempt is made of, all found beforehand.
pub(crate) struct Parts<'a> {
    pub(crate) work: &'a Work,
    pub(crate) attempt: &'a AttemptWork,
    pub(crate) environment: &'a Environment,
    /// The attempt's folder, with `repository`, `outputs` and `config` in it.
    pub(crate) folder: PathBuf,
    pub(crate) inputs: Vec<(String, PathBuf)>,
    /// Python packages that all jobs are given.
    pub(crate) python: PathBuf,
    pub(crate) api_url: &'a str,
}

/// The spec of an attempt, without its secrets.
pub(crate) fn spec(parts: &Parts<'_>) -> Spec {
    let work = parts.work;
    let time_limit_ms = match (parts.attempt.time_limit_ms, work.machine.time_limit_ms) {
        (Some(job), Some(machine)) => Some(job.min(machine)),
        (job, machine) => job.or(machine),
    };
    let argv = argv(parts);
    Spec {
        id: work.run_id.clone(),
        argv,
        env: variables(parts),
        secrets: Vec::new(),
        cwd: "/cairn/repository".into(),
        mounts: mounts(parts),
        uid_slot: work.uid_slot,
        gpus: work.gpus.clone(),
        limits: Limits {
            memory_bytes: work.machine.memory_bytes,
            cpu_millicores: work.machine.cpu_millicores,
            time_limit_ms: time_limit_ms.and_then(|ms| u64::try_from(ms).ok()),
            log_limit_bytes: Some(LOG_LIMIT_BYTES),
            ..Limits::default()
        },
        image: parts.environment.image.clone(),
        ..Spec::default()
    }
}

/// `cairn enter` reads the job's token into the environment and becomes the command, so that the token is in no argument list.
fn argv(parts: &Parts<'_>) -> Vec<String> {
    let mut argv: Vec<String> = [spawner::SELF, "enter", "--"].map(str::to_owned).to_vec();
    match &parts.attempt.notebook {
        Some(notebook) => {
            argv.extend([spawner::SELF, "execute", "--output"].map(str::to_owned));
            argv.push(format!("/cairn/outputs/{}", file_name(notebook)));
            argv.extend(
                [
                    "--report",
                    REPORT,
                    "--parameters",
                    "/cairn/config/parameters.json",
                    "--environment",
                ]
                .map(str::to_owned),
            );
            argv.push(parts.environment.path.to_string_lossy().into_owned());
            if let Some(limit_ms) = parts.attempt.cell_time_limit_ms {
                argv.extend(["--cell-timeout-ms".to_owned(), limit_ms.to_string()]);
            }
            if let Some(limit_ms) = parts.attempt.hold_ms {
                argv.extend(["--hold-ms".to_owned(), limit_ms.to_string()]);
            }
            argv.push(format!("/cairn/repository/{notebook}"));
        }
        None => argv.extend(command(
            parts.attempt.command.as_deref().unwrap_or_default(),
            &parts.attempt.parameters,
        )),
    }
    argv
}

/// A word that is `{parameters}` becomes `--name=value` for each parameter, as in Valohai's steps.
fn command(words: &[String], parameters: &Map<String, Value>) -> Vec<String> {
    let mut out = Vec::with_capacity(words.len());
    for word in words {
        if word == "{parameters}" {
            out.extend(
                parameters
                    .iter()
                    .map(|(name, value)| format!("--{name}={}", plain(value))),
            );
        } else {
            out.push(word.clone());
        }
    }
    out
}

/// A string as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn mounts(parts: &Parts<'_>) -> Vec<Mount> {
    let folder = |name: &str| parts.folder.join(name);
    let mut mounts = parts.environment.mounts.clone();
    mounts.push(Mount::read_only(&parts.python, server::PYTHON));
    for target in ["/cairn/repository", "/valohai/repository", "/floyd/home"] {
        mounts.push(Mount::read_write(folder("repository"), target));
    }
    for target in ["/cairn/outputs", "/valohai/outputs", "/output"] {
        mounts.push(Mount::read_write(folder("outputs"), target));
    }
    for target in ["/cairn/config", "/valohai/config"] {
        mounts.push(Mount::read_only(folder("config"), target));
    }
    if parts.attempt.notebook.is_some() {
        mounts.push(Mount::read_write(folder("report"), "/cairn/report"));
    }
    for (name, source) in &parts.inputs {
        for parent in ["/cairn/inputs", "/valohai/inputs", "/floyd/input"] {
            mounts.push(Mount::read_only(source, Path::new(parent).join(name)));
        }
    }
    mounts
}

fn variables(parts: &Parts<'_>) -> BTreeMap<String, String> {
    let attempt = parts.attempt;
    let own = [
        ("HOME", "/tmp".to_owned()),
        ("USER", "cairn".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("SHELL", "/bin/bash".to_owned()),
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("CAIRN_JOB_ID", attempt.job_id.to_string()),
        ("CAIRN_JOB", attempt.job.clone()),
        ("CAIRN_PROJECT_ID", attempt.project_id.to_string()),
        ("CAIRN_API_URL", parts.api_url.to_owned()),
        ("CAIRN_TOKEN_FILE", "/cairn/secrets/token".to_owned()),
        ("CAIRN_REPOSITORY", "/cairn/repository".to_owned()),
        ("CAIRN_INPUTS", "/cairn/inputs".to_owned()),
        ("CAIRN_OUTPUTS", "/cairn/outputs".to_owned()),
        ("CAIRN_CONFIG", "/cairn/config".to_owned()),
        ("VH_JOB_ID", attempt.job_id.to_string()),
        ("VH_PROJECT_ID", attempt.project_id.to_string()),
        ("VH_CONFIG_DIR", "/valohai/config".to_owned()),
        ("VH_INPUTS_DIR", "/valohai/inputs".to_owned()),
        ("VH_OUTPUTS_DIR", "/valohai/outputs".to_owned()),
        ("VH_REPOSITORY_DIR", "/valohai/repository".to_owned()),
    ];
    let mut all = parts.environment.env.clone();
    all.extend(own.map(|(name, value)| (name.to_owned(), value)));
    all.insert(
        "PYTHONPATH".to_owned(),
        server::python_path(parts.environment),
    );
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn parameters_take_the_place_of_their_word_and_no_shell_reads_them() {
        let Value::Object(parameters) =
            json!({"rate": 0.1, "name": "'; rm -rf ~ #", "layers": [1, 2], "quick": true})
        else {
            unreachable!("an object")
        };
        let command = command(
            &words(&["python", "train.py", "{parameters}", "--last"]),
            &parameters,
        );
        let expected = [
            "python",
            "train.py",
            "--rate=0.1",
            "--name='; rm -rf ~ #",
            "--layers=[1,2]",
            "--quick=true",
            "--last",
        ];
        assert_eq!(command, expected);
    }

    #[test]
    fn a_word_that_only_contains_the_placeholder_is_left_alone() {
        let kept = words(&["echo", "x{parameters}"]);
        assert_eq!(command(&kept, &Map::new()), kept);
    }
}

//! What the command line reads out of the API's objects: a part of them, and lenient, so that an older client reads a newer server.

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads an object of the API.
///
/// # Errors
/// When it lacks what the command line needs.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> anyhow::Result<T> {
    T::deserialize(value).context("the server's answer is not what this version of cairn understands: are the versions far apart?")
}

/// Reads the items of a list that is also printed as it is.
pub(crate) fn items<T: DeserializeOwned>(list: &Value) -> anyhow::Result<Vec<T>> {
    Ok(read::<Items<T>>(list)?.items)
}

/// A list of nothing.
pub(crate) fn empty_list() -> Value {
    serde_json::json!({ "items": [], "next": null })
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    /// The items as they are.
    pub(crate) items: Vec<Value>,
    /// Where the next page begins.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A person.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    /// The name that is typed.
    pub(crate) name: String,
    /// The name that is shown.
    #[serde(default)]
    pub(crate) display_name: String,
    /// May they administer the service?
    #[serde(default)]
    pub(crate) admin: bool,
    /// Are they shut out?
    #[serde(default)]
    pub(crate) disabled: bool,
}

impl User {
    /// The name to show.
    pub(crate) fn display_name_or_name(&self) -> &str {
        if self.display_name.is_empty() {
            &self.name
        } else {
            &self.display_name
        }
    }
}

/// A project.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    /// Its name.
    pub(crate) name: String,
    /// What it is about.
    #[serde(default)]
    pub(crate) description: String,
    /// What we may do in it.
    #[serde(default)]
    pub(crate) role: Option<String>,
}

/// A workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// Its identity.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// The name of its project.
    #[serde(default)]
    pub(crate) project: String,
    /// Whose it is.
    #[serde(default)]
    pub(crate) user: String,
    /// `stopped`, `starting`, `running`, `stopping` or `error`.
    pub(crate) state: String,
    /// What a start is doing now.
    #[serde(default)]
    pub(crate) phase: Option<String>,
    /// Why it is in this state.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Its environment.
    #[serde(default)]
    pub(crate) environment: String,
    /// Its machine type.
    #[serde(default)]
    pub(crate) machine: String,
    /// When it was last used.
    #[serde(default)]
    pub(crate) last_activity_ms: Option<i64>,
}

/// A job.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Job {
    /// Its number in its project.
    pub(crate) number: u64,
    /// The name of its project.
    #[serde(default)]
    pub(crate) project: String,
    /// Its name.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Who ran it.
    #[serde(default)]
    pub(crate) user: String,
    /// What it runs.
    #[serde(default)]
    pub(crate) command: Option<Vec<String>>,
    /// Or the notebook that it runs.
    #[serde(default)]
    pub(crate) notebook: Option<String>,
    /// What it was given.
    #[serde(default)]
    pub(crate) parameters: Value,
    /// `created`, `queued`, `started`, `stopping`, `stopped`, `error` or `complete`.
    pub(crate) state: String,
    /// Why it is in this state.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// How its command ended.
    #[serde(default)]
    pub(crate) exit_code: Option<i64>,
    /// Or the signal that ended it.
    #[serde(default)]
    pub(crate) signal: Option<i64>,
    /// How long its run is held at a cell that failed.
    #[serde(default)]
    pub(crate) hold_ms: Option<i64>,
    /// The cell that it is held at.
    #[serde(default)]
    pub(crate) hold: Option<Hold>,
    /// All the times that it was held.
    #[serde(default)]
    pub(crate) holds: Vec<Hold>,
    /// Words to find it by.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// The latest value of each key that it printed.
    #[serde(default)]
    pub(crate) metadata: Value,
    /// What it left, once that is kept.
    #[serde(default)]
    pub(crate) outputs: Option<Outputs>,
    /// When it was accepted.
    #[serde(default)]
    pub(crate) created_ms: i64,
    /// When it began.
    #[serde(default)]
    pub(crate) started_ms: Option<i64>,
    /// When it ended.
    #[serde(default)]
    pub(crate) ended_ms: Option<i64>,
}

impl Job {
    /// Has it come to its end?
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "stopped" | "error" | "complete")
    }

    /// `vision#12`.
    pub(crate) fn reference(&self) -> String {
        format!("{}#{}", self.project, self.number)
    }

    /// What it runs, on one line.
    pub(crate) fn title(&self) -> String {
        let command = || self.command.as_ref().map(|command| command.join(" "));
        self.name
            .clone()
            .filter(|name| !name.is_empty())
            .or_else(|| self.notebook.clone())
            .or_else(command)
            .unwrap_or_default()
    }
}

/// A run that is held at a cell that failed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Hold {
    /// The attempt.
    pub(crate) attempt: i64,
    /// Its number within that.
    pub(crate) number: i64,
    /// `held` or `answered`.
    pub(crate) state: String,
    /// What happened.
    pub(crate) message: String,
    /// When it ends by itself.
    pub(crate) until_ms: i64,
    /// How many answers were given.
    pub(crate) answers: i64,
    /// Why the last one was of no use.
    #[serde(default)]
    pub(crate) refused: Option<String>,
}

impl Hold {
    /// Has somebody said how to go on?
    pub(crate) fn is_answered(&self) -> bool {
        self.state == "answered"
    }

    /// Is it the same time that the run was held?
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.attempt, self.number) == (other.attempt, other.number)
    }
}

/// The outputs of a job as a whole.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Outputs {
    /// Their identity.
    #[serde(default)]
    pub(crate) manifest_digest: String,
    /// How many files.
    #[serde(default)]
    pub(crate) files: u64,
    /// How large together.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// What could not be kept, and why.
    #[serde(default)]
    pub(crate) skipped: Vec<Skipped>,
}

/// A path that was left out.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Skipped {
    /// Where it is.
    pub(crate) path: String,
    /// Why it was left out.
    pub(crate) reason: String,
}

/// A part of a job's log.
#[derive(Debug, Deserialize)]
pub(crate) struct LogPage {
    /// The lines.
    pub(crate) items: Vec<LogLine>,
    /// The offset at which the next part begins.
    pub(crate) next: u64,
}

/// A line of a log, or a part of one.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
pub(crate) struct LogLine {
    /// Where it lies in the log.
    pub(crate) offset: u64,
    /// When it was printed.
    pub(crate) ms: i64,
    /// `stdout`, `stderr` or `system`.
    pub(crate) stream: String,
    /// The text, without its newline.
    pub(crate) text: String,
    /// Does a later record of this stream continue the line?
    #[serde(default)]
    pub(crate) partial: bool,
}

/// A file or folder of a job's outputs.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct File {
    /// Its path from the root of the outputs.
    pub(crate) path: String,
    /// `file`, `directory` or `symlink`.
    pub(crate) kind: String,
    /// Its size.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// BLAKE3 of its content.
    #[serde(default)]
    pub(crate) hash: Option<String>,
    /// May it be run?
    #[serde(default)]
    pub(crate) executable: bool,
}

/// A token, as it is listed: never its text.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenRecord {
    /// Its identity.
    pub(crate) id: String,
    /// What it was made for.
    pub(crate) name: String,
    /// What it may do.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// When it ends by itself.
    #[serde(default)]
    pub(crate) expires_ms: Option<i64>,
    /// When it was last used.
    #[serde(default)]
    pub(crate) last_used_ms: Option<i64>,
}

//! The steps of starts, stops and moves of workspaces: when each began and ended, and how long it usually takes.

use crate::db::{Db, Read, Record, Row, Tx, all, execute, sql};
use crate::error::Result;
use crate::events::{Kind, Notice};
use crate::ids::WorkspaceId;
use crate::names::named;

/// How many earlier runs of a step an estimate is made of.
const HISTORY: i64 = 9;
/// So many requests of a workspace are remembered.
const GENERATIONS: i64 = 20;

named! {
    /// A step on the way from one server to the next.
    Phase {
        /// The home is saved while the server still runs.
        Saving = "saving",
        /// The server is ended, and what changed last is saved.
        Stopping = "stopping",
        /// The home is brought to another machine.
        Moving = "moving",
        /// No machine is free.
        Waiting = "waiting",
        /// The environment is built or fetched.
        Preparing = "preparing",
        /// The inputs are fetched.
        Mounting = "mounting",
        /// JupyterLab is on the way.
        Starting = "starting",
    }
}

impl Phase {
    /// What people see.
    pub fn label(self) -> &'static str {
        match self {
            Self::Saving => "Saving",
            Self::Stopping => "Stopping",
            Self::Moving => "Moving the home",
            Self::Waiting => "Waiting for a machine",
            Self::Preparing => "Preparing the environment",
            Self::Mounting => "Fetching the inputs",
            Self::Starting => "Starting JupyterLab",
        }
    }
}

/// A step that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Which.
    pub phase: Phase,
    /// When, in milliseconds UTC.
    pub started_ms: i64,
    /// When it ended; none while it goes on.
    pub ended_ms: Option<i64>,
}

impl Record for Begun {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            phase: row.parsed("phase")?,
            started_ms: row.int("started_ms")?,
            ended_ms: row.maybe_int("ended_ms")?,
        })
    }
}

/// Records that a step of what was asked for last begins; the one before ends. Entering it again goes on with it.
pub async fn enter(tx: &mut Tx, id: WorkspaceId, generation: i64, phase: Phase) -> Result<()> {
    let now_ms = tx.now_ms();
    let text = "UPDATE workspace_phases SET ended_ms = $4 WHERE workspace_id = $1 AND ended_ms IS NULL AND NOT (generation = $2 AND phase = $3)";
    let query = sql(text).bind(id).bind(generation).bind(phase.as_str());
    execute(tx, query.bind(now_ms)).await?;
    let text = "INSERT INTO workspace_phases (workspace_id, generation, phase, started_ms) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (workspace_id, generation, phase) DO UPDATE SET ended_ms = NULL";
    let query = sql(text).bind(id).bind(generation).bind(phase.as_str());
    execute(tx, query.bind(now_ms)).await?;
    let text = "DELETE FROM workspace_phases WHERE workspace_id = $1 AND generation <= $2";
    let old = generation - GENERATIONS;
    execute(tx, sql(text).bind(id).bind(old)).await?;
    let text = "UPDATE workspaces SET phase = $2 WHERE id = $1 AND state IN ('starting', 'running', 'stopping') RETURNING project_id, user_id";
    let whose: Vec<Whose> = all(&mut *tx, sql(text).bind(id).bind(phase.label())).await?;
    for Whose { notice } in whose {
        tx.notice(Notice {
            subject: id.to_string(),
            ..notice
        });
    }
    Ok(())
}

/// Records that no step goes on any more.
pub async fn leave(tx: &mut Tx, id: WorkspaceId) -> Result<()> {
    let text =
        "UPDATE workspace_phases SET ended_ms = $2 WHERE workspace_id = $1 AND ended_ms IS NULL";
    execute(tx, sql(text).bind(id).bind(tx.now_ms())).await?;
    Ok(())
}

struct Whose {
    notice: Notice,
}

impl Record for Whose {
    fn read(row: &Row) -> Result<Self> {
        let notice = Notice {
            kind: Kind::WorkspaceChanged,
            project_id: Some(row.parsed("project_id")?),
            user_id: Some(row.parsed("user_id")?),
            subject: String::new(),
        };
        Ok(Self { notice })
    }
}

/// The steps of what was asked for by this generation, in the order in which they began.
pub async fn of<'c>(from: impl Read<'c>, id: WorkspaceId, generation: i64) -> Result<Vec<Begun>> {
    let text = "SELECT * FROM workspace_phases WHERE workspace_id = $1 AND generation = $2 ORDER BY started_ms, phase";
    all(from, sql(text).bind(id).bind(generation)).await
}

/// How long a step usually takes, in ms: the median of its last runs for this workspace, or for everybody where it has none.
pub async fn usual_ms(db: &Db, id: WorkspaceId, phase: Phase) -> Result<Option<i64>> {
    let text = "SELECT * FROM workspace_phases WHERE workspace_id = $1 AND phase = $2 AND ended_ms IS NOT NULL ORDER BY started_ms DESC LIMIT $3";
    let query = sql(text).bind(id).bind(phase.as_str()).bind(HISTORY);
    let mut found: Vec<Begun> = all(db, query).await?;
    if found.is_empty() {
        let text = "SELECT * FROM workspace_phases WHERE phase = $1 AND ended_ms IS NOT NULL ORDER BY started_ms DESC LIMIT $2";
        found = all(db, sql(text).bind(phase.as_str()).bind(HISTORY)).await?;
    }
    let mut times: Vec<i64> = found
        .iter()
        .filter_map(|begun| Some(begun.ended_ms? - begun.started_ms))
        .collect();
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied())
}

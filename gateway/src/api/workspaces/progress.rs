//! How far a start, stop or move has come, in named steps with estimates from earlier ones.

use serde::Serialize;
use storage::{
    phases::{self, Begun, Phase},
    workspaces::{Desired, State, Workspace},
};
use utoipa::ToSchema;

use crate::{app::App, error::ApiError};

/// The steps on the way to what was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// When the first step began, in milliseconds since 1970, UTC.
    started_ms: i64,
    /// The steps in order: those that were, the present one, and the last one where it is still to come.
    phases: Vec<ProgressPhase>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressPhase {
    /// `saving`, `stopping`, `moving`, `waiting`, `preparing`, `mounting` or `starting`.
    phase: String,
    /// What people see.
    label: String,
    /// When it began, in milliseconds since 1970, UTC; missing before.
    started_ms: Option<i64>,
    /// When it ended; missing before.
    ended_ms: Option<i64>,
    /// How long it usually takes, in ms: the median of the last times.
    estimate_ms: Option<i64>,
}

/// None where nothing is under way.
pub(crate) async fn of(app: &App, workspace: &Workspace) -> Result<Option<Progress>, ApiError> {
    if !is_under_way(workspace) {
        return Ok(None);
    }
    let begun = phases::of(app.db(), workspace.id, workspace.generation).await?;
    let Some(started_ms) = begun.first().map(|first| first.started_ms) else {
        return Ok(None);
    };
    let mut steps = Vec::new();
    for (phase, begun) in in_order(&begun, workspace.desired == Desired::Running) {
        steps.push(ProgressPhase {
            phase: phase.to_string(),
            label: phase.label().to_owned(),
            started_ms: begun.map(|begun| begun.started_ms),
            ended_ms: begun.and_then(|begun| begun.ended_ms),
            estimate_ms: phases::usual_ms(app.db(), workspace.id, phase).await?,
        });
    }
    Ok(Some(Progress {
        started_ms,
        phases: steps,
    }))
}

fn is_under_way(workspace: &Workspace) -> bool {
    match (workspace.state, workspace.desired) {
        (State::Starting | State::Stopping, _) | (State::Stopped, Desired::Running) => true,
        (State::Running, desired) => {
            desired != Desired::Running || workspace.run_generation < workspace.generation
        }
        _ => false,
    }
}

/// The steps that began, then the one that comes last on the way to a server.
fn in_order(begun: &[Begun], starts: bool) -> Vec<(Phase, Option<&Begun>)> {
    let mut steps: Vec<_> = begun.iter().map(|one| (one.phase, Some(one))).collect();
    if starts && begun.iter().all(|one| one.phase != Phase::Starting) {
        steps.push((Phase::Starting, None));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_to_come_is_told() {
        let begun = |phase| Begun {
            phase,
            started_ms: 1,
            ended_ms: None,
        };
        let steps = [begun(Phase::Saving)];
        let expected = [(Phase::Saving, Some(&steps[0])), (Phase::Starting, None)];
        assert_eq!(in_order(&steps, true), expected);
        assert_eq!(in_order(&steps, false).len(), 1);
        let steps = [begun(Phase::Starting)];
        assert_eq!(in_order(&steps, true).len(), 1);
    }
}

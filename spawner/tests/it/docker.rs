//! The docker runtime against a real engine: the conformance suite, and what only this runtime promises.

#[path = "docker/crashes.rs"]
mod crashes;
#[path = "docker/ends.rs"]
mod ends;
#[path = "docker/outside.rs"]
mod outside;
#[path = "docker/refusals.rs"]
mod refusals;
#[path = "docker/rig.rs"]
pub(crate) mod rig;
#[path = "docker/walls.rs"]
mod walls;

use spawner::conformance;

macro_rules! conforms {
    ($($name:ident),* $(,)?) => {
        $(#[tokio::test] async fn $name() {
            if let Some(bench) = rig::Docked::new() { conformance::$name(&bench).await; }
        })*
    };
}

conforms!(
    start_and_end,
    signals_are_told,
    start_is_idempotent,
    survives_restart_via_handle,
    stop_unknown_is_ok,
    stop_is_polite,
    stop_ends_the_whole_tree,
    an_end_ends_the_whole_tree,
    start_failures_are_told,
    environment_and_secrets,
    mounts_are_shown,
    time_limit_is_kept,
    logs_stream_without_loss,
    log_limit_is_kept,
);

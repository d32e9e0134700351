//! The runtimes against the real system: real supervisors, a real bubblewrap, real control groups, a real container engine.

#![expect(clippy::unwrap_used, reason = "helpers of tests too may panic")]

#[path = "it/authorities.rs"]
mod authorities;
#[path = "it/docker.rs"]
mod docker;
#[path = "it/environments.rs"]
mod environments;
#[path = "it/gpus.rs"]
mod gpus;
#[path = "it/images.rs"]
mod images;
#[path = "it/ordinary.rs"]
mod ordinary;
#[path = "it/process.rs"]
mod process;
#[path = "it/rig.rs"]
mod rig;
#[path = "it/sandbox.rs"]
mod sandbox;

//! The process runtime against the real system: real supervisors, a real bubblewrap, real control groups.

#[path = "it/environments.rs"]
mod environments;
#[path = "it/ordinary.rs"]
mod ordinary;
#[path = "it/process.rs"]
mod process;
#[path = "it/rig.rs"]
mod rig;
#[path = "it/sandbox.rs"]
mod sandbox;

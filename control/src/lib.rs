//! Policy: what should run, where and when. Brings workspaces and jobs to what was asked, through storage, the spawner and kernels.
//!
//! Knows no HTTP and no SQL. `storage`, `spawner` and `kernels` meet only here.

mod adoptions;
pub mod backup;
pub mod cells;
mod collections;
mod control;
mod crash;
mod damage;
pub mod datasets;
pub mod environments;
mod error;
pub mod example;
mod holds;
mod inputs;
mod janitor;
pub mod jobs;
mod keeper;
mod layout;
pub mod lineage;
mod locks;
pub mod log;
mod logs;
pub mod machine;
pub mod machines;
mod metadata;
pub mod page;
mod placement;
mod queue;
mod reconciler;
pub mod reference;
mod room;
mod scrubs;
mod settings;
mod whole;
pub mod workspaces;

pub use control::{Control, Parts};
pub use error::{Error, Result};
pub use holds::Answer;
pub use inputs::NewInput;
pub use keeper::Level;
pub use layout::Layout;
pub use machine::{Address, HomeSource, LocalMachine, Machine, Machines};
pub use queue::{Place, Queue};
pub use settings::{Adoptable, Capacity, Homes, MachineType, Scrub, Settings};

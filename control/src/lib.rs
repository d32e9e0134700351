//! Policy: what should run, where and when. Brings workspaces and jobs to what was asked, through storage, the spawner and kernels.
//!
//! Knows no HTTP and no SQL. `storage`, `spawner` and `kernels` meet only here.

mod error;
pub mod log;
mod metadata;
pub mod reference;
mod settings;

pub use error::{Error, Result};
pub use settings::{MachineType, Settings};

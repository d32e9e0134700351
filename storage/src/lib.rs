//! Records (SQLite or PostgreSQL) and objects (files): what Cairn knows and keeps.
//! It must not know HTTP, processes or policy. The only place with SQL.

pub mod clock;
pub mod db;
pub mod error;
pub mod events;
pub mod ids;
pub mod list;
pub mod names;
pub mod secret;

pub use clock::Clock;
pub use db::{Db, Tx};
pub use error::{Error, Result};
pub use list::{List, Page};

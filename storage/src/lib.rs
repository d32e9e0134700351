//! Records (SQLite or PostgreSQL) and objects (files): what Cairn knows and keeps.
//! It must not know HTTP, processes or policy. The only place with SQL.

pub mod attempts;
pub mod audit;
mod capture;
pub mod clock;
pub mod datasets;
pub mod db;
pub mod devices;
pub mod error;
pub mod events;
pub mod expiry;
pub mod fsck;
pub mod holds;
pub mod homes;
pub mod ids;
mod index;
pub mod jobs;
pub mod leases;
pub mod links;
pub mod list;
pub mod machines;
pub mod manifest;
pub mod materialise;
pub mod members;
pub mod mount;
pub mod names;
pub mod objects;
pub mod outputs;
pub mod phases;
pub mod projects;
pub mod secret;
pub mod series;
pub mod sessions;
pub mod snapshot;
pub mod snapshots;
pub mod tokens;
pub mod transfer;
pub mod uploads;
pub mod users;
pub mod workspace_sessions;
pub mod workspaces;

pub use clock::Clock;
pub use db::{Db, Tx};
pub use error::{Error, Result};
pub use list::{List, Page};
pub use objects::{Hash, Store};

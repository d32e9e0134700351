//! Cairn's HTTP side: sign-in, authorisation, the REST API and its description, events, the proxy to workspaces, static files.
//! It holds no SQL and knows no runtime: records come from `storage`, decisions about work from `control`.

pub mod config;
pub mod front;
pub mod listen;
pub mod origins;
pub mod path;
pub mod proxy;

pub use config::Config;

//! Cairn's HTTP side: sign-in, authorisation, the REST API and its description, events, the proxy to workspaces, static files.
//! It holds no SQL and knows no runtime: records come from `storage`, decisions about work from `control`.

mod api;
pub mod app;
mod assets;
pub mod auth;
pub mod authz;
pub mod config;
pub mod entrance;
pub mod error;
mod events;
mod extract;
pub mod front;
mod health;
pub mod listen;
pub mod log;
pub mod machines;
pub mod metrics;
mod openapi;
pub mod origins;
pub mod path;
mod preview;
pub mod proxy;
mod run;
mod scheduler;
mod stack;
mod text;

pub use app::App;
pub use config::Config;

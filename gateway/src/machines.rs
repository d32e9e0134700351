//! Machines that dial in: one connection each, many streams over it. Here are both of its ends.
//!
//! The worker opens the connection (`GET /api/v1/machines/connect`, upgraded); from then on either side opens streams. The first byte of a
//! stream says what it is:
//!
//! | byte | opened by | what follows |
//! |---|---|---|
//! | `P` | both | one byte comes back: the other side is alive |
//! | `H` | server | HTTP/1.1: a call of [`control::Machine`], or content (`wire.rs`) |
//! | `D` | server | a run's id and a newline; after `K` the stream is the socket of that run's server |
//! | `A` | worker | HTTP/1.1 of a run to the API, with the run's own token |
//!
//! Content goes where the server sends it: a worker asks for nothing, so it sees what is meant for its runs and nothing else.

pub(crate) mod connect;
mod link;
mod mux;
mod remote;
mod wire;
mod worker;

pub use wire::{GRACE_HEADER, Hello, MACHINE_HEADER, PROTOCOL};
pub use worker::Worker;

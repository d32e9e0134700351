//! The command line against the real service: the built binary serves a temporary data directory, and the same binary talks to it.
//!
//! What needs a Python environment is passed over, with a printed reason, where there is no `uv`.

#![expect(
    clippy::unwrap_used,
    reason = "tests fail by panicking, their helpers too"
)]

mod it {
    pub(crate) mod far;
    pub(crate) mod rig;

    mod adopt;
    mod backup;
    mod bucket;
    mod data;
    mod engine;
    mod follow;
    mod gc;
    mod host;
    mod machines;
    mod matrix;
    mod moves;
    mod resume;
    mod run;
    mod scrub;
    mod sign_in;
    mod worker;
}

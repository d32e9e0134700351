//! Cairn's `control` crate.

//! Cairn's `gateway` crate.

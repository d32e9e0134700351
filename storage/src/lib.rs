//! Cairn's `storage` crate.

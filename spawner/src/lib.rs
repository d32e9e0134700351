//! Cairn's `spawner` crate.

//! The `cairn` binary: composition root.

fn main() {}

//! Cairn's `kernels` crate.

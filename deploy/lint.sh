#!/usr/bin/env bash
# Formatting, lints, documentation and licences, for Rust and for the front end.
source "$(dirname "$0")/lib.sh"
cd "$root"
need_rust
build_frontend

say "Rust: format, lints, documentation"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
if have cargo-deny; then cargo deny --log-level error check licenses bans sources; else say "cargo-deny is not installed: licences are not checked"; fi

say "Front end: format, types"
cd frontend && npm run --silent lint

#!/usr/bin/env bash
# Formatting, lints, documentation and licences, for Rust and for the front end.
source "$(dirname "$0")/lib.sh"
cd "$root"
need_rust
need_uv
build_frontend

say "Rust: format, lints, documentation"
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
if have cargo-deny; then cargo deny --log-level error check licenses bans sources; else say "cargo-deny is not installed: licences are not checked"; fi

say "Python: format, lints"
(cd python && "$CAIRN_UV" tool run --quiet ruff@0.14 check --quiet . && "$CAIRN_UV" tool run --quiet ruff@0.14 format --quiet --check .)

say "Front end: format, types"
cd frontend && npm run --silent lint

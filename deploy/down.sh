#!/usr/bin/env bash
# Stops Cairn and everything that it runs.
source "$(dirname "$0")/lib.sh"
cairn=$CARGO_TARGET_DIR/release/cairn
[ -x "$cairn" ] || { say "Nothing to stop: Cairn is not built here"; exit 0; }
exec "$cairn" down --data-dir "$(data_dir)"

#!/usr/bin/env bash
# Builds Cairn, prepares its default environment, starts it in the background and ends with the line `Sign in: LINK`.
source "$(dirname "$0")/lib.sh"
cd "$root"

need_rust
need_uv
if [ "$(uname)" = Linux ]; then
  optional bwrap bubblewrap "work runs without a sandbox; everyone who may run code here can read what this user can read"
else
  say "No sandbox on $(uname): work runs with the rights of this user. Fine for one person, not for several."
fi
build_frontend
say "Building Cairn (the first time takes some minutes)"
cargo build --release --locked -p cli
# Only where there is something to show it to: it takes a while.
if [ -S "${CAIRN_DOCKER_SOCKET:-/var/run/docker.sock}" ]; then build_inside release; fi

cairn=$CARGO_TARGET_DIR/release/cairn
data=$(data_dir)
exec "$cairn" up --data-dir "$data"

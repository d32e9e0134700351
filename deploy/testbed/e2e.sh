#!/usr/bin/env bash
# The browser tests: a real server, a real JupyterLab, a real Chromium. Leaves its screenshots and traces in target/e2e.
source "$(dirname "$0")/../lib.sh"
cd "$root"
need_rust
need_uv
build_frontend
have chromium || packages chromium || { say "No Chromium: the browser tests are skipped"; exit 0; }
cargo build --locked -p cli

results=$CARGO_TARGET_DIR/e2e
rm -rf "$results" && mkdir -p "$results"
data=$(mktemp -d "${TMPDIR:-/tmp}/cairn-e2e.XXXXXX")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
server=$root/deploy/testbed/server.sh
stop() {
  cp "$data/test-server.log" "$results/server.log" 2>/dev/null || true
  "$server" stop "$data" "$port" || true
  rm -rf "$data"
}
trap stop EXIT

CAIRN_TEST_CONFIG=$root/deploy/testbed/machines.toml "$server" start "$data" "$port"
export CAIRN_E2E_URL=http://localhost:$port CAIRN_E2E_DATA=$data CAIRN_E2E_RESULTS=$results CAIRN_E2E_BINARY=$CARGO_TARGET_DIR/debug/cairn
CAIRN_E2E_LINK=$(cat "$data/sign-in-link")
CAIRN_E2E_RESTART="$server crash $data $port"
CAIRN_E2E_UPGRADE="$server upgrade $data $port"
CAIRN_TEST_CHROMIUM=$(command -v chromium)
export CAIRN_E2E_LINK CAIRN_E2E_RESTART CAIRN_E2E_UPGRADE CAIRN_TEST_CHROMIUM
say "Browser tests"
cd frontend && npm run --silent e2e

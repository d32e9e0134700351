#!/usr/bin/env bash
# The browser tests: a real server, a real JupyterLab, a real Chromium. Leaves screenshots and traces in target/e2e.
#   e2e.sh           work runs as processes on this machine
#   e2e.sh docker    work runs in containers, on two machines: this one, and one with a declared card that only its worker reaches. Needs root.
source "$(dirname "$0")/../lib.sh"
cd "$root"
bed=${1:-process}
testbed=$root/deploy/testbed

need_rust
need_uv
build_frontend
have chromium || packages chromium || { say "No Chromium: the browser tests are skipped"; exit 0; }
# As the other tests build it: with fewer crates the same dependencies would be compiled once more, with fewer features.
cargo build --locked --workspace --bins --tests
cairn=$CARGO_TARGET_DIR/debug/cairn

results=$CARGO_TARGET_DIR/e2e-$bed
rm -rf "$results" && mkdir -p "$results"
data=$(mktemp -d "${TMPDIR:-/tmp}/cairn-e2e.XXXXXX")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
stops=()
stop() {
  local at
  # The last first: what stands on something else goes before it.
  for ((at = ${#stops[@]} - 1; at >= 0; at--)); do ${stops[at]} || true; done
  cp "$data/test-server.log" "$results/server.log" 2>/dev/null || true
  "$testbed/server.sh" stop "$data" "$port" || true
  rm -rf "$data"
}
trap stop EXIT

# Both engines have the shipped images; the second one takes them from the first.
engines() {
  local image
  # What was not running before does not run afterwards.
  "$testbed/docker.sh" socket >/dev/null 2>&1 || stops+=("$testbed/docker.sh stop")
  "$testbed/docker.sh" socket far >/dev/null 2>&1 || stops+=("$testbed/docker.sh stop far")
  here=$(timeout 300 "$testbed/docker.sh" start) && far=$(timeout 300 "$testbed/docker.sh" start far) || return 1
  timeout 900 "$testbed/images.sh" >/dev/null || return 1
  for image in cairn/base:latest cairn/datascience:latest; do
    [ "$(docker -H "$here" image inspect --format '{{.Id}}' $image)" = "$(docker -H "$far" image inspect --format '{{.Id}}' $image 2>/dev/null)" ] \
      || docker -H "$here" save $image | docker -H "$far" load >/dev/null
  done
}

far_machine() {
  local home=$data/cli folder=$data/far
  mkdir -p "$home" "$folder"
  echo "docker_socket = \"${far#unix://}\"" | cat - "$testbed/far.toml" >"$folder/cairn.toml"
  CAIRN_HOME=$home "$cairn" login "$(cat "$data/sign-in-link")" >/dev/null
  CAIRN_HOME=$home "$cairn" machines add far --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])' >"$folder/token"
  # A link works once: the browser's is another.
  "$cairn" user link admin --data-dir "$data" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["link"])' >"$data/sign-in-link"
  stops+=("$testbed/worker.sh stop far $folder $port")
  "$testbed/worker.sh" start far "$folder" "$port" "$folder/token"
}

case $bed in
  process) CAIRN_TEST_CONFIG=$testbed/machines.toml ;;
  docker)
    engines || { say "Going on without Docker engines: the browser tests of containers are skipped"; exit 0; }
    build_inside
    CAIRN_TEST_CONFIG=$data/config.toml
    echo "docker_socket = \"${here#unix://}\"" | cat - "$testbed/containers.toml" >"$CAIRN_TEST_CONFIG"
    export CAIRN_E2E_GPU_MACHINE=far CAIRN_E2E_GPU_DOCKER=$far CAIRN_E2E_LAST=restart
    ;;
  *) fail "there is no $bed; there are process and docker" ;;
esac
export CAIRN_TEST_CONFIG
"$testbed/server.sh" start "$data" "$port"
[ "$bed" = process ] || far_machine
export CAIRN_E2E_URL=http://localhost:$port CAIRN_E2E_DATA=$data CAIRN_E2E_RESULTS=$results CAIRN_E2E_BINARY=$cairn
CAIRN_E2E_LINK=$(cat "$data/sign-in-link")
CAIRN_E2E_RESTART="$testbed/server.sh crash $data $port"
CAIRN_E2E_UPGRADE="$testbed/server.sh upgrade $data $port"
CAIRN_TEST_CHROMIUM=$(command -v chromium)
export CAIRN_E2E_LINK CAIRN_E2E_RESTART CAIRN_E2E_UPGRADE CAIRN_TEST_CHROMIUM
say "Browser tests: $bed"
cd frontend && npm test --silent --workspace e2e -- ${CAIRN_E2E_LAST:+"--project=$CAIRN_E2E_LAST"}

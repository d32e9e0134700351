#!/usr/bin/env bash
# Every test, against real parts: PostgreSQL, bubblewrap, a Docker engine, JupyterLab, Chromium. With the word `e2e`, only the browser tests.
source "$(dirname "$0")/lib.sh"
cd "$root"
only=${1:-all}

need_rust
need_uv
[ "$(uname)" = Linux ] && optional bwrap bubblewrap "tests of the sandbox are skipped"
build_frontend

if [ "$only" = all ]; then
  deploy/lint.sh
  say "Front end: unit tests"
  (cd frontend && npm test --silent)

  CAIRN_TEST_PYTHON_ENV=$(deploy/testbed/python.sh)
  CAIRN_TEST_UV=$CAIRN_UV
  PATH=$(dirname "$CAIRN_UV"):$PATH
  export CAIRN_TEST_PYTHON_ENV CAIRN_TEST_UV PATH
  run() { if have cargo-nextest; then cargo nextest run --locked "$@"; else cargo test --locked "$@"; fi; }
  # What was not running before does not run afterwards.
  stops=()
  trap 'for stop in "${stops[@]}"; do $stop || true; done' EXIT
  deploy/testbed/docker.sh socket >/dev/null 2>&1 || stops+=("deploy/testbed/docker.sh stop")
  if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ] && CAIRN_TEST_DOCKER=$(timeout 300 deploy/testbed/docker.sh start) && timeout 300 deploy/testbed/docker.sh base >/dev/null; then
    timeout 900 deploy/testbed/images.sh >/dev/null || say "Going on without Cairn's own images: they could not be built"
    build_inside spawner
    CAIRN_TEST_INSIDE=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/debug/spawner-test-program
    [ -x "$CAIRN_TEST_INSIDE" ] || CAIRN_TEST_INSIDE=
    export CAIRN_TEST_DOCKER CAIRN_TEST_INSIDE
  else
    say "Going on without a Docker engine (root can start one): tests of containers are skipped"
  fi
  say "Rust: tests, records on SQLite"
  run --workspace

  have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages postgresql || true
  if deploy/testbed/postgres.sh start; then
    stops+=("deploy/testbed/postgres.sh stop")
    say "Rust: tests, records on PostgreSQL"
    CAIRN_TEST_POSTGRES_URL=$(deploy/testbed/postgres.sh url) run -p storage -p gateway -p cli
  else
    say "Going on without PostgreSQL: only SQLite was tested"
  fi
fi

deploy/testbed/e2e.sh

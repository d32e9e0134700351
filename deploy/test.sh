#!/usr/bin/env bash
# Every test, against real parts: PostgreSQL, bubblewrap, JupyterLab, Chromium. With the word `e2e`, only the browser tests.
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
  say "Rust: tests, records on SQLite"
  run --workspace

  have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages postgresql || true
  if deploy/testbed/postgres.sh start; then
    trap 'deploy/testbed/postgres.sh stop' EXIT
    say "Rust: tests, records on PostgreSQL"
    CAIRN_TEST_POSTGRES_URL=$(deploy/testbed/postgres.sh url) run -p storage -p gateway -p cli
  else
    say "Going on without PostgreSQL: only SQLite was tested"
  fi
fi

deploy/testbed/e2e.sh

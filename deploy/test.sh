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

  have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages postgresql || say "Going on without PostgreSQL: its half of the storage tests is skipped"
  if deploy/testbed/postgres.sh start; then
    CAIRN_TEST_POSTGRES_URL=$(deploy/testbed/postgres.sh url)
    export CAIRN_TEST_POSTGRES_URL
    trap 'deploy/testbed/postgres.sh stop' EXIT
  fi
  CAIRN_TEST_PYTHON_ENV=$(deploy/testbed/python.sh)
  export CAIRN_TEST_PYTHON_ENV

  say "Rust: tests"
  if have cargo-nextest; then cargo nextest run --workspace --locked; else cargo test --workspace --locked; fi
fi

deploy/testbed/e2e.sh

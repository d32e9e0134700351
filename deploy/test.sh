#!/usr/bin/env bash
# Every test, against real parts: PostgreSQL, S3 servers, bubblewrap, a Docker engine, JupyterLab, Chromium. With the word `e2e`, only the browser tests.
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

  say "Python: tests"
  # Of the recorder's the central ones: all take ten minutes, most of it waiting, and what arrives of a flood depends on how busy the machine is.
  # The others: `pytest tests/test_recorder.py` in python/.
  chosen="not test_recorder.py or fifty or clean_close or queued or all_kinds or after_takeover"
  [ -x "$cache/python/bin/python" ] || "$CAIRN_UV" venv --quiet --clear "$cache/python"
  "$CAIRN_UV" pip install --quiet --python "$cache/python" --group python/pyproject.toml:dev
  # As the Rust tests: a failed one is tried again, and to be mended.
  python_tests() { (cd python && "$cache/python/bin/python" -B -m pytest -k "$chosen" "$@"); }
  python_tests || python_tests --last-failed || python_tests --last-failed

  CAIRN_TEST_PYTHON_ENV=$(deploy/testbed/python.sh)
  CAIRN_TEST_LINEAGE_ENV=$(deploy/testbed/lineage.sh)
  CAIRN_TEST_UV=$CAIRN_UV
  PATH=$(dirname "$CAIRN_UV"):$PATH
  export CAIRN_TEST_PYTHON_ENV CAIRN_TEST_LINEAGE_ENV CAIRN_TEST_UV PATH
  # run [FILTER] : these tests, or all. Always built as a whole, so that nothing is compiled twice with other features.
  run() {
    if have cargo-nextest; then cargo nextest run --locked --workspace ${1:+-E "$1"}; else cargo test --locked --workspace; fi
  }
  # What was not running before does not run afterwards.
  stops=()
  trap 'for stop in "${stops[@]}"; do $stop || true; done' EXIT
  deploy/testbed/docker.sh socket >/dev/null 2>&1 || stops+=("deploy/testbed/docker.sh stop")
  if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ] && CAIRN_TEST_DOCKER=$(timeout 300 deploy/testbed/docker.sh start) && timeout 300 deploy/testbed/docker.sh base >/dev/null; then
    timeout 900 deploy/testbed/images.sh >/dev/null || say "Going on without Cairn's own images: they could not be built"
    build_inside spawner
    CAIRN_TEST_INSIDE=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/debug/spawner-test-program
    [ -x "$CAIRN_TEST_INSIDE" ] || CAIRN_TEST_INSIDE=
    CAIRN_TEST_DOCKER_TLS=$(deploy/testbed/docker.sh tls)
    export CAIRN_TEST_DOCKER CAIRN_TEST_DOCKER_TLS CAIRN_TEST_INSIDE
  else
    say "Going on without a Docker engine (root can start one): tests of containers are skipped"
  fi
  # The kernel of R, where it can be had: tests that need it say so where it cannot.
  [ -e /usr/share/jupyter/kernels/ir/kernel.json ] || { [ "$(uname)" = Linux ] && packages r-cran-irkernel; } || true
  deploy/testbed/s3.sh running || stops+=("deploy/testbed/s3.sh stop")
  if CAIRN_TEST_S3=$(deploy/testbed/s3.sh start | tr '\n' ' '); then
    export CAIRN_TEST_S3
  else
    unset CAIRN_TEST_S3
    say "Going on without S3 servers: tests of stores in buckets are skipped"
  fi
  say "Rust: tests, records on SQLite"
  run
  if [ -n "${CAIRN_TEST_S3:-}" ]; then
    say "Rust: what kills the process at each step, with the store in a bucket"
    CAIRN_TEST_OBJECTS=s3 run 'package(storage) & test(/kill|^gc::tests::(crash|stress)|^transfer::|^uploads::(several|tests)::/)'
  fi

  have initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages postgresql || true
  if deploy/testbed/postgres.sh start; then
    stops+=("deploy/testbed/postgres.sh stop")
    say "Rust: tests, records on PostgreSQL"
    # Without what asks little of the records and takes minutes: engines, and the death of starts and stops, which moves try here, too.
    CAIRN_TEST_POSTGRES_URL=$(deploy/testbed/postgres.sh url) run \
      'package(storage) | package(gateway) | (package(cli) & not test(/^it::(engine|far|matrix)::/))'
  else
    say "Going on without PostgreSQL: only SQLite was tested"
  fi
fi

deploy/testbed/e2e.sh
# On two machines with an engine each. Only where the tests above found one, or just these are asked for.
if [ "$(uname)" = Linux ] && [ "$(id -u)" = 0 ]; then deploy/testbed/e2e.sh docker; fi

#!/usr/bin/env bash
# A Cairn server of its own for tests.  server.sh start|crash|upgrade|stop DATA PORT
# `crash` kills the server with SIGKILL, then starts it again on the same data; what it ran goes on meanwhile. `upgrade` ends it as systemd
# does (SIGTERM to the server alone) and starts another file of the program.
source "$(dirname "$0")/../lib.sh"
verb=${1:?start, crash, upgrade or stop}
data=${2:?data directory}
port=${3:?port}
cairn=${CAIRN_BINARY:-$CARGO_TARGET_DIR/debug/cairn}
url=http://localhost:$port

pid() { cat "$data/test-server.pid" 2>/dev/null || true; }

launch() {
  mkdir -p "$data"
  [ ! -f "$data/cairn.toml" ] && [ -n "${CAIRN_TEST_CONFIG:-}" ] && cp "$CAIRN_TEST_CONFIG" "$data/cairn.toml"
  setsid "$cairn" serve --data-dir "$data" --listen "127.0.0.1:$port" >>"$data/test-server.log" 2>&1 </dev/null &
  echo $! >"$data/test-server.pid"
  for _ in $(seq 300); do
    curl --silent --fail --max-time 2 --output /dev/null "$url/health/ready" && return 0
    kill -0 "$(pid)" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 40 "$data/test-server.log" >&2
  fail "the test server did not become ready; its log is $data/test-server.log"
}

end() { # SIGNAL
  local old; old=$(pid)
  [ -n "$old" ] || return 0
  kill "-$1" "$old" 2>/dev/null || true
  for _ in $(seq 150); do kill -0 "$old" 2>/dev/null || break; sleep 0.1; done
}

case $verb in
  start) launch ;;
  crash) end KILL; launch ;;
  upgrade)
    end TERM
    cp "$cairn" "$data/newer-cairn"
    [ ! -e "$(dirname "$cairn")/cairn-inside" ] || cp "$(dirname "$cairn")/cairn-inside" "$data/cairn-inside"
    cairn=$data/newer-cairn
    launch
    ;;
  stop) end TERM; "$cairn" down --data-dir "$data" >/dev/null ;;
  *) fail "unknown verb $verb" ;;
esac

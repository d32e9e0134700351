#!/usr/bin/env bash
# A second machine: a worker beside the test engine NAME (docker.sh start NAME), inside that engine's network namespace, so that it reaches the
# server only over the cable between the two.  worker.sh start|stop NAME DATA PORT TOKEN_FILE
# DATA is the worker's data directory; a cairn.toml there is kept. PORT is the server's, on this machine's loopback interface.
source "$(dirname "$0")/../lib.sh"
verb=${1:?start or stop}
name=${2:?name of the engine}
data=${3:?data directory}
port=${4:?port of the server}
cairn=${CAIRN_BINARY:-$CARGO_TARGET_DIR/debug/cairn}
inside=(nsenter "--net=/run/netns/cairn-$name")

background() { # PIDFILE COMMAND…
  local file=$1; shift
  setsid "$@" >>"$data/test-worker.log" 2>&1 </dev/null &
  echo $! >"$data/$file"
}

end() { # PIDFILE
  local pid; pid=$(cat "$data/$1" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  rm -f "$data/$1"
}

case $verb in
  start)
    token=${5:?file with the machine\'s token}
    mkdir -p "$data"
    required socat socat
    here=$(ip -n "cairn-$name" route show default | awk '{print $3}')
    # The server takes requests for its own name only: on the other machine that name leads through the cable.
    background cable-here.pid socat "TCP-LISTEN:$port,bind=$here,fork,reuseaddr" "TCP:127.0.0.1:$port"
    background cable-there.pid "${inside[@]}" socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "TCP:$here:$port"
    background worker.pid "${inside[@]}" "$cairn" worker --url "http://localhost:$port" --token-file "$token" --data-dir "$data"
    ;;
  stop)
    end worker.pid
    "${inside[@]}" "$cairn" down --data-dir "$data" >/dev/null || true
    end cable-there.pid
    end cable-here.pid
    ;;
  *) fail "unknown verb $verb" ;;
esac

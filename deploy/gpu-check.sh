#!/usr/bin/env bash
# What needs an NVIDIA card: that a run sees the cards it was given and no others, as a process and in a container. Skips, and says so, without one.
source "$(dirname "$0")/lib.sh"
cd "$root"

have nvidia-smi && nvidia-smi -L >/dev/null 2>&1 || { say "Skipped: no NVIDIA card here"; exit 0; }
need_rust
card=$(nvidia-smi --query-gpu=uuid,index --format=csv,noheader | head -n 1 | tr -d ' ')
export CAIRN_TEST_GPU=${card%%,*} CAIRN_TEST_GPU_MINOR=${card##*,}
if docker info --format '{{json .Runtimes}}' 2>/dev/null | grep -q nvidia || have nvidia-container-cli; then
  export CAIRN_TEST_DOCKER=${DOCKER_HOST:-unix:///var/run/docker.sock}
  build_inside spawner
  export CAIRN_TEST_INSIDE=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/debug/spawner-test-program
else
  say "Without the NVIDIA container toolkit: only processes are checked"
fi
cargo test --locked -p spawner --test it gpus:: -- --nocapture

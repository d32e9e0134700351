#!/usr/bin/env bash
# docker.sh start|stop|socket|tls|base [NAME]: a Docker engine of our own for tests. Needs root.
#   start   starts it unless it runs, and prints its address (unix://…). Safe to repeat.
#   base    makes sure that it has the image debian:bookworm-slim, built here from Debian's packages: no registry is asked. Prints its name.
#   socket  prints the address of one that runs.
#   tls     prints its address for other machines, and the folder with ca.pem, cert.pem and key.pem that open it.
#   stop    ends it. Its images stay in ${XDG_CACHE_HOME:-~/.cache}/cairn-testbed/docker.
# Without NAME it is the engine of this machine. Each NAME is another machine: an engine in a network namespace `cairn-NAME` of its own, whose
# address is 10.212.N.2, reached from here over a pair of interfaces, and which reaches the outside through here. Such an engine takes requests
# for NVIDIA cards, and gives none: it has a stand-in for the hook of NVIDIA's container toolkit that does nothing.
set -euo pipefail

verb=${1:-}
name=${2:-main}
[[ $name =~ ^[a-z0-9]{1,8}$ ]] || { echo "docker.sh: a name is 1 to 8 of a-z and 0-9" >&2; exit 1; }
base=${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed
data=$base/docker/$name
# Sockets have short paths, and what is in here means nothing after a restart of the machine.
run=/run/cairn-testbed/docker/$name
socket=$run/docker.sock
pidfile=$run/docker.pid
tls=$run/tls
image=debian:bookworm-slim

fail() { echo "docker.sh: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
engine() { docker -H "unix://$socket" "$@"; }
answers() { curl --silent --fail --max-time 5 --unix-socket "$socket" --output /dev/null http://engine/_ping; }
pid() { cat "$pidfile" 2>/dev/null || true; }
alive() { local p; p=$(pid); [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = dockerd ]; }

# packages COMMAND=PACKAGE… : installs what is missing.
packages() {
  local missing=() pair
  for pair in "$@"; do have "${pair%%=*}" || missing+=("${pair#*=}"); done
  [ ${#missing[@]} = 0 ] && return
  have apt-get || fail "missing on this system: ${missing[*]}"
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$base/apt.log" 2>&1 </dev/null \
    || { tail -n 20 "$base/apt.log" >&2; fail "apt-get could not install ${missing[*]}"; }
}

# The number of a name: a third byte of addresses. Kept, so that two names never share one.
number() {
  local list=$base/docker/names n
  touch "$list"
  grep -qx "$name" "$list" || echo "$name" >>"$list"
  n=$(grep -nx "$name" "$list" | cut -d: -f1)
  [ "$n" -le 250 ] || fail "too many names in $list"
  echo "$n"
}

# rule TABLE CHAIN RULE… : adds a rule at the top unless it is there.
rule() {
  local table=$1 chain=$2; shift 2
  iptables -w -t "$table" -C "$chain" "$@" 2>/dev/null || iptables -w -t "$table" -I "$chain" "$@"
}

# A machine of its own as far as networks go. Its end of the cable is called `outside`.
namespace() {
  local n; n=$(number)
  ip netns list | grep -qw "cairn-$name" && return
  ip netns add "cairn-$name"
  ip link add "ctb$n" type veth peer name outside netns "cairn-$name"
  ip addr add "10.212.$n.1/24" dev "ctb$n" && ip link set "ctb$n" up
  ip -n "cairn-$name" link set lo up
  ip -n "cairn-$name" addr add "10.212.$n.2/24" dev outside && ip -n "cairn-$name" link set outside up
  ip -n "cairn-$name" route add default via "10.212.$n.1"
  echo 1 >/proc/sys/net/ipv4/ip_forward
  rule filter FORWARD -i "ctb$n" -j ACCEPT
  rule filter FORWARD -o "ctb$n" -j ACCEPT
  rule nat POSTROUTING -s "10.212.$n.0/24" ! -o "ctb$n" -j MASQUERADE
}

remove_namespace() {
  local n; n=$(number)
  ip netns del "cairn-$name" 2>/dev/null || true
  ip link del "ctb$n" 2>/dev/null || true
  iptables -w -D FORWARD -i "ctb$n" -j ACCEPT 2>/dev/null || true
  iptables -w -D FORWARD -o "ctb$n" -j ACCEPT 2>/dev/null || true
  iptables -w -t nat -D POSTROUTING -s "10.212.$n.0/24" ! -o "ctb$n" -j MASQUERADE 2>/dev/null || true
}

# An authority of the engine's own, with a certificate for it and one for whoever may use it.
certificates() {
  rm -rf "$tls" && mkdir -p "$tls" && cd "$tls"
  openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=cairn-testbed -keyout ca-key.pem -out ca.pem 2>/dev/null
  local who
  for who in server client; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$who" -keyout "$who-key.pem" -out "$who.csr" 2>/dev/null
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%sAuth\n' "$who" >"$who.ext"
    openssl x509 -req -in "$who.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -extfile "$who.ext" -out "$who-cert.pem" 2>/dev/null
  done
  mv client-key.pem key.pem && mv client-cert.pem cert.pem
  cd - >/dev/null
  echo "127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')" >"$tls/address"
}

# The engine looks for it on its PATH, and calls it before a container with a card begins.
card_hook() {
  mkdir -p "$run/bin"
  printf '#!/bin/sh\nexec cat >/dev/null\n' >"$run/bin/nvidia-container-runtime-hook"
  chmod +x "$run/bin/nvidia-container-runtime-hook"
  PATH=$run/bin:$PATH
}

launch() {
  mkdir -p "$data" "$run"
  rm -f "$pidfile"
  local enter=() bridge=()
  if [ "$name" = main ]; then
    # Not docker0: that belongs to the engine that this machine may have anyway.
    [ -e /sys/class/net/ctb0 ] || { ip link add ctb0 type bridge && ip addr add 10.212.0.1/24 dev ctb0; }
    ip link set ctb0 up
    bridge=(--bridge ctb0)
  else
    namespace
    # Not `ip netns exec`: it mounts another /sys, without the control groups.
    enter=(nsenter "--net=/run/netns/cairn-$name")
    card_hook
  fi
  certificates
  setsid "${enter[@]}" dockerd --host "tcp://$(cat "$tls/address")" --tlsverify --tlscacert "$tls/ca.pem" --tlscert "$tls/server-cert.pem" --tlskey "$tls/server-key.pem" \
    "${bridge[@]}" --data-root "$data" --exec-root "$run/exec" --pidfile "$pidfile" --host "unix://$socket" \
    --storage-driver overlay2 --log-level warn >>"$run/log" 2>&1 </dev/null 8>&- 9>&- &
  local child=$!
  for _ in $(seq 600); do
    answers && return
    kill -0 "$child" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$run/log" >&2
  fail "the engine did not start; its log is $run/log"
}

start() {
  packages dockerd=docker.io docker=docker.io iptables=iptables ip=iproute2 curl=curl openssl=openssl
  { alive && answers; } || { end; launch; }
  echo "unix://$socket"
}

end() {
  local p; p=$(pid)
  if alive; then
    kill "$p"
    for _ in $(seq 300); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$p" 2>/dev/null || true
  fi
  # What a killed engine left running: found by the folder that only this one uses.
  for p in $(pgrep -f "containerd-shim.* -address $run/exec/" || true); do kill -9 "$p" 2>/dev/null || true; done
  rm -f "$pidfile" "$socket"
}

tarball() {
  local tar=$base/docker/bookworm.tar
  packages mmdebstrap=mmdebstrap >&2
  if [ ! -f "$tar" ]; then
    rm -f "$tar.new.tar"
    mmdebstrap --quiet --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates,git,tini,procps \
      bookworm "$tar.new.tar" >&2 </dev/null 8>&- 9>&-
    mv "$tar.new.tar" "$tar"
  fi
  echo "$tar"
}

base_image() {
  alive || fail "it is not running; run: $0 start $name"
  if ! engine image inspect "$image" >/dev/null 2>&1; then
    exec 8>"$base/docker/.tarball.lock" && flock 8
    local tar; tar=$(tarball)
    exec 8>&-
    engine import --change 'CMD ["bash"]' "$tar" "$image" >/dev/null
  fi
  echo "$image"
}

[ "$(id -u)" = 0 ] || fail "an engine of our own needs root"
mkdir -p "$base/docker"
exec 9>"$base/docker/.$name.lock" && flock 9
case $verb in
  start) start ;;
  base) base_image ;;
  tls) alive || fail "it is not running; run: $0 start"; echo "tcp://$(cat "$tls/address") $tls" ;;
  socket) alive || fail "it is not running; run: $0 start"; echo "unix://$socket" ;;
  stop) end; if [ "$name" = main ]; then ip link del ctb0 2>/dev/null || true; else remove_namespace; fi ;;
  *) fail "usage: $0 start|stop|socket|tls|base [NAME]" ;;
esac

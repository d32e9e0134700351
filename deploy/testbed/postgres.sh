#!/usr/bin/env bash
# postgres.sh start|stop|url: a PostgreSQL server of our own for tests, on a loopback port, as an unprivileged user.
# `start` is safe to repeat and prints the URL; its data are thrown away by deleting the folder below.
set -euo pipefail

base="${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed"
root="$base/postgres"

fail() { echo "postgres.sh: $*" >&2; exit 1; }

# The server's programs: on the PATH, else the newest of Debian's folders.
find_programs() {
    local folder
    if folder="$(dirname "$(command -v pg_ctl 2>/dev/null)" 2>/dev/null)" && [ -x "$folder/initdb" ]; then
        echo "$folder"; return
    fi
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        [ -x "$folder/pg_ctl" ] && { echo "$folder"; return; }
    done
    return 1
}

# PostgreSQL refuses to run as root: then a user of the system without privileges owns the data and the server.
as_owner() {
    if [ "$(id -u)" -ne 0 ]; then "$@"; else setpriv --reuid="$owner" --regid="$group" --clear-groups -- "$@"; fi
}

choose_owner() {
    owner="$(id -un)" group="$(id -gn)"
    [ "$(id -u)" -eq 0 ] || return 0
    owner=nobody
    getent passwd postgres >/dev/null && owner=postgres
    group="$(id -gn "$owner")"
    # Its home may be root's alone, so the data lie where that user can reach them.
    root="/var/lib/cairn-testbed/postgres"
}

url() { echo "postgres://cairn@127.0.0.1:$(cat "$root/port")/cairn"; }

running() { [ -f "$root/data/postmaster.pid" ] && as_owner "$programs/pg_ctl" -D "$root/data" status >/dev/null 2>&1; }

free_port() {
    local port
    for port in $(seq 54320 54399); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    fail "no port between 54320 and 54399 is free"
}

create() {
    mkdir -p "$root"
    [ "$(id -u)" -ne 0 ] || chown "$owner:$group" "$(dirname "$root")" "$root"
    rm -rf "$root/new"
    as_owner "$programs/initdb" -D "$root/new" -U cairn --auth=trust --encoding=UTF8 --locale=C -N >/dev/null
    # Durability would only slow tests down: what survives a crash of PostgreSQL is PostgreSQL's own promise.
    as_owner tee -a "$root/new/postgresql.conf" >/dev/null <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
fsync = off
full_page_writes = off
CONF
    as_owner "$programs/postgres" --single -D "$root/new" postgres >/dev/null 2>&1 <<<'CREATE DATABASE cairn'
    as_owner mv "$root/new" "$root/data"
}

start() {
    programs="$(find_programs)" || fail "PostgreSQL is not installed; run: apt-get install postgresql"
    mkdir -p "$(dirname "$root")"
    exec 9>"$(dirname "$root")/lock"
    if command -v flock >/dev/null; then flock 9; fi
    [ -f "$root/data/PG_VERSION" ] || create
    if ! running; then
        free_port | as_owner tee "$root/port" >/dev/null
        cd /
        as_owner "$programs/pg_ctl" -D "$root/data" -l "$root/log" -o "-p $(cat "$root/port")" -w -t 60 start >/dev/null 9>&- \
            || { tail -n 20 "$root/log" >&2; fail "the server did not start"; }
    fi
    url
}

stop() {
    programs="$(find_programs)" || return 0
    running || return 0
    as_owner "$programs/pg_ctl" -D "$root/data" -m fast -w stop >/dev/null
}

choose_owner
case "${1:-}" in
    start) start ;;
    stop) stop ;;
    url) [ -f "$root/port" ] || fail "it is not running; run: $0 start"; url ;;
    *) fail "usage: $0 start|stop|url" ;;
esac

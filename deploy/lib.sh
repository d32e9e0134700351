# Shared by the scripts beside it: where things are cached, what must be installed. Sourced, never run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/cairn
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# packages PACKAGE… : installs Debian packages as root, else prints the exact command. The caller decides whether going on makes sense.
packages() {
  if [ "$(id -u)" = 0 ] && have apt-get; then
    say "Installing Debian packages: $*"
    local log=$cache/apt.log
    mkdir -p "$cache"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1 \
      || { tail -n 20 "$log" >&2; return 1; }
  elif have apt-get; then
    say "Missing Debian packages. Install them with:  sudo apt-get install --no-install-recommends $*"
    return 1
  else
    say "Missing on this system: $*"
    return 1
  fi
}

# optional COMMAND PACKAGE WHY : wants a command, does without it if need be.
optional() {
  have "$1" && return 0
  packages "$2" || say "Going on without $1: $3"
}

# required COMMAND PACKAGE : cannot go on without a command.
required() {
  have "$1" || packages "$2" || fail "$1 is needed"
  have "$1" || fail "$1 is still not found"
}

version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

need_rust() {
  have cargo || { [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$HOME/.cargo/bin:$PATH; }
  have cargo || fail "Rust is needed. Install it with:  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  version_at_least 1.95 "$(rustc --version | awk '{print $2}')" || fail "Rust 1.95 or later is needed, this is $(rustc --version). Run:  rustup update stable"
  required cc build-essential
}

need_node() {
  have node && have npm || packages nodejs npm || fail "Node.js 20 or later is needed to build the app: https://nodejs.org"
  version_at_least 20 "$(node --version | tr -d v)" || fail "Node.js 20 or later is needed, this is $(node --version): https://nodejs.org"
}

# uv makes Python environments. A private copy is used where none is installed.
need_uv() {
  if have uv; then CAIRN_UV=$(command -v uv)
  elif [ -x "$cache/bin/uv" ]; then CAIRN_UV=$cache/bin/uv
  else
    have python3 || packages python3 python3-venv || fail "Python 3.10 or later is needed"
    python3 -c 'import ensurepip' 2>/dev/null || packages python3-venv || fail "Python's venv module is needed"
    say "Installing uv into $cache/uv"
    rm -rf "$cache/uv.new" && mkdir -p "$cache"
    python3 -m venv "$cache/uv.new" && "$cache/uv.new/bin/pip" --quiet --disable-pip-version-check install 'uv>=0.9'
    rm -rf "$cache/uv" && mv "$cache/uv.new" "$cache/uv"
    # In a folder of its own, so that this folder on a PATH brings no other Python along.
    mkdir -p "$cache/bin" && ln -sf "$cache/uv/bin/uv" "$cache/bin/uv"
    CAIRN_UV=$cache/bin/uv
  fi
  export CAIRN_UV
}

# Builds the app's static files; nothing is done when no source is newer than they are.
build_frontend() {
  need_node
  cd "$root/frontend"
  local stamp=node_modules/.cairn-installed
  if [ ! -e "$stamp" ] || [ package-lock.json -nt "$stamp" ]; then
    say "Installing the front end's packages"
    # Not `npm ci`: it refuses a lock file from which a registry left out the packages of other platforms.
    npm install --no-save --no-audit --no-fund --loglevel=error >&2
    touch "$stamp"
  fi
  if [ ! -e app/dist/index.html ] || [ ! -e labextension/dist/package.json ] || [ -n "$(find api app labextension package.json ../python/src/cairn -newer app/dist/index.html -not -path '*/node_modules*' -not -path '*/dist/*' -not -name '*.pyc' -type f -print -quit)" ]; then
    say "Building the front end"
    npm run --silent build >&2
    touch app/dist/index.html
  fi
  cd "$root"
}

# build_inside [release] [PACKAGE…] : builds `cairn-inside`, the part of Cairn that every container is shown, and puts it beside `cairn`, which
# looks for it there. Static, so that it runs in any image: hence a build of its own, kept apart from the others by naming the target.
build_inside() {
  local profile=dev folder=debug triple package packages=(-p inside)
  if [ "${1:-}" = release ]; then profile=release folder=release; shift; fi
  for package in "$@"; do packages+=(-p "$package"); done
  if [ "$(uname)" != Linux ]; then return 0; fi
  triple=$(rustc -vV | sed -n 's/^host: //p')
  if ! RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile "$profile" --target "$triple" "${packages[@]}" --bins; then
    say "Going on without containers: cairn-inside was not built"
    return 0
  fi
  mkdir -p "$CARGO_TARGET_DIR/$folder"
  # By way of another name: containers that run keep the file that they have.
  cp "$CARGO_TARGET_DIR/$triple/$folder/cairn-inside" "$CARGO_TARGET_DIR/$folder/cairn-inside.new"
  mv "$CARGO_TARGET_DIR/$folder/cairn-inside.new" "$CARGO_TARGET_DIR/$folder/cairn-inside"
}

data_dir() { if [ -n "${CAIRN_DATA_DIR:-}" ]; then echo "$CAIRN_DATA_DIR"; else echo "${XDG_DATA_HOME:-$HOME/.local/share}/cairn"; fi; }

#!/usr/bin/env bash
# Makes, or finds again, a Python environment for tests, and prints its path (nothing else on stdout).  environment.sh NAME PACKAGE…
# It lies in ${XDG_CACHE_HOME:-~/.cache}/cairn-testbed/NAME. A changed list of packages makes it anew. `AFTER` is a command that is run in it once, with
# its bin folder on the PATH.
set -euo pipefail

name=${1:?a name}
shift
root="${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed"
environment="$root/$name"
stamp="$environment/.cairn-testbed"
mkdir -p "$root"

# Two test runs at once make it once.
exec 9>"$root/.$name.lock"
flock 9

if [ "$(cat "$stamp" 2>/dev/null)" != "$* ${AFTER:-}" ]; then
  rm -rf "$environment"
  if command -v uv >/dev/null; then
    uv venv --quiet "$environment" >&2
    uv pip install --quiet --python "$environment/bin/python" "$@" >&2
  else
    python3 -m venv "$environment" >&2
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2
  fi
  PATH="$environment/bin:$PATH" ${AFTER:-true} >&2
  echo "$* ${AFTER:-}" >"$stamp"
fi
echo "$environment"

#!/usr/bin/env bash
# Makes, or finds again, the Python environment with the packages that judge exported lineages, and prints its path (nothing else on stdout).
# It lies in ${XDG_CACHE_HOME:-~/.cache}/cairn-testbed/lineage. A changed list of packages makes it anew.
set -euo pipefail

packages=("openlineage-python>=1.40,<2" "prov>=2.0,<4")
root="${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed"
environment="$root/lineage"
stamp="$environment/.cairn-testbed"
mkdir -p "$root"

# Two test runs at once make it once.
exec 9>"$root/.lineage.lock"
flock 9

if [ "$(cat "$stamp" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -rf "$environment"
  if command -v uv >/dev/null; then
    uv venv --quiet "$environment" >&2
    uv pip install --quiet --python "$environment/bin/python" "${packages[@]}" >&2
  else
    python3 -m venv "$environment" >&2
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2
  fi
  echo "${packages[*]}" >"$stamp"
fi
echo "$environment"

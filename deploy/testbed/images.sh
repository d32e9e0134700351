#!/usr/bin/env bash
# images.sh [NAME]: builds the base and the data science image with the tests' Docker engine NAME (see docker.sh), which must run, and prints
# `NAME ID` for each. Found again when nothing changed. Trusts what this machine trusts, also behind a proxy that intercepts TLS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${DOCKER_HOST:-}" ]; then
  DOCKER_HOST=$("$here/docker.sh" socket "${1:-main}")
  "$here/docker.sh" base "${1:-main}" >/dev/null
fi
if [ -z "${CAIRN_EXTRA_CA_FILE:-}" ]; then
  for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -r "$bundle" ] || { CAIRN_EXTRA_CA_FILE=$bundle; break; }
  done
fi
export DOCKER_HOST CAIRN_EXTRA_CA_FILE
mkdir -p "${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed"
# Two test runs at once build once.
exec 9>"${XDG_CACHE_HOME:-$HOME/.cache}/cairn-testbed/.images.lock" && flock 9
exec "$here/../images.sh" base datascience

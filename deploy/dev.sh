#!/usr/bin/env bash
# The front end with reloading, against the server that `make up` started (or the one at CAIRN_URL).
source "$(dirname "$0")/lib.sh"
build_frontend
cd "$root/frontend"
CAIRN_URL=${CAIRN_URL:-http://localhost:8000} exec npm run dev

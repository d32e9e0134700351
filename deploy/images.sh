#!/usr/bin/env bash
# images.sh [IMAGE…]: builds the shipped images with the Docker engine of this machine (DOCKER_HOST). Without IMAGE: base datascience.
# images.sh lock: chooses the newest versions again and writes each requirements.txt that has a requirements.in. Else exactly those are installed.
#
# An image that was built of the same files on the same base is found again and not built. Prints `NAME ID` for each image; what it does goes to
# stderr. Settings of this machine for package indexes (variables, pip.conf, uv.toml, apt's proxy) are handed to the builder and are not in the
# image. CAIRN_EXTRA_CA_FILE: certificate authorities to trust meanwhile. CAIRN_APT_MIRROR: instead of http://deb.debian.org/debian.
# CAIRN_BUILD_NETWORK: network of the build, such as `host`.
source "$(dirname "$0")/lib.sh"
images=$root/deploy/images

lock() {
  need_uv
  cd "$images"
  local name
  for name in base datascience pytorch-cuda; do
    say "Choosing versions for $name"
    "$CAIRN_UV" pip compile --quiet --no-config --upgrade --python-version 3.11 --python-platform linux --generate-hashes --no-annotate \
      --custom-compile-command "deploy/images.sh lock" "$name/requirements.in" --output-file "$name/requirements.txt"
  done
}

# What the builder is told of this machine's package indexes, as files below `settings/`.
settings() { # FOLDER
  mkdir -p "$1/settings"
  local name value
  : >"$1/settings/env"
  for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT UV_DEFAULT_INDEX UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL \
    UV_INSECURE_HOST UV_HTTP_TIMEOUT; do
    [ -z "${!name:-}" ] || echo "$name=${!name}" >>"$1/settings/env"
  done
  value=$(python3 -m pip config get global.index-url 2>/dev/null || true)
  if [ -n "$value" ] && ! grep -qE '^(PIP|UV)_(INDEX_URL|DEFAULT_INDEX)=' "$1/settings/env"; then
    printf 'PIP_INDEX_URL=%s\nUV_DEFAULT_INDEX=%s\n' "$value" "$value" >>"$1/settings/env"
  fi
  for name in "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" /etc/uv/uv.toml; do
    [ ! -f "$name" ] || { cp "$name" "$1/settings/uv.toml"; break; }
  done
  [ -z "${CAIRN_EXTRA_CA_FILE:-}" ] || cp "$CAIRN_EXTRA_CA_FILE" "$1/settings/ca.crt"
}

# Docker keeps these arguments out of what an image tells of its making.
proxies() {
  local name value
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || printf -- '--build-arg\n%s\n' "$name"
  done
  value=$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null | sed -n "s/^proxy='\(.*\)'$/\1/p" || true)
  [ -z "$value" ] || [ -n "${http_proxy:-}" ] || printf -- '--build-arg\nhttp_proxy=%s\n' "$value"
}

id_of() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }

build() { # NAME
  local name=$1 from base digest arguments id
  [ -f "$images/$name/Dockerfile" ] || fail "there is no image $name; there are: $(cd "$images" && ls -d */ | tr -d /\\n | xargs echo)"
  case $name in
    base) from=debian:bookworm-slim; id_of "$from" >/dev/null || docker pull --quiet "$from" >/dev/null ;;
    datascience) from=cairn/base ;;
    *) from=cairn/datascience ;;
  esac
  if [ "$name" != base ] && [ -z "${built[${from#cairn/}]:-}" ]; then build "${from#cairn/}"; fi
  base=${built[${from#cairn/}]:-$(id_of "$from")}
  digest=$({ echo "$base ${CAIRN_APT_MIRROR:-}"; cd "$images" && cat "$name/Dockerfile" "$name/requirements.txt" install.sh; } | sha256sum | cut -c1-16)
  if ! id=$(id_of "cairn/$name:$digest"); then
    say "Building cairn/$name on $from"
    mapfile -t arguments < <(proxies)
    [ "$name" = base ] || arguments+=(--build-arg "FROM=$base")
    [ -z "${CAIRN_APT_MIRROR:-}" ] || arguments+=(--build-arg "APT_MIRROR=$CAIRN_APT_MIRROR")
    local begun=$SECONDS log=$scratch/$name.log
    rm -rf "$scratch/context" && mkdir "$scratch/context"
    cp "$images/$name/Dockerfile" "$images/$name/requirements.txt" "$images/install.sh" "$scratch/context"
    settings "$scratch/context"
    docker build --network "${CAIRN_BUILD_NETWORK:-default}" --tag "cairn/$name:$digest" "${arguments[@]}" "$scratch/context" >"$log" 2>&1 \
      || { tail -n 40 "$log" >&2; fail "cairn/$name was not built"; }
    id=$(id_of "cairn/$name:$digest")
    say "Built cairn/$name in $((SECONDS - begun)) s: $(docker image inspect --format '{{.Size}}' "$id" | awk '{printf "%.0f MB", $1 / 1e6}')"
  fi
  docker tag "$id" "cairn/$name:latest"
  built[$name]=$id
  echo "cairn/$name $id"
}

if [ "${1:-}" = lock ]; then lock; exit; fi
have docker || fail "the docker command is needed (Debian: docker.io)"
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || fail "no Docker engine answers at ${DOCKER_HOST:-unix:///var/run/docker.sock}"
[ -z "${CAIRN_EXTRA_CA_FILE:-}" ] || [ -r "$CAIRN_EXTRA_CA_FILE" ] || fail "CAIRN_EXTRA_CA_FILE cannot be read: $CAIRN_EXTRA_CA_FILE"
declare -A built
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
[ $# -gt 0 ] || set -- base datascience
for name in "$@"; do [ -n "${built[$name]:-}" ] || build "$name"; done

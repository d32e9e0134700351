# install.sh REQUIREMENTS…: installs pinned packages into /opt/cairn, and leaves what is new by that in /new. Runs in the stage `packages`.
#
# `settings/` holds what the machine that builds needs for its package indexes: `env` (variables), `ca.crt` (certificate authorities to trust
# besides the public ones), `uv.toml`. Each may be missing. /new holds new files only, so that an image adds no second copy of what it builds on.
set -eu
export UV_LINK_MODE=copy UV_NO_CACHE=1 UV_NO_PROGRESS=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

if [ -s /settings/env ]; then
  while IFS='=' read -r name value; do export "$name=$value"; done </settings/env
fi
if [ -s /settings/uv.toml ]; then export UV_CONFIG_FILE=/settings/uv.toml; else export UV_NO_CONFIG=1; fi
if [ -s /settings/ca.crt ]; then
  cat /etc/ssl/certs/ca-certificates.crt /settings/ca.crt >/settings/bundle.crt
  export SSL_CERT_FILE=/settings/bundle.crt PIP_CERT=/settings/bundle.crt REQUESTS_CA_BUNDLE=/settings/bundle.crt
fi

touch /began
if [ ! -x /opt/cairn/bin/uv ]; then
  python3 -m venv /tmp/first
  # With the very hash that the list of the image has for it.
  sed -n '/^uv==/,/[^\\]$/p' "$1" >/tmp/uv.txt
  /tmp/first/bin/pip install --quiet --require-hashes -r /tmp/uv.txt
  /tmp/first/bin/uv venv --quiet --python /usr/bin/python3 --prompt cairn /opt/cairn
  PATH=/tmp/first/bin:$PATH
fi
for list in "$@"; do
  uv pip install --python /opt/cairn/bin/python --compile-bytecode -r "$list"
done
uv pip check --python /opt/cairn/bin/python
rm -f /opt/cairn/.lock

mkdir /new
cd /
find opt/cairn -cnewer /began \( -type f -o -type l \) -print0 | tar --create --null --no-recursion --files-from - | tar --extract --directory /new
chmod -R a+rX /new

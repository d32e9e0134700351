# Installs /cairn-build/requirements.txt into the image's own Python, and leaves what is new by that below /cairn-new.
set -eu
export UV_LINK_MODE=copy UV_NO_CACHE=1 UV_NO_PROGRESS=1 UV_NO_CONFIG=1
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off PYTHONDONTWRITEBYTECODE=1
cd /cairn-build
if [ -s env ]; then
  while IFS='=' read -r name value; do export "$name=$value"; done <env
fi
if [ -s ca-certificates.crt ]; then
  export SSL_CERT_FILE=/cairn-build/ca-certificates.crt PIP_CERT=/cairn-build/ca-certificates.crt REQUESTS_CA_BUNDLE=/cairn-build/ca-certificates.crt
  export CURL_CA_BUNDLE=/cairn-build/ca-certificates.crt
fi
python=$(command -v python3 || command -v python) || { echo "The image has no Python to install packages into." >&2; exit 1; }
touch /cairn-build/began
if command -v uv >/dev/null; then
  uv pip install --python "$python" --break-system-packages --compile-bytecode -r requirements.txt
else
  "$python" -m pip install --break-system-packages -r requirements.txt 2>/cairn-build/complaint || {
    # Older than the option.
    if grep -q 'no such option' /cairn-build/complaint; then "$python" -m pip install -r requirements.txt
    else cat /cairn-build/complaint >&2; exit 1; fi
  }
fi
mkdir /cairn-new
cd /
find . -xdev \( -path ./cairn-build -o -path ./cairn-new -o -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./run -o -path ./root/.cache -o -path ./var/cache \
  -o -path ./etc/hosts -o -path ./etc/hostname -o -path ./etc/resolv.conf -o -name .lock \) -prune -o -cnewer /cairn-build/began \( -type f -o -type l \) -print0 \
  | tar --create --null --no-recursion --files-from - | tar --extract --directory /cairn-new
chmod -R a+rX /cairn-new

"""Other programs' doors into a workspace: jupyter-kernel-client, and JupyterLab with --gateway-url.

doors.py WORKSPACE_URL TOKEN PYTHON: PYTHON has JupyterLab. Prints one line for each door that works; fails at the first that does not.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from jupyter_kernel_client import JupyterKernelClient

CODE = "import os; print(os.environ['CAIRN_WORKSPACE_ID'], 6 * 7)"


def run(url: str, token: str) -> str:
    """Runs a cell through a server and returns what it prints."""
    with JupyterKernelClient(server_url=url, token=token) as kernel:
        reply = kernel.execute(CODE)
    return "".join(output.get("text", "") for output in reply["outputs"])


@contextlib.contextmanager
def lab(python: str, gateway: str, token: str):
    """A JupyterLab of this machine whose kernels run in the workspace: its address and token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as home:
        argv = [python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--gateway-url", gateway]
        environment = {**os.environ, "HOME": home, "JUPYTER_TOKEN": own, "JUPYTER_GATEWAY_AUTH_TOKEN": token}
        with open(os.path.join(home, "log"), "w+", encoding="utf-8") as log:
            server = subprocess.Popen(argv, cwd=home, env=environment, stdout=log, stderr=log)
            try:
                url = f"http://127.0.0.1:{port}"
                for _ in range(300):
                    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api", timeout=2):
                        break
                    if server.poll() is not None:
                        break
                    time.sleep(0.2)
                else:
                    raise TimeoutError("JupyterLab did not start")
                yield url, own
            except BaseException:
                log.seek(0)
                sys.stderr.write(log.read()[-4000:])
                raise
            finally:
                server.terminate()
                server.wait(30)


def main() -> None:
    workspace, token, python = sys.argv[1:]
    expected = f"{workspace.rsplit('/', 1)[-1]} 42"
    said = run(workspace, token)
    assert expected in said, said
    print("jupyter-kernel-client")
    with lab(python, workspace, token) as (url, own):
        said = run(url, own)
        assert expected in said, said
    print("--gateway-url")


main()

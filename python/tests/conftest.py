import atexit
import signal
import sys

import pytest
from service import TOKEN, Service, serve

from cairn import _api


@pytest.fixture(autouse=True)
def hears_interrupts():
    """A process in the background of a shell is started deaf to interrupts, and stays so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def server(service):
    server = serve(service)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that were waited for, without waiting."""
    waited = []
    monkeypatch.setattr(_api.Client.__init__, "__kwdefaults__", {"ca_file": None, "pause": waited.append})
    return waited


@pytest.fixture
def workspace(server, pauses, monkeypatch, tmp_path):
    """A kernel's surroundings: a home with a project folder, and the variables of a workspace."""
    (tmp_path / "work").mkdir()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("CAIRN_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("CAIRN_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("CAIRN_WORKSPACE_ID", "w1")
    for name in ("CAIRN_CA_FILE", "CAIRN_INPUTS", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


class Kernel:
    """A real IPython shell, told cells as JupyterLab tells them."""

    def __init__(self, shell, capsys):
        self.shell, self._capsys = shell, capsys

    def run(self, source):
        """The result and what was printed."""
        result = self.shell.run_cell(source, store_history=True)
        return result, self._capsys.readouterr().out

    def ok(self, source):
        result, out = self.run(source)
        result.raise_error()
        return result.result, out

    def fails(self, source):
        """The error's words, as they are shown."""
        result, out = self.run(source)
        error = result.error_in_exec or result.error_before_exec
        assert type(error).__name__ == "CairnError", out
        assert "Traceback" not in out
        return str(error)


@pytest.fixture
def kernel(workspace, capsys):
    from IPython.core.history import HistoryManager
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    main, excepthook = sys.modules["__main__"], sys.excepthook
    shell = InteractiveShell.instance(config=config)
    assert isinstance(shell.history_manager, HistoryManager)
    kernel = Kernel(shell, capsys)
    kernel.ok("%load_ext cairn")
    yield kernel
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    InteractiveShell.clear_instance()
    sys.modules["__main__"], sys.excepthook = main, excepthook

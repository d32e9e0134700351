"""Puts the recorder into a Jupyter server: its settings, its websockets, its end."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from traitlets import Float, Int

from .connection import RecordedConnection
from .notebooks import Notebooks
from .recorder import Recorder


class RecorderExtension(ExtensionApp):
    """Enabled, it records; there is nothing else to switch on."""

    name = "cairn_server"
    app_name = "Cairn recorder"
    description = "Makes sure that the outputs of cells land in the notebook, whether or not a browser is connected."

    grace_s = Float(
        5.0, config=True, help="How long a lost connection may stay away before its executions are taken over."
    )
    alone_s = Float(
        150.0,
        config=True,
        help=(
            "The same where there are no shared documents. A page that comes back is only told what nobody has taken over, and JupyterLab"
            " tries for two minutes."
        ),
    )
    cell_limit = Int(64_000_000, config=True, help="The most output that is recorded of one execution, in bytes.")
    memory = Int(256_000_000, config=True, help="About how much output is kept of executions that are over, in bytes.")

    recorder: Recorder | None = None

    def initialize_settings(self) -> None:
        """Called once the server has its managers."""
        # A copy of the server's, which is updated from it.
        settings = self.settings
        if settings.get("kernel_websocket_connection_class") is ZMQChannelsWebsocketConnection:
            settings["kernel_websocket_connection_class"] = RecordedConnection
        if not issubclass(settings.get("kernel_websocket_connection_class") or object, RecordedConnection):
            self.log.warning("Cairn's recorder does nothing here: kernels are reached in another way")
            return
        self.recorder = Recorder(
            self.serverapp.kernel_manager,
            Notebooks(self.serverapp, self.log),
            self.log,
            grace_s=self.grace_s,
            alone_s=self.alone_s,
            limit=self.cell_limit,
            memory=self.memory,
        )
        settings["cairn_recorder"] = self.recorder

    async def stop_extension(self) -> None:
        """Called before the kernels end."""
        if self.recorder is not None:
            await self.recorder.stop()

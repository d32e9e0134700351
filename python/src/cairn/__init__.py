"""Cairn in a notebook: `%load_ext cairn`, then `%%job` runs a cell as a job.

Needs nothing but the standard library. IPython is asked for by `load_ipython_extension` only, so `import cairn` works everywhere.
"""

from __future__ import annotations

from typing import Any

from ._errors import CairnError
from ._job import Job

__all__ = ["CairnError", "Job", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(shell: Any) -> None:
    """Registers `%%job`, `%job` and `%jobs`. Asks nothing of the service, so it works while Cairn is away."""
    from ._magic import CairnMagics

    magics = CairnMagics(shell)
    shell.register_magics(magics)
    magics.watch()


def unload_ipython_extension(shell: Any) -> None:
    """Takes the magics away again. Jobs that were submitted go on."""
    from ._magic import CairnMagics

    magics = shell.magics_manager.registry.pop(CairnMagics.__name__, None)
    if magics is None:
        return
    magics.unwatch()
    for kind, names in CairnMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)

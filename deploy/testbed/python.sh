#!/usr/bin/env bash
# Makes, or finds again, the Python environment whose real kernels the tests use, and prints its path (nothing else on stdout).
AFTER="python -m bash_kernel.install --sys-prefix" exec "$(dirname "$0")/environment.sh" kernels ipykernel papermill nbclient ipywidgets bash_kernel

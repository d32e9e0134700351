#!/usr/bin/env bash
# Makes, or finds again, the Python environment with the packages that judge exported lineages, and prints its path (nothing else on stdout).
exec "$(dirname "$0")/environment.sh" lineage "openlineage-python>=1.40,<2" "prov>=2.0,<4"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the environment .venv beside this script if it is missing, and runs a study in it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
for argument in "$@"; do
    if [ "$argument" = -h ] || [ "$argument" = --help ]; then
        cat <<'HELP'
usage: ./run_study.sh [options of vae_ortho_study]

Installs what is needed into .venv beside this script (once, nothing global; PYTHON names the Python
to use), then runs vae_ortho_study there. Its help:

HELP
        cd "$root"
        exec "${PYTHON:-python3}" -m vae_ortho_plugin.study.run --help
    fi
done

env=$("$root/scripts/make_env.sh" | tail -n 1)
exec "$env/bin/vae_ortho_study" "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes, repairs or updates the virtual environment beside run_study.sh and run_tests.sh, and prints its path.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/make_env.sh [--python PYTHON] [--tensorflow X.Y] [--dev] [--cluster]

Installs this project, TensorFlow and disentanglement_lib 1.5 into .venv in the repository's root and
prints that directory's path on the last line. Does nothing when it is complete already; an installation
that was interrupted is started again. Nothing outside the directory is changed.

  --python PYTHON    make it with this Python, 3.10 to 3.13 (default: $PYTHON, else the one there, else python3)
  --tensorflow X.Y   with this TensorFlow, in a directory of its own, .venv-pyA.B-tfX.Y
  --dev              with the test tools as well
  --cluster          with Snakemake as well, which needs Python 3.11 or later
HELP
}

say() { echo "$@" >&2; }
die() {
    say "error: $*"
    exit 1
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python=${PYTHON:-}
tensorflow=
asked=,
while [ $# -gt 0 ]; do
    case $1 in
        --python | --tensorflow)
            [ $# -ge 2 ] || die "$1 needs a value (see --help)"
            if [ "$1" = --python ]; then python=$2; else tensorflow=$2; fi
            shift
            ;;
        --dev) asked+=dev, ;;
        --cluster) asked+=cluster, ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) die "unknown argument '$1' (see --help)" ;;
    esac
    shift
done
[[ -z $tensorflow || $tensorflow =~ ^[0-9]+\.[0-9]+$ ]] || die "--tensorflow takes a release such as 2.18, not '$tensorflow'"

env=$root/.venv
if [ -z "$python" ]; then
    python=python3
    if [ -z "$tensorflow" ] && "$env/bin/python" -c '' 2>/dev/null; then python=$env/bin/python; fi
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    die "'$python' is no Python that runs. Install Python 3.10 to 3.13, or name one with --python."
case $version in
    3.10 | 3.11 | 3.12 | 3.13) ;;
    *) die "'$python' is Python $version; TensorFlow needs 3.10 to 3.13 here. Name one with --python, for example --python python3.12." ;;
esac
[ -z "$tensorflow" ] || env=$root/.venv-py$version-tf$tensorflow

# Two scripts started together must not install into the same directory; systems without flock go unprotected.
exec 9>"$env.lock"
if command -v flock >/dev/null && ! flock -n 9; then
    say "Waiting for another script that installs into $env ..."
    flock 9
fi

# What decides whether an environment is still the right one.
key=$("$python" - "$version" "$tensorflow" "$root" <<'EOF2'
import hashlib, pathlib, sys
digest = hashlib.sha256(repr(sys.argv[1:]).encode())
for name in ("setup.py", "pyproject.toml", "vae_ortho_plugin.pth", "scripts/make_env.sh"):
    digest.update(pathlib.Path(sys.argv[3], name).read_bytes())
print(digest.hexdigest())
EOF2
)
state=$env/vae_ortho_state
{ read -r made_in && read -r made_from made_for; } 2>/dev/null <"$state" || true
# Extras that are asked for and those that are there, in one order.
extras() {
    local extra found=
    for extra in dev cluster; do
        case ",${made_for:-}$asked" in *,$extra,*) found=${found:+$found,}$extra ;; esac
    done
    echo "$found"
}
if [ "${made_in:-}" = "$env" ] && [ "${made_from:-}" = "$key" ] && [ "${made_for:-}" = "$(extras)" ]; then
    echo "$env"
    exit 0
fi

log=$env/install.log
run() {
    "$@" >>"$log" 2>&1 || {
        say
        tail -n 15 "$log" >&2
        die "the installation failed at: $*
The whole log is in $log. Fix what it names (often the network or a full disk) and start again."
    }
}

if [ -e "$env" ] && [ ! -s "$state" ]; then
    die "$env is there, but was not made by this script. Move it away and start again."
fi
found_version=$("$env/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
fresh=
# The scripts in a directory that was moved point to where it was.
if [ "$found_version" != "$version" ] || [ "${made_in:-}" != "$env" ] || [ "${made_from:-}" = incomplete ]; then
    fresh=yes
    made_for=
    # The Python of a directory that is about to go cannot make its successor.
    if [ "$python" = "$env/bin/python" ]; then
        python=$("$python" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))')
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "'$python' has no venv module. Install it (Debian, Ubuntu: apt install python3-venv) or name another Python with --python."
    rm -rf "$env"
fi
mkdir -p "$env"
# Until the end, so that an interrupted installation is known as such and not trusted.
printf '%s\nincomplete\n' "$env" >"$state"
: >"$log"

extras=$(extras)
start=$SECONDS
if [ -n "$fresh" ]; then
    say "Installing TensorFlow, disentanglement_lib 1.5 and what they need with Python $version"
    say "into $env (2.7 GB on disk; 2 to 10 minutes the first time) ..."
    run "$python" -m venv "$env"
else
    say "Updating $env ..."
fi
pip=("$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-input)
export PIP_USER=0
run "${pip[@]}" --editable "$root${extras:+[$extras]}" ${tensorflow:+"tensorflow==$tensorflow.*"}
# Its metadata asks for TensorFlow Probability 0.7, which no resolver can put beside one that works.
run "${pip[@]}" --no-deps disentanglement-lib==1.5
printf '%s\n%s %s\n' "$env" "$key" "$extras" >"$state"
say "Installed in $((SECONDS - start)) s."
echo "$env"

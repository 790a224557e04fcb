#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the environment and runs the tests; see --help.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: ./run_tests.sh [--python PYTHON] [--tensorflow X.Y] [PYTEST ARGUMENT ...]
       ./run_tests.sh --cluster [--python PYTHON] [--tensorflow X.Y]
       ./run_tests.sh --upstream [--python PYTHON] [--tensorflow X.Y] [NAME | -PART ...]

Makes .venv beside this script where it is missing, checks style (ruff), types (mypy) and the rules between the rooms
(import-linter), and runs the tests with pytest, which gets every other argument: ./run_tests.sh -k dto

  --upstream         run disentanglement_lib's own tests instead, unmodified, from the installed package:
                     every module, or those whose names contain a NAME, but none with a part behind a minus
  --cluster          run the tests of studies by Snakemake instead, the long one on a Slurm of this machine too;
                     a test that cannot run is an error
  --python PYTHON    make the environment with this Python, 3.10 to 3.13
  --tensorflow X.Y   test with this TensorFlow (2.18 to 2.21), in an environment of its own
HELP
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
upstream=
cluster=
env_options=(--dev)
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --upstream) upstream=yes ;;
        --cluster)
            cluster=yes
            env_options+=(--cluster)
            ;;
        --python | --tensorflow)
            env_options+=("${@:1:2}")
            [ $# -lt 2 ] || shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) arguments+=("$1") ;;
    esac
    shift
done

env=$("$root/scripts/make_env.sh" "${env_options[@]}")
cd "$root"
if [ -n "$upstream" ]; then
    exec "$env/bin/python" tests/upstream.py ${arguments[@]+"${arguments[@]}"}
fi
if [ -n "$cluster" ]; then
    VAE_ORTHO_TESTS_NEED_CLUSTER=yes exec "$env/bin/python" -m pytest --long --durations=0 \
        tests/study/test_cluster_study.py ${arguments[@]+"${arguments[@]}"}
fi
status=0
"$env/bin/ruff" check . || status=1
"$env/bin/ruff" format --check . || status=1
"$env/bin/mypy" || status=1
"$env/bin/lint-imports" || status=1
# One process more than cores: each has one thread, and waits for programs, locks and the disk a quarter of the time.
processes=$("$env/bin/python" -c 'import os; print(min(4, os.cpu_count() + 1))')
# A file's tests stay together, since they share the model that it trains.
"$env/bin/python" -m pytest --numprocesses="$processes" --dist=loadfile --no-loadscope-reorder \
    ${arguments[@]+"${arguments[@]}"} || status=$?
exit "$status"

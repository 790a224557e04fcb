#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the environment .venv beside run_study.sh if it is missing, and runs the benchmarks in it.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: benchmarks/run.sh [--only ROW ...] [--python-tf114 PYTHON] [--python-torch PYTHON]
                         [--repeats N] [--seconds S] [--output DIR]
       benchmarks/run.sh --gpu [...]
       benchmarks/run.sh --list

Measures this project beside its alternatives and the limits of the machine, in alternation, and writes
DIR/table.md, DIR/table.json and DIR/growth.png after each row. A second call goes on where an interrupted one ended:
rows that were measured at the same commit with the same options are kept. Everything takes about 90 minutes on
2 cores (45 of them with TensorFlow 1.14) and needs 16 GiB of memory and 2 GB of disk. Let no other work run meanwhile.

  --list                prints the rows and what they compare
  --only ROW ...        measures only these rows
  --gpu                 measures training, DtO and input on a GPU, and checks that data, loop and noise are there;
                        without one, says so and ends
  --python-tf114 PYTHON  the Python of an environment with TensorFlow 1.14 and disentanglement_lib 1.5, made as
                        benchmarks/environment_tf114.py says; without it, its figures are "not measured"
  --python-torch PYTHON  the Python of an environment with PyTorch and disent, made as benchmarks/environment_torch.py
                        says; without it, their figures are "not measured"
  --repeats N           measurements of everything (default: 5)
  --seconds S           how long each of them takes, about, where there is a choice (default: 3)
  --output DIR          default: results/benchmarks
HELP
}

for argument in "$@"; do
    if [ "$argument" = -h ] || [ "$argument" = --help ]; then
        usage
        exit 0
    fi
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
env=$("$root/scripts/make_env.sh" | tail -n 1)
PYTHONPATH=$root exec "$env/bin/python" -m benchmarks.run "$@"

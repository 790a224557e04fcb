#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the environment .venv beside run_study.sh if it is missing, and runs the benchmarks in it.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: benchmarks/run.sh [--only ROW ...] [--python-tf114 PYTHON] [--python-torch PYTHON]
                         [--repeats N] [--seconds S] [--output DIR]
       benchmarks/run.sh --gpu [--python PYTHON] [--packages DIR ...] [--cuda DIR ...] [...]
       benchmarks/run.sh --paste [--output DIR]
       benchmarks/run.sh --list [--gpu]

Measures this project beside its alternatives and a limit of the machine, in alternation, prints the table row by
row and writes DIR/table.md and DIR/growth.png. A second call goes on where an interrupted one ended: rows that
were measured at the same commit with the same options are not measured again. Needs 16 GiB of memory and 10 GB of
disk. Let no other work run meanwhile.

  --only ROW ...         measures only these rows
  --list                 prints the rows
  --paste                puts the table into docs/performance.md and the figure beside it
  --gpu                  measures training and DtO on a GPU, within 4 minutes
  --python-tf114 PYTHON  the Python of an environment with TensorFlow 1.14 and disentanglement_lib 1.5, made as
                         benchmarks/peers/in_tf114.py says
  --python-torch PYTHON  the Python of an environment with PyTorch and disent, made as benchmarks/peers/in_torch.py says
  --python PYTHON        runs in this Python and makes no environment
  --packages DIR ...     folders of unpacked wheels, TensorFlow's and others, for that Python
  --cuda DIR ...         folders that hold CUDA's libraries, at any depth
  --repeats N            measurements of everything (default: 5; with --gpu 3)
  --seconds S            how long each of them takes, about, where there is a choice (default: 3; with --gpu 0.5)
  --output DIR           default: results/benchmarks
HELP
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python=
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        --python)
            python=${2:?--python needs a value}
            shift
            ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
if [ -z "$python" ]; then
    python=$("$root/scripts/make_env.sh" | tail -n 1)/bin/python
fi
PYTHONPATH=$root exec "$python" -m benchmarks.run "${arguments[@]}"

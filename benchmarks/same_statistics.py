# SPDX-License-Identifier: Apache-2.0
"""Do all peers train the same model?

Trains the same beta-VAEs with several seeds by the plugin and each peer, and prints, as a Markdown table, the mean final
loss, KL term and reconstruction loss with their standard errors over seeds, and the difference from the plugin in units
of its standard error. Exits with 1 if a difference exceeds three of them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.rows import TITLES
from benchmarks.run import ROOT, Bench, NotMeasured, Series

PEERS = ("plugin", "in_tf114", "in_jax", "in_torch", "in_disent")
# dlib's uniform noise with its smallest networks, read by its own generator; only dlib has it.
DUMMY = {"data_set": "dummy_data", "gin_file": str(ROOT / "benchmarks" / "dummy_data.gin")}
STEPS = {"dummy_data": 2_000, "synth_linear": 20_000}
QUANTITIES = ("loss", "kl_loss", "reconstruction_loss")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_statistics")
    parser.add_argument("--python-tf114", help="the Python of an environment with TensorFlow 1.14")
    parser.add_argument("--python-torch", help="the Python of an environment with PyTorch, disent")
    parser.add_argument("--seeds", type=int, default=5, help="models of each kind, at least 2")
    parser.add_argument("--output", type=Path, default=Path("results", "same_statistics"))
    options = parser.parse_args()
    vars(options).update(packages=[], cuda=[], gpu=False, repeats=1, seconds=1)
    bench = Bench(options, options.output.absolute() / "scratch")
    largest = 0.0
    print("| data, steps | quantity | plugin | peer | difference / its standard error |")
    print("|---|---|---|---|---|")
    for data_set, steps in STEPS.items():
        peers = PEERS[:2] if data_set == "dummy_data" else PEERS
        seeds = range(options.seeds)
        found = {peer: _losses(bench, data_set, seeds, peer) for peer in peers}
        for peer in peers[1:]:
            if isinstance(found[peer], NotMeasured):
                print(f"{peer}: {found[peer]}", file=sys.stderr)
                continue
            for quantity in QUANTITIES:
                pair = [found["plugin"][quantity], found[peer][quantity]]
                errors = [np.std(v, ddof=1) / len(v) ** 0.5 for v in pair]
                score = (np.mean(pair[0]) - np.mean(pair[1])) / np.hypot(*errors)
                largest = max(largest, abs(score))
                ours, theirs = (
                    f"{np.mean(v):.5g} ± {e:.2g}" for v, e in zip(pair, errors, strict=True)
                )
                title = TITLES.get(data_set, data_set)
                print(
                    f"| {title}, {steps:,} | {quantity} | {ours} "
                    f"| {theirs} ({peer.removeprefix('in_')}) | {score:+.2f} |",
                    flush=True,
                )
    raise SystemExit(largest > 3)


def _losses(bench: Bench, data_set: str, seeds: range, peer: str) -> dict | NotMeasured:
    """Lists of final losses by quantity, one of each seed."""
    result: dict[str, list[float]] = {quantity: [] for quantity in QUANTITIES}
    facts = DUMMY if data_set == "dummy_data" else bench.facts(data_set)
    for seed in seeds:
        task = {"kind": "train", "data_set": data_set, "batch_size": 64, "chunk": 10_000}
        series = Series(peer, peer, task | {"seed": seed}, label=f"{data_set}-{seed}")
        try:
            with bench.peer(series, facts, "same_statistics") as process:
                process.versions()
                answer = process.ask("check", STEPS[data_set])
        except NotMeasured as error:
            return error
        for quantity in QUANTITIES:
            result[quantity].append(answer[quantity])
    return result


if __name__ == "__main__":
    main()

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
    if options.seeds < 2:
        parser.error("--seeds must be at least 2")
    vars(options).update(packages=[], cuda=[], gpu=False, repeats=1, seconds=1)
    bench = Bench(options, options.output.absolute() / "scratch")
    scores: list[float] = []
    print("| data, steps | quantity | plugin | peer | difference / its standard error |")
    print("|---|---|---|---|---|")
    for data_set, steps in STEPS.items():
        plugin, *peers = PEERS[:2] if data_set == "dummy_data" else PEERS
        expected = _losses(bench, data_set, options.seeds, plugin)
        for peer in peers:
            try:
                found = _losses(bench, data_set, options.seeds, peer)
            except NotMeasured as error:
                print(f"{peer}: {error}", file=sys.stderr)
                continue
            for quantity, *pair in zip(QUANTITIES, expected, found, strict=True):
                errors = [np.std(v, ddof=1) / len(v) ** 0.5 for v in pair]
                scores.append((np.mean(pair[0]) - np.mean(pair[1])) / np.hypot(*errors))
                ours, theirs = (
                    f"{np.mean(v):.5g} ± {e:.2g}" for v, e in zip(pair, errors, strict=True)
                )
                print(
                    f"| {TITLES.get(data_set, data_set)}, {steps:,} | {quantity} | {ours} "
                    f"| {theirs} ({peer.removeprefix('in_')}) | {scores[-1]:+.2f} |",
                    flush=True,
                )
    raise SystemExit(not all(abs(score) <= 3 for score in scores))


def _losses(bench: Bench, data_set: str, seeds: int, peer: str) -> np.ndarray:
    """Final losses [quantities, seeds]."""
    facts = DUMMY if data_set == "dummy_data" else bench.facts(data_set)
    task = {"kind": "train", "data_set": data_set, "batch_size": 64, "chunk": 10_000}
    answers = []
    for seed in range(seeds):
        series = Series(peer, peer, task | {"seed": seed}, label=f"{data_set}-{seed}")
        with bench.peer(series, facts, "same_statistics") as process:
            _ = process.versions  # its first line
            answers.append(process.ask("check", STEPS[data_set]))
    return np.array([[answer[quantity] for answer in answers] for quantity in QUANTITIES])


if __name__ == "__main__":
    main()

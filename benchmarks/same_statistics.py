# SPDX-License-Identifier: Apache-2.0
"""Does this plugin train to the same statistics as dlib 1.5 on TensorFlow 1.14?

Trains the same beta-VAEs with several seeds in both and prints, as a Markdown table, the mean final loss, KL
term and reconstruction loss with their standard errors over seeds, and the difference in units of its
standard error. Exits with 1 if a difference exceeds two of them.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from environments import NAMES, ROOT, argument_parser, save_synth_linear, standard_error, train

GIN_FILES = {
    "dummy_data": ROOT / "benchmarks" / "dummy_data.gin",
    "Synth. Lin.": ROOT / "gin_configs" / "beta_vae.gin",
}
STEPS = {"dummy_data": 2_000, "Synth. Lin.": 20_000}
QUANTITIES = ("loss", "kl_loss", "reconstruction_loss")


def main() -> None:
    parser = argument_parser(__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="models of each kind, at least 2")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    largest = 0.0
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        points = Path(scratch, "points.npy")
        save_synth_linear(points)
        futures = {
            (data, name, seed): pool.submit(
                train,
                name,
                arguments.python_2020,
                Path(scratch, f"{data}-{name}-{seed}".replace(" ", "-")),
                points,
                gin_file,
                [
                    f"training_steps = {STEPS[data]}",
                    f"model.random_seed = {seed}",
                    "model.eval_steps = 1000",
                ],
            )
            for data, gin_file in GIN_FILES.items()
            for seed in seeds
            for name in NAMES
        }
        results = {key: future.result() for key, future in futures.items()}
    print(f"| data, steps | quantity | {' | '.join(NAMES)} | difference / its standard error |")
    print("|---|---|---|---|---|")
    for data in GIN_FILES:
        for quantity in QUANTITIES:
            values = [
                np.array([results[data, name, seed][quantity] for seed in seeds]) for name in NAMES
            ]
            errors = [standard_error(value) for value in values]
            score = float((values[1].mean() - values[0].mean()) / np.hypot(*errors))
            largest = max(largest, abs(score))
            means = " | ".join(
                f"{value.mean():.5g} ± {error:.2g}"
                for value, error in zip(values, errors, strict=True)
            )
            print(f"| {data}, {STEPS[data]:,} | {quantity} | {means} | {score:+.2f} |")
    raise SystemExit(largest > 2)


if __name__ == "__main__":
    main()

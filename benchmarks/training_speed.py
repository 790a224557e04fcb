# SPDX-License-Identifier: Apache-2.0
"""Steps a second of dlib_train on Synth. Lin.: this plugin against dlib 1.5 on TensorFlow 1.14.

Both train gin_configs/beta_vae.gin (beta-VAE, batch 64), in alternation. A pair of runs that differ only in
their number of steps gives one measurement: the difference in steps over the difference in the time that
dlib takes from before training until after evaluation (`elapsed_time` in train_results.json). What does not
grow with the steps, such as building and compiling the graph, exporting and evaluating, is thereby left out;
logging, summaries and checkpoints, at their ordinary intervals, are in.
"""

import statistics
import tempfile
import time
from pathlib import Path

from environments import NAMES, ROOT, argument_parser, save_synth_linear, train

# A short and a long run; the difference takes some 20 s in either environment.
STEPS = {"TensorFlow 1.14": (1_000, 5_000), "plugin": (200_000, 1_700_000)}
GOAL = 150


def main() -> None:
    parser = argument_parser(__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="measurements in each environment")
    arguments = parser.parse_args()
    speeds = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as scratch:
        points = Path(scratch, "points.npy")
        save_synth_linear(points)
        for repeat in range(arguments.repeats):
            for name in NAMES:
                seconds = []
                for steps in STEPS[name]:
                    results = train(
                        name,
                        arguments.python_2020,
                        Path(scratch, f"{name.replace(' ', '-')}-{repeat}-{steps}"),
                        points,
                        ROOT / "gin_configs" / "beta_vae.gin",
                        [
                            f"training_steps = {steps}",
                            f"model.random_seed = {repeat}",
                            "model.eval_steps = 10",
                        ],
                    )
                    seconds.append(results["elapsed_time"])
                speed = (STEPS[name][1] - STEPS[name][0]) / (seconds[1] - seconds[0])
                speeds[name].append(speed)
                print(f"{name:16} {speed:12,.0f} steps/s", flush=True)
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name in NAMES:
        print(
            f"{name:16} {medians[name]:12,.0f} steps/s, median of {arguments.repeats} "
            f"({min(speeds[name]):,.0f} to {max(speeds[name]):,.0f})"
        )
    ratio = medians["plugin"] / medians["TensorFlow 1.14"]
    print(f"ratio {ratio:.0f} (goal: at least {GOAL}), {time.strftime('%Y-%m-%d')}")
    raise SystemExit(ratio < GOAL)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""A process that makes one run of the study after the other, with TensorFlow started once.

Reads one job a line from standard input and answers with a line on standard output (both JSON):
`{"model_num": 3, "epochs": null, "directory": "…/runs/synth_linear/beta_vae/3", "log": "…"}` is
answered by `{"error": null}` when the directory is complete, else by the error; after an error it
exits.
Everything that a run prints goes to its log.
"""

import json
import os
import runpy
import shutil
import sys
import sysconfig
import time
import traceback
from pathlib import Path

from vae_ortho_plugin.errors import InputError, NonFiniteLossError

MAX_CURVE_POINTS = 500


def dlib_script(name: str) -> Path:
    """Path of an installed script of disentanglement_lib.

    Raises:
        InputError: it is not installed.
    """
    path = Path(sysconfig.get_path("scripts"), name)
    if not path.is_file():
        raise InputError(
            f"disentanglement_lib's script {name} is not in {path.parent}. Install it with "
            f"`{sys.executable} -m pip install --no-deps disentanglement-lib==1.5`."
        )
    return path


def partial_directory(directory: Path) -> Path:
    """Where a run is made before it is complete and renamed to `directory`."""
    return directory.with_name(f".{directory.name}.partial")


def curves(checkpoint_dir: Path) -> dict[str, list[list[float]]]:
    """Training curves {tag: [steps, values]} from the TensorBoard events of a directory.

    At most MAX_CURVE_POINTS points of each: means over so many stretches of training, at their ends.
    """
    import numpy as np
    import tensorflow.compat.v1 as tf

    points: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(checkpoint_dir.glob("events.out.tfevents.*")):
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points.setdefault(value.tag, []).append((event.step, value.simple_value))
    result = {}
    for tag, pairs in points.items():
        stretches = np.array_split(np.array(pairs), min(len(pairs), MAX_CURVE_POINTS))
        steps = [int(stretch[-1, 0]) for stretch in stretches]
        result[tag] = [steps, [float(stretch[:, 1].mean()) for stretch in stretches]]
    return result


def load_reproduce() -> dict:
    """The globals of disentanglement_lib's dlib_reproduce script, its `main` among them."""
    return runpy.run_path(str(dlib_script("dlib_reproduce")), run_name="dlib_reproduce")


def make_run(reproduce: dict, model_num: int, epochs: int | None, directory: Path) -> None:
    """Trains, visualizes, postprocesses and evaluates run `model_num`; `directory` appears complete.

    Adds to what dlib_reproduce writes a run.json: model number, epochs, seconds, versions, facts about
    the data, training curves.

    Args:
        epochs: shortens a run that trains longer; None trains what the study says.
    """
    partial = partial_directory(directory)
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    # dlib_reproduce formats the path: its own fields are {study} and {model_num}.
    output = str(partial).replace("{", "{{").replace("}", "}}")
    reproduce["FLAGS"](
        [
            "dlib_reproduce",
            f"--study={_study(epochs)}",
            f"--model_num={model_num}",
            f"--output_directory={output}",
        ]
    )
    try:
        reproduce["main"]([])
        facts = {
            "model_num": model_num,
            "epochs": epochs,
            "seconds": round(time.monotonic() - start, 1),
            "versions": _versions(),
            "data": data_facts(partial / "model"),
            "curves": curves(partial / "model" / "tf_checkpoint"),
        }
        (partial / "run.json").write_text(json.dumps(facts))
        partial.rename(directory)
    except NonFiniteLossError:
        raise  # its message names the last good checkpoint, which is in there
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _study(epochs: int | None) -> str:
    """Name by which dlib_reproduce finds the study, also one with shortened runs."""
    from disentanglement_lib.config import reproduce

    from vae_ortho_plugin.study.dlib_study import VaePcaV1

    if epochs is None:
        return "vae_pca_v1"
    name = f"vae_pca_v1, {epochs} epochs"
    reproduce.STUDIES[name] = VaePcaV1(epochs)
    return name


def data_facts(model_dir: Path) -> dict:
    """What a reader must know of the data: a stand-in, the random weights of Synth. Non-Lin."""
    from disentanglement_lib.utils import results

    from vae_ortho_plugin.data import synthetic_maps
    from vae_ortho_plugin.data.dsprites import origin

    config = results.gin_dict(str(model_dir / "results/gin/train.gin"))
    name = config["dataset.name"].strip("'\"")
    facts = {"name": name}
    if origin(name):
        facts["origin"] = origin(name)
    if name == "synth_nonlinear":
        facts["weight_seed"] = int(config["synth_nonlinear.weight_seed"])
        layers = synthetic_maps.random_layers(facts["weight_seed"])
        facts["weights"] = [{"kernel": k.tolist(), "bias": b.tolist()} for k, b in layers]
    return facts


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("tensorflow", "tensorflow-probability", "disentanglement-lib", "numpy")
    import vae_ortho_plugin

    return {
        "python": sys.version.split()[0],
        "vae_ortho_plugin": vae_ortho_plugin.__version__,
        **{name: version(name) for name in names},
    }


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    reproduce = None
    for line in sys.stdin:
        job = json.loads(line)
        with open(job["log"], "w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        error = None
        try:
            reproduce = reproduce or load_reproduce()
            make_run(reproduce, job["model_num"], job["epochs"], Path(job["directory"]))
        except Exception as failure:  # noqa: BLE001, reported by the parent
            traceback.print_exc()
            error = f"{type(failure).__name__}: {failure}"
        sys.stdout.flush()
        sys.stderr.flush()
        print(json.dumps({"error": error}), file=answers)
        if error:
            sys.exit(1)


if __name__ == "__main__":
    main()

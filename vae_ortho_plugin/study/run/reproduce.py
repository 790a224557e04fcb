# SPDX-License-Identifier: Apache-2.0
"""Makes one run of the study with disentanglement_lib's dlib_reproduce script, and its run.json."""

import contextlib
import functools
import json
import runpy
import shutil
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import vae_ortho_plugin
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.engine.checkpoints import CannotContinue
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import publish, seal, write_text
from vae_ortho_plugin.files.gin_files import read_bindings
from vae_ortho_plugin.files.locks import locked
from vae_ortho_plugin.study.plan.experiments import run_of
from vae_ortho_plugin.study.plan.layout import RunFiles

_MAX_CURVE_POINTS = 500


def dlib_script(name: str) -> Path:
    """Path of an installed script of disentanglement_lib; an InputError without it."""
    path = Path(sysconfig.get_path("scripts"), name)
    if not path.is_file():
        raise InputError(
            f"disentanglement_lib's script {name} is not in {path.parent}. Install it with "
            f"`{sys.executable} -m pip install --no-deps disentanglement-lib==1.5`."
        )
    return path


def load_reproduce() -> dict:
    """The globals of disentanglement_lib's dlib_reproduce script, its `main` among them."""
    return runpy.run_path(str(dlib_script("dlib_reproduce")), run_name="dlib_reproduce")


def train_and_evaluate(
    reproduce: dict, model_num: int, epochs: int | None, directory: Path
) -> None:
    """Trains, visualizes, postprocesses and evaluates a run; `directory` appears when it is complete.

    After an error or a signal, the finished steps and the checkpoints of the training run stay beside
    `directory`, and the next call continues with them. `reproduce` is from `load_reproduce`; `epochs`
    shortens a run that trains longer.
    """
    lock = RunFiles(directory).lock
    if lock.exists():
        progress.say(f"waiting for the process that {lock} names, if it still makes the run")
    # The worker of a parent that was killed may still make it, here or on another machine.
    with locked(lock, f"the run {directory}", timeout=-1):
        if not directory.exists():
            _make(reproduce, model_num, epochs, directory)


def _make(reproduce: dict, model_num: int, epochs: int | None, directory: Path) -> None:
    # Late, because they need dlib.
    from disentanglement_lib.config.reproduce import STUDIES

    from vae_ortho_plugin.study.plan.dlib_study import VaePcaV1

    partial, study = RunFiles(directory).partial, VaePcaV1(epochs)
    configuration = study.configuration(model_num)
    spent, continued = _begin(
        partial, configuration, lambda: _shorter(directory, model_num, epochs)
    )
    study.continue_from = _model_of(directory, continued)
    partial.error.unlink(missing_ok=True)
    start = time.monotonic()
    # dlib_reproduce formats the path; its own fields are {study} and {model_num}.
    output = str(partial.path).replace("{", "{{").replace("}", "}}")
    options = ["--study=vae_pca_v1", f"--model_num={model_num}", f"--output_directory={output}"]
    reproduce["FLAGS"](["dlib_reproduce", *options])
    try:
        with mock.patch.dict(STUDIES, vae_pca_v1=study), _finished_steps_skipped(reproduce):
            try:
                reproduce["main"]([])
            except CannotContinue as error:
                if study.continue_from is None:
                    raise
                progress.say(f"{study.continue_from} is not trained further: {error}")
                study.continue_from = continued = None
                reproduce["main"]([])
        # What steps left beside their finished directories when they were killed.
        for left in [*partial.path.rglob("*.unfinished"), *partial.path.rglob("*.replaced")]:
            shutil.rmtree(left, ignore_errors=True)
        for left in partial.path.rglob(".*.partial*"):
            left.unlink(missing_ok=True)
        facts = {
            "model_num": model_num,
            "epochs": epochs,  # None: the study's length
            "continued": continued,
            "seconds": round(spent + time.monotonic() - start, 1),
            "versions": _versions(),
            "data": data_facts(partial.training_gin),
            "curves": _curves(partial.checkpoints),
        }
        write_text(partial.facts, json.dumps(facts))
        seal(partial.path, without=[partial.plan])
    except BaseException as error:
        with contextlib.suppress(OSError):  # such as the full disk that is the error
            if isinstance(error, Exception):  # no signal
                write_text(partial.error, f"{type(error).__name__}: {error}")
            _note(partial, configuration, continued, spent + time.monotonic() - start)
        raise
    publish(partial.path, directory)
    # Last, because an unfinished run without its configuration is not continued.
    RunFiles(directory).plan.unlink(missing_ok=True)


def _shorter(directory: Path, model_num: int, epochs: int | None) -> str | None:
    """The longest finished run that the run in `directory` can train further, as DATA/MODEL/SEED; None without any.

    The two differ by fewer epochs alone, and were made by the same versions.
    """
    run, runs = run_of(model_num), directory.parents[2]
    data, versions = run.experiment.data.shortened(epochs), _versions()
    found = {}
    for path in runs.glob(f"*/{run.experiment.model}/{run.seed}"):
        files = RunFiles(path)
        if not (files.tracked.is_file() and files.facts.is_file()):
            continue
        facts = json.loads(files.facts.read_text(encoding="utf-8"))
        other = run_of(facts["model_num"]).experiment.data.shortened(facts["epochs"])
        alike = other.but_for_epochs == data.but_for_epochs and facts["versions"] == versions
        if alike and other.epochs < data.epochs:
            found[other.epochs] = path.relative_to(runs).as_posix()
    return found[max(found)] if found else None


def _model_of(directory: Path, run: str | None) -> Path | None:
    """The model of a finished run beside the one in `directory`, as long as it is there."""
    if run is None:
        return None
    model = directory.parents[2] / run / "model"
    return model if model.is_dir() else None


def _note(partial: RunFiles, configuration: dict, continued: str | None, seconds: float) -> None:
    facts = {**configuration, "continued": continued, "seconds": round(seconds, 1)}
    write_text(partial.plan, json.dumps(facts, indent=1))


def _begin(
    partial: RunFiles, configuration: dict, shorter: Callable[[], str | None]
) -> tuple[float, str | None]:
    """Makes the directory of an unfinished run ready; returns the seconds spent on it before, and what it continues.

    A run that begins continues what `shorter` returns. One of another configuration, such as of an older version, is
    set aside under another name.
    """
    if partial.path.exists():
        try:
            found = json.loads(partial.plan.read_text(encoding="utf-8"))
            spent, continued = float(found.pop("seconds")), found.pop("continued", None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            found = None
        if found == configuration:
            progress.say(f"continuing the unfinished run in {partial.path}")
            # Only the holder of the run's lock takes those of its steps; the holder before may have died
            # with its host.
            for lock in partial.path.rglob(".*.lock"):
                lock.unlink(missing_ok=True)
            return spent, continued
        aside = partial.path.with_name(f"{partial.path.name}.{time.time_ns()}")
        partial.path.rename(aside)
        progress.say(f"an unfinished run of another configuration or version is now in {aside}")
    partial.path.mkdir(parents=True)
    continued = shorter()
    _note(partial, configuration, continued, 0.0)
    return 0.0, continued


def _versions() -> dict[str, str]:
    names = ("tensorflow", "tensorflow-probability", "disentanglement-lib", "numpy")
    ours = {"python": sys.version.split()[0], "vae_ortho_plugin": vae_ortho_plugin.__version__}
    return ours | {name: version(name) for name in names}


def data_facts(training_gin: Path) -> dict:
    """What a reader must know of the data of a training run's configuration: their origin, their random weights."""
    from vae_ortho_plugin.data.files.read_files import origin
    from vae_ortho_plugin.data.synthetic import random_layers

    bindings = read_bindings(training_gin)
    name = bindings["dataset.name"]
    facts = {"name": name}
    if found := origin(name):
        facts["origin"] = found
    if name == "synth_nonlinear":
        facts["weight_seed"] = bindings["synth_nonlinear.weight_seed"]
        for name, default in (("weight_law", "normal"), ("tanh", "all")):
            facts[name] = bindings.get(f"synth_nonlinear.{name}", default)
        layers = random_layers(facts["weight_seed"], law=facts["weight_law"])
        facts["weights"] = [{"kernel": k.tolist(), "bias": b.tolist()} for k, b in layers]
    return facts


def _curves(checkpoints: Path) -> dict[str, list[list[float]]]:
    """Training curves {tag: [steps, values]} from the TensorBoard events of a directory.

    Each curve is divided into at most _MAX_CURVE_POINTS stretches of training. A value is the mean
    over a stretch, its step the stretch's last.
    """
    import numpy as np
    import tensorflow.compat.v1 as tf

    points: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(checkpoints.glob("events.out.tfevents.*")):
        for event in tf.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points.setdefault(value.tag, []).append((event.step, value.simple_value))
    result = {}
    for tag, pairs in points.items():
        stretches = np.array_split(np.array(pairs), min(len(pairs), _MAX_CURVE_POINTS))
        steps = [int(stretch[-1, 0]) for stretch in stretches]
        result[tag] = [steps, [float(stretch[:, 1].mean()) for stretch in stretches]]
    return result


@contextlib.contextmanager
def _finished_steps_skipped(reproduce: dict) -> Iterator[None]:
    """Within: dlib_reproduce does not repeat a step whose output directory is complete."""

    def unless_finished(step: Callable, output: int) -> Callable:
        @functools.wraps(step)
        def skip_or_make(*arguments):
            if Path(arguments[output]).is_dir():
                progress.say(f"{arguments[output]} is finished")
                return
            step(*arguments)

        return skip_or_make

    steps = (
        ("train", "train_with_gin", 0),
        ("visualize_model", "visualize", 1),
        ("postprocess", "postprocess_with_gin", 1),
        ("evaluate", "evaluate_with_gin", 1),
    )
    with contextlib.ExitStack() as stack:
        for module, name, output in steps:
            step = getattr(reproduce[module], name)
            patched = mock.patch.object(reproduce[module], name, unless_finished(step, output))
            stack.enter_context(patched)
        yield

# SPDX-License-Identifier: Apache-2.0
"""Makes one run of the study with disentanglement_lib's dlib_reproduce script."""

import contextlib
import functools
import json
import runpy
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from vae_ortho_plugin import __version__
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.files import publish, seal, write_text
from vae_ortho_plugin.files.gin_files import bindings
from vae_ortho_plugin.files.locks import locked
from vae_ortho_plugin.study.plan.layout import RunFiles
from vae_ortho_plugin.study.run.dlib_scripts import dlib_script
from vae_ortho_plugin.study.run.run_facts import facts_of


def load_reproduce() -> dict:
    """The globals of disentanglement_lib's dlib_reproduce script, its `main` among them."""
    return runpy.run_path(str(dlib_script("dlib_reproduce")), run_name="dlib_reproduce")


def train_and_evaluate(
    reproduce: dict, model_num: int, epochs: int | None, directory: Path
) -> None:
    """Trains, visualizes, postprocesses and evaluates a run; `directory` appears when it is complete.

    Adds to dlib_reproduce's files a run.json, see `run_facts`. After an error or a signal, the finished
    steps and the checkpoints of the training stay beside `directory`, and the next call continues with them.

    Args:
        reproduce: from `load_reproduce`.
        model_num: number of the run in the study.
        epochs: shortens a run that trains longer; None trains as long as the study plans.
        directory: of the run.
    """
    lock = RunFiles(directory).lock
    if lock.exists():
        progress.say(f"waiting for the process that {lock} names, if it still makes the run")
    # The worker of a parent that was killed may still make it, here or on another machine.
    with locked(lock, f"the run {directory}", timeout=-1):
        if not directory.exists():
            _make(reproduce, model_num, epochs, directory)


def _make(reproduce: dict, model_num: int, epochs: int | None, directory: Path) -> None:
    partial, study = RunFiles(directory).partial, _study_name(epochs)
    spent = _begin(partial, study, model_num)
    partial.error.unlink(missing_ok=True)
    start = time.monotonic()
    # dlib_reproduce formats the path; its own fields are {study} and {model_num}.
    output = str(partial.directory).replace("{", "{{").replace("}", "}}")
    reproduce["FLAGS"](
        [
            "dlib_reproduce",
            f"--study={study}",
            f"--model_num={model_num}",
            f"--output_directory={output}",
        ]
    )
    try:
        with _finished_steps_skipped(reproduce):
            reproduce["main"]([])
        _delete_leftovers(partial.directory)
        facts = facts_of(partial, model_num, epochs, spent + time.monotonic() - start)
        write_text(partial.facts, json.dumps(facts))
        seal(partial.directory, without=[partial.plan])
    except BaseException as error:
        with contextlib.suppress(OSError):  # such as the full disk that is the error
            if isinstance(error, Exception):  # no signal
                write_text(partial.error, f"{type(error).__name__}: {error}")
            _note_plan(partial, _plan(study, model_num), spent + time.monotonic() - start)
        raise
    publish(partial.directory, directory)
    # Last, because an unfinished run without its plan is not continued.
    RunFiles(directory).plan.unlink(missing_ok=True)


def _delete_leftovers(directory: Path) -> None:
    """Deletes what steps left beside their finished directories when they were killed."""
    for left in [*directory.rglob("*.unfinished"), *directory.rglob("*.replaced")]:
        shutil.rmtree(left, ignore_errors=True)
    for left in directory.rglob(".*.partial*"):
        left.unlink(missing_ok=True)


def _plan(study: str, model_num: int) -> dict:
    """What decides a run's results: the bindings of all its steps, and the version of this package."""
    from disentanglement_lib.config import reproduce

    plan = reproduce.STUDIES[study]
    model_bindings, model_file = plan.get_model_config(model_num)
    files = [model_file, *plan.get_postprocess_config_files(), *plan.get_eval_config_files()]
    return {
        "version": __version__,
        "bindings": model_bindings,
        "gin_files": {Path(file).name: bindings(Path(file)) for file in files},
    }


def _note_plan(partial: RunFiles, plan: dict, seconds: float) -> None:
    write_text(partial.plan, json.dumps({**plan, "seconds": round(seconds, 1)}, indent=1))


def _begin(partial: RunFiles, study: str, model_num: int) -> float:
    """Makes the directory of an unfinished run ready; returns the seconds spent on it before.

    One of another plan, such as of an older version, is set aside under another name.
    """
    plan = _plan(study, model_num)
    if partial.directory.exists():
        try:
            found = json.loads(partial.plan.read_text(encoding="utf-8"))
            spent = float(found.pop("seconds"))
        except (OSError, ValueError, KeyError, AttributeError):
            found, spent = None, 0.0
        if found == plan:
            progress.say(f"continuing the unfinished run in {partial.directory}")
            # Only the holder of the run's lock takes those of its steps; the holder before may have died
            # with its host.
            for lock in partial.directory.rglob(".*.lock"):
                lock.unlink(missing_ok=True)
            return spent
        aside = partial.directory.with_name(f"{partial.directory.name}.{time.time_ns()}")
        partial.directory.rename(aside)
        progress.say(f"an unfinished run of another configuration or version is now in {aside}")
    partial.directory.mkdir(parents=True)
    _note_plan(partial, plan, 0.0)
    return 0.0


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


def _study_name(epochs: int | None) -> str:
    """Name by which dlib_reproduce finds the study, also one with shortened runs."""
    from disentanglement_lib.config import reproduce

    from vae_ortho_plugin.study.plan.dlib_study import VaePcaV1

    if epochs is None:
        return "vae_pca_v1"
    name = f"vae_pca_v1, {epochs} epochs"
    reproduce.STUDIES[name] = VaePcaV1(epochs)
    return name

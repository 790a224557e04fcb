# SPDX-License-Identifier: Apache-2.0
"""A finished model that is trained for more steps: training_loop.continue_from.

The directory tf_checkpoint of a model has its weights with the optimizers' slots and its event files. For a longer
training run, the configuration and the rows of the trackers are kept there too.
"""

import functools
import shutil
from pathlib import Path

import tensorflow.compat.v1 as tf

from vae_ortho_plugin import files
from vae_ortho_plugin.dlib.steps import configuration, data_set, made_of
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.engine.checkpoints import CannotContinue, Checkpoint, Checkpoints
from vae_ortho_plugin.engine.settings import TrainingLoop
from vae_ortho_plugin.errors import InputError, check_no_pattern

_WEIGHTS, _CONFIG, _TRACKERS = "tf_checkpoint", "config.gin", "tracked.npz"
_STEPS = "model.training_steps"


def keep(model: Path, config: Path, last: Checkpoint | None) -> None:
    """Puts into a model what a longer training run needs; `last` is its last checkpoint, None without any."""
    if last is not None:
        shutil.copy(config, model / _WEIGHTS / _CONFIG)
        shutil.copy(last.trackers, model / _WEIGHTS / _TRACKERS)


def begin(partial: Path, checkpoints: Checkpoints) -> int:
    """Makes the model that training_loop.continue_from names the first checkpoint of an unfinished training run.

    Returns its step; -1 where no model is named.

    Raises:
        CannotContinue: it has another configuration.
        InputError: it lacks something, is damaged, or has been trained for as many steps.
    """
    if (named := TrainingLoop().continue_from) is None:
        return -1
    model, name = Path(named), f"training_loop.continue_from = {named!r}"
    check_no_pattern(model)
    folder = model / _WEIGHTS
    needed = [folder / _CONFIG, folder / _TRACKERS, model / "results" / made_of.FILE]
    weights = tf.train.latest_checkpoint(str(folder))
    missing = [str(path) for path in needed if not path.is_file()]
    if missing or weights is None:
        raise InputError(
            f"{name}: there is no model to continue, because {(missing or [f'a checkpoint in {folder}'])[0]} is "
            "missing. Name a directory that dlib_train has written, with this version and with "
            "training_loop.resume = True."
        )
    files.check_seal(model)
    if found := configuration.differences(folder / _CONFIG, but=[_STEPS]):
        raise CannotContinue(
            f"{name}: the model was trained with another configuration: {configuration.joined(found)}. "
            f"Only {_STEPS} may differ. Bind the same, or train without training_loop.continue_from."
        )
    step, last_step = int(weights.rpartition("-")[2]), data_set.bound(_STEPS) or 0
    if not step < last_step:
        raise InputError(
            f"{name}: the model has been trained for {step:,} steps, and {_STEPS} = {last_step} is not more. "
            "Bind more."
        )
    shutil.copy(needed[-1], partial)
    checkpoints.write(
        step,
        last_step,
        functools.partial(_copy_weights, weights),
        functools.partial(shutil.copy, folder / _TRACKERS),
        sorted(folder.glob("events.out.tfevents.*")),
    )
    progress.say(f"training {model} further, from step {step:,} on")
    return step


def _copy_weights(weights: str, prefix: str) -> None:
    for path in Path(weights).parent.glob(f"{Path(weights).name}.*"):
        if path.suffix != ".meta":
            shutil.copy(path, f"{prefix}{path.name.removeprefix(Path(weights).name)}")

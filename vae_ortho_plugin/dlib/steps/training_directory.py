# SPDX-License-Identifier: Apache-2.0
"""The directory of an unfinished training run, from which the same run continues.

`<model_dir>.unfinished` holds the configuration, the engine's checkpoints, and under `model` what dlib
writes. When the model is complete, it is renamed to <model_dir> and the rest is deleted.
"""

import contextlib
import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import gin

from vae_ortho_plugin import files
from vae_ortho_plugin.dlib.steps import (
    configuration,
    data_set,
    export,
    longer_training,
    made_of,
    output_directory,
)
from vae_ortho_plugin.engine import checkpoints, estimator, interruption, progress
from vae_ortho_plugin.engine.settings import TrainingLoop
from vae_ortho_plugin.errors import InputError, NonFiniteLossError

_CONFIG, _CHECKPOINTS, _MODEL = "config.gin", "checkpoints", "model"


def resumable(train: Callable) -> Callable:
    """dlib's train, which continues an unfinished training run of the same directory."""

    @functools.wraps(train)
    def continue_or_train(model_dir, overwrite=False, *args, **kwargs):
        with unfinished(model_dir, overwrite) as model:
            partial = Path(model).parent
            left = checkpoints.Checkpoints(partial / _CHECKPOINTS)

            def attempt() -> None:
                with made_of.checked(functools.partial(_check_made_of, partial)):
                    train(model, True, *args, **kwargs)

            try:
                attempt()
            except checkpoints.CannotContinue:
                if not overwrite:
                    raise
                progress.say("the unfinished training run is discarded: this one starts at step 0")
                shutil.rmtree(partial / _CHECKPOINTS)
                (partial / made_of.FILE).unlink(missing_ok=True)
                longer_training.begin(partial, left)
                attempt()
            shutil.copy(partial / made_of.FILE, Path(model, "results"))
            longer_training.keep(Path(model), partial / _CONFIG, left.newest())

    return continue_or_train


def _check_made_of(partial: Path, now: dict) -> None:
    """Writes down what an unfinished training run is made of; CannotContinue where it was something else."""
    there = made_of.read(partial)  # None where the training run begins
    if there is not None and (found := made_of.differences(there, now)):
        differences, named = configuration.joined(found), TrainingLoop().continue_from
        if named is not None:
            raise checkpoints.CannotContinue(
                f"The training run that is to continue, begun with the model in {named}, is of other data or code: "
                f"{differences}. Start over with --overwrite, without training_loop.continue_from."
            )
        raise checkpoints.CannotContinue(
            f"{partial} holds an unfinished training run of other data or code: {differences}. "
            f"Discard it with --overwrite, in a study by deleting {partial}, or name another directory with "
            f"--model_dir. If the results do not depend on the difference, delete {partial / made_of.FILE} to continue."
        )
    if now != there:
        made_of.write(partial, now)


@contextlib.contextmanager
def unfinished(path: str, overwrite: bool) -> Iterator[str]:
    """Within: the directory for dlib to write the model to. At the end it becomes `path`.

    After an error, Ctrl-C or SIGTERM, the checkpoints stay, and the next call with the same configuration continues
    from the newest one. `training_loop.resume = False` starts over. `overwrite` replaces a finished model, and
    discards an unfinished one of another configuration.

    Raises:
        InputError: without `overwrite`, there is one of these; or another process trains into `path`.
    """
    resume = TrainingLoop().resume
    with output_directory.locked(path) as directory:
        partial = output_directory.partial_of(directory)
        output_directory.refuse_existing(path, overwrite)
        continues = resume and _can_continue(partial, overwrite)
        left, begun_at = checkpoints.Checkpoints(partial / _CHECKPOINTS), -1
        if not continues:
            shutil.rmtree(partial, ignore_errors=True)
            _say_what_is_trained()  # one that is continued says so first
        partial.mkdir(exist_ok=True)
        files.write_text(partial / _CONFIG, gin.config_str())
        try:
            if not continues:
                begun_at = longer_training.begin(partial, left)
            with (
                files.directory_written_beside(directory, partial / _MODEL, NonFiniteLossError),
                estimator.handed_over(
                    partial / _CHECKPOINTS, before_first_step=export.build_before_training
                ),
            ):
                yield str(partial / _MODEL)
        except NonFiniteLossError:
            raise  # its message says what to do with the checkpoints that are in there
        except BaseException as error:
            has_own_message = isinstance(
                error, interruption.Interrupted | checkpoints.CannotContinue
            )
            steps = (int(one.name) for one in left.directory.glob("[0-9]*"))  # of damaged ones too
            if not any(step > begun_at for step in steps):
                shutil.rmtree(partial, ignore_errors=True)
            elif not has_own_message and (last := left.newest()):
                progress.say(
                    f"the weights of step {last.step:,} are in {last.directory}. To continue from them: "
                    f"{interruption.command()}"
                )
            raise
        progress.say(f"the model is in {path}")
        shutil.rmtree(partial, ignore_errors=True)


def _say_what_is_trained() -> None:
    """Such as 'training vae on synth_linear for 375,000 steps of 64 points, seed 0'."""
    names = ("dataset.name", "model.model", "model.training_steps", "model.batch_size")
    values = [data_set.bound(name) for name in (*names, "model.random_seed")]
    if None in values:  # an error follows
        return
    data, model, steps, points, seed = values
    model = str(model).removeprefix("@").removesuffix("()")
    steps = f"{steps:,}" if isinstance(steps, int) else steps
    progress.say(f"training {model} on {data} for {steps} steps of {points} points, seed {seed}")


def _can_continue(partial: Path, overwrite: bool) -> bool:
    """Whether there is a training run to continue; InputError for another configuration's without `overwrite`."""
    checkpoint = checkpoints.Checkpoints(partial / _CHECKPOINTS).newest()
    if checkpoint is None:
        return False
    differences = configuration.differences(partial / _CONFIG)
    if differences and not overwrite:
        shown = configuration.joined(differences)
        raise InputError(
            f"{partial} holds an unfinished training run (step {checkpoint.step:,} of "
            f"{checkpoint.last_step:,}) with another configuration: {shown}. Discard it with "
            "--overwrite, or name another directory with --model_dir."
        )
    return not differences

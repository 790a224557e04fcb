# SPDX-License-Identifier: Apache-2.0
"""The data set of the previous step, for dataset.name = 'auto'."""

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path

import gin
from gin.config import ConfigurableReference, macro

from vae_ortho_plugin.dlib import import_path
from vae_ortho_plugin.dlib.steps import made_of
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files
from vae_ortho_plugin.files.gin_files import Reference


def bound(parameter: str) -> object:
    """The value that gin binds to a parameter, that of a macro too; None where there is none.

    A reference to a configurable is returned as that, without a call.
    """
    try:
        value = gin.query_parameter(parameter)
        if isinstance(value, ConfigurableReference) and value.configurable.wrapped is not macro:
            return value
        return copy.deepcopy(value)  # which gives a macro's value
    except ValueError:  # gin does not know the configurable, or the macro
        return None


def of_finished_step_if_auto(directory: str, step: str) -> contextlib.AbstractContextManager:
    """As `of_finished_step` where dataset.name is 'auto'; else what gin binds stays as it is."""
    is_auto = bound("dataset.name") == "auto"
    return of_finished_step(directory, step) if is_auto else contextlib.nullcontext()


@contextlib.contextmanager
def of_finished_step(directory: str, step: str) -> Iterator[None]:
    """Within: dataset.name and the data set's own parameters are bound as a finished step had them.

    What that step imported is imported first. A warning says if the data or the code have changed since the
    model was trained. For dataset.name = 'auto', dlib itself looks for the name alone, and for an evaluation in
    postprocess.gin alone.

    Raises:
        InputError: the step's gin file is missing or names no data set.
    """
    gin_file = gin_files.gin_file(directory, step)
    if not gin_file.exists():
        raise InputError(
            f"{gin_file} is missing, which names the data set of {directory}. Take the whole "
            "directory that dlib wrote, or bind dataset.name to the data set's name instead of 'auto'."
        )
    import_path.import_as(gin_file)
    previous = gin_files.step_config(directory, step)
    name = previous.get("dataset.name")
    # The data set 'correlated' is made of another one.
    names = (name, previous.get("correlated.dataset"))
    prefixes = tuple(f"{one.name if isinstance(one, Reference) else one}." for one in names)
    if not isinstance(name, (str, Reference)):
        raise InputError(
            f"{gin_file} has dataset.name = {name}, which is not the name of a data set. Bind "
            "dataset.name to the data set's name."
        )
    own = [one for one in previous if one.startswith(prefixes) and not _is_bound(one)]
    with gin.unlock_config():
        for parameter in ("dataset.name", *own):
            gin.parse_config(f"{parameter} = {previous[parameter]!r}")

    def warn_of_changes(now: dict) -> None:
        there = made_of.read(Path(directory, "results"))
        for difference in made_of.differences(there, now) if there is not None else []:
            progress.say(f"warning: {directory} was made of other data or code: {difference}")

    with made_of.checked(warn_of_changes):
        yield


def _is_bound(parameter: str) -> bool:
    try:
        gin.query_parameter(parameter)
    except ValueError:
        return False
    return True

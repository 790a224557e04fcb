# SPDX-License-Identifier: Apache-2.0
"""Which data files a study's runs need; needs neither TensorFlow nor dlib."""

import sys
from collections.abc import Iterable

from vae_ortho_plugin.data import render_dsprites
from vae_ortho_plugin.data.dsprites import FILE as DSPRITES_FILE
from vae_ortho_plugin.data.files.location import VARIABLE, data_root, describe_root
from vae_ortho_plugin.data.files.mnist_files import SHAPES, find_file
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.plan.experiments import Run


def keep_those_with_data(runs: list[Run], demanded: Iterable[str] | None) -> list[Run]:
    """The runs whose data are there; prints a line for each data set that is left out.

    Args:
        runs: the selected runs.
        demanded: names of the data variants that the user asked for by name, if any.

    Raises:
        InputError: the data of a demanded variant are missing, or those of all runs.
    """
    absent = {
        run.experiment.data.data_set: _how_to_get(run.experiment.data.data_set)
        for run in runs
        if not _is_there(run.experiment.data.data_set)
    }
    kept = [run for run in runs if run.experiment.data.data_set not in absent]
    data_sets = {run.experiment.data.name: run.experiment.data.data_set for run in runs}
    missing = [data_sets[name] for name in demanded or () if data_sets.get(name) in absent]
    if missing or (absent and not kept):
        raise InputError("\n".join(absent[name] for name in missing or absent))
    for name, remedy in absent.items():
        left_out = sum(run.experiment.data.data_set == name for run in runs)
        print(f"Leaving out {left_out} runs. {remedy}", file=sys.stderr)
    return kept


def render_dsprites_if_missing() -> None:
    """Renders dSprites unless there is a file in its place.

    Raises:
        InputError: it cannot be written.
    """
    if not _is_there("dsprites") and render_dsprites.main([]) != 0:
        raise InputError("dSprites could not be rendered; see above.")


def _is_there(data_set: str) -> bool:
    if data_set == "dsprites":
        return (data_root() / DSPRITES_FILE).is_file()
    if data_set in ("mnist", "fashion_mnist"):
        try:
            for file in SHAPES:
                find_file(data_root() / data_set, file)
        except InputError:
            return False
    return True


def _how_to_get(data_set: str) -> str:
    place = data_root() / (DSPRITES_FILE if data_set == "dsprites" else data_set)
    rendered = ", --render-dsprites draws them" * (data_set == "dsprites")
    return (
        f"The files of {data_set} are not in {place} ({describe_root()}). Set {VARIABLE} to the "
        f"directory that has them; `vae_ortho_download_data {data_set}` fetches them{rendered}."
    )

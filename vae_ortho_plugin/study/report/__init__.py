# SPDX-License-Identifier: Apache-2.0
"""Writes a study's report from the finished runs; needs neither TensorFlow nor dlib."""

from collections.abc import Collection
from pathlib import Path

from vae_ortho_plugin.study.plan.experiments import Experiment
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import plan_of


def write_report(
    study: str, output: Path, experiments: Collection[Experiment] | None = None
) -> Path:
    """Writes report.md, report.html, tables/ and pictures/ in `output`; returns report.md's path.

    Args:
        study: name of the study, whose experiments and planned seeds the report covers.
        output: the results folder.
        experiments: planned experiments that the report covers besides those with finished runs;
            None: all.

    Raises:
        InputError: there is no such study, or a file of a finished run cannot be read.
    """
    # Here, so that a status that reads one file of a run loads neither pandas nor matplotlib.
    from vae_ortho_plugin.study.report import document
    from vae_ortho_plugin.study.report.finished import read_finished
    from vae_ortho_plugin.study.report.results import Results
    from vae_ortho_plugin.study.report.sections import SECTIONS

    plan = plan_of(study)
    folder = ResultsFolder(output)
    finished = read_finished(folder, plan)
    if experiments is not None:
        covered = {*experiments, *(item.experiment.as_planned for item in finished)}
        plan = {experiment: seeds for experiment, seeds in plan.items() if experiment in covered}
    results = Results.of(study, plan, finished)
    sections = [section(results) for section in SECTIONS]
    return document.write(
        f"Report of study {study}", [section for section in sections if section], folder
    )

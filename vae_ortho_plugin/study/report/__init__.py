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

    It may be written anew while the study makes runs: pictures whose data are unchanged stay as they
    are, a reader sees the old page or the new one, and a page that misses runs reloads itself.

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
    results = Results(study, plan, finished)
    sections = [section for make in SECTIONS if (section := make(results))]
    planned = sum(results.plan.values())
    left = sum(planned - made for made, planned in results.missing().values())
    return document.write(f"Report of study {study}", sections, folder, planned - left, planned)

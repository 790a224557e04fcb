# SPDX-License-Identifier: Apache-2.0
"""Reads the finished runs of a results folder; needs neither TensorFlow nor dlib."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import check_seal
from vae_ortho_plugin.study.plan.experiments import Experiment, Run, run_of
from vae_ortho_plugin.study.plan.layout import ResultsFolder, RunFiles


@dataclass(frozen=True)
class FinishedRun:
    """A run and its results.

    Attributes:
        run: the run; its experiment says what differs from the plan.
        metrics: name of a metric's gin file -> what the metric returned.
        training: what dlib and the trackers measured while the model trained.
        curves: training curves, tag -> [steps, values].
        data_facts: facts about the data that a reader must know, such as random weights.
        seconds: how long it took.
        versions: of what made it, name -> version.
        files: its directory.
    """

    run: Run
    metrics: dict[str, dict]
    training: dict
    curves: dict[str, list[list[float]]]
    data_facts: dict
    seconds: float
    versions: dict[str, str]
    files: RunFiles

    @property
    def experiment(self) -> Experiment:
        return self.run.experiment

    def metric(self, name: str, key: str | None = None) -> float | None:
        """A metric's result under `key` (by default the metric's name); None where there is none."""
        return self.metrics.get(name, {}).get(key or name)

    def of_tracker(self, name: str, key: str) -> list | float | None:
        """What a tracker measured while the model trained; None where it did not run."""
        return self.training.get(name, {}).get(key)

    def last_of_tracker(self, name: str, key: str) -> float | None:
        """The last value of a tracker; None where it has none."""
        values = self.of_tracker(name, key)
        return values[-1] if values else None


def read_finished(folder: ResultsFolder, planned: Iterable[Experiment]) -> list[FinishedRun]:
    """The finished runs of planned experiments, by experiment and seed, the longest trained first.

    Shortened runs and runs on data with another origin get experiments of their own, whose data
    variants say so, so that they are never averaged with the planned ones. A file that cannot be read is
    an InputError, and so is a run that is there twice, such as in a copied directory.
    """
    order = {experiment: position for position, experiment in enumerate(planned)}
    found = [_read(files, order) for files in folder.finished_runs()]

    def place(item: FinishedRun) -> tuple[int, int, int]:
        return order[item.experiment.as_planned], -item.experiment.data.epochs, item.run.seed

    runs = sorted((item for item in found if item), key=place)
    made: dict[Run, RunFiles] = {}
    for item in runs:
        if (other := made.setdefault(item.run, item.files)) is not item.files:
            raise InputError(
                f"{other.path} and {item.files.path} are the same run. Move one of them away."
            )
    return runs


def _read(files: RunFiles, planned: Iterable[Experiment]) -> FinishedRun | None:
    """The run in a directory; None where its experiment is not planned."""
    read = ("run.json", "model/results/json/*", "metrics/*/evaluation_results.json")
    check_seal(files.path, *read)
    facts = read_json(files.facts)
    try:
        planned_run = run_of(facts["model_num"])
        data_facts = facts.get("data", {})
        experiment = planned_run.experiment
        if experiment not in planned:
            return None
        data = experiment.data.shortened(facts.get("epochs"))
        if "origin" in data_facts:
            data = data.remarked(data_facts["origin"].partition(";")[0])
        training = files.training_results
        return FinishedRun(
            run=Run(Experiment(data, experiment.model), planned_run.seed),
            metrics={name: read_json(path) for name, path in files.metrics().items()},
            training=read_json(training) if training.is_file() else {},
            curves=facts["curves"],
            data_facts=data_facts,
            seconds=facts["seconds"],
            versions=facts["versions"],
            files=files,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(files.facts, f"{type(error).__name__}: {error}") from error


def read_json(path: Path) -> dict:
    """A JSON object of a finished run; an InputError where the file has none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise _damaged(path, "not a JSON object")
    return content


def _damaged(path: Path, error: str) -> InputError:
    return InputError(
        f"{path} is damaged ({error}). Move the run's directory away; the study then makes the run again."
    )

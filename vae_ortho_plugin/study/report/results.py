# SPDX-License-Identifier: Apache-2.0
"""A study's plan and its finished runs, as the sections of the report need them."""

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from functools import cached_property

import pandas as pd

from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment
from vae_ortho_plugin.study.plan.plans import Plan
from vae_ortho_plugin.study.report.finished import FinishedRun


class Results:
    """A study's plan and what is finished.

    Attributes:
        study: its name.
        plan: experiment -> planned number of seeds. Data variants of finished runs, such as shortened ones, have as
            many as the variant that the study plans, which gives way to them where it has only such runs.
        finished: the finished runs of these experiments.
    """

    def __init__(self, study: str, plan: Plan, finished: list[FinishedRun]):
        made: dict[DataVariant, list[DataVariant]] = {}
        for data in grouped(finished, "data"):
            made.setdefault(data.as_planned, []).append(data)
        self.study, self.finished = study, finished
        self.plan = {
            Experiment(data, experiment.model): seeds
            for experiment, seeds in plan.items()
            for data in made.get(experiment.data, [experiment.data])
        }

    @cached_property
    def _runs(self) -> dict[Experiment, list[FinishedRun]]:
        runs: dict[Experiment, list[FinishedRun]] = {experiment: [] for experiment in self.plan}
        for item in self.finished:
            runs[item.experiment].append(item)
        return runs

    @cached_property
    def _order(self) -> list[Experiment]:
        """By data set, those with the data set's batch size first, then by data variant and model."""
        variants = list(dict.fromkeys(experiment.data for experiment in self.plan))
        sets = [data.data_set for data in variants]
        variants.sort(key=lambda data: (sets.index(data.data_set), data.batch_size is not None))
        place = {data: position for position, data in enumerate(variants)}
        models = list(MODEL_TITLES)
        return sorted(self.plan, key=lambda one: (place[one.data], models.index(one.model)))

    def experiments(
        self,
        variants: Container[DataVariant] | None = None,
        planned: Container[Experiment] | None = None,
    ) -> list[Experiment]:
        """Experiments by data variant and model: those of planned data variants, or of planned experiments."""
        return [
            experiment
            for experiment in self._order
            if (variants is None or experiment.data.as_planned in variants)
            and (planned is None or experiment.as_planned in planned)
        ]

    def runs(self, experiments: Iterable[Experiment]) -> list[FinishedRun]:
        """The finished runs of these experiments, in their order."""
        return [item for experiment in experiments for item in self._runs[experiment]]

    def missing(self) -> dict[Experiment, tuple[int, int]]:
        """Experiments with fewer runs than planned -> finished and planned number."""
        counts = {one: (len(self._runs[one]), planned) for one, planned in self.plan.items()}
        return {one: (made, planned) for one, (made, planned) in counts.items() if made < planned}

    def values(
        self, experiment: Experiment, get: Callable[[FinishedRun], float | None]
    ) -> list[float]:
        """What `get` returns for the finished runs of an experiment, without None."""
        found = (get(item) for item in self._runs[experiment])
        return [value for value in found if value is not None]

    def measured(self, experiments: Iterable[Experiment], *metrics: str) -> pd.DataFrame:
        """A row for each finished run of these experiments that has all the metrics, which are columns by name.

        The others are `experiment`, `model`, `data` (its title) and `origin` of the data, empty where it is the plan's.
        """
        found = [
            {
                "experiment": item.experiment,
                "model": item.experiment.model,
                "data": item.experiment.data.title,
                "origin": item.data_facts.get("origin", ""),
                **{name: item.metric(name) for name in metrics},
            }
            for item in self.runs(experiments)
        ]
        columns = ["experiment", "model", "data", "origin", *metrics]
        return pd.DataFrame(found, columns=columns).dropna(subset=list(metrics))


def grouped(runs: Iterable[FinishedRun], by: str) -> dict:
    """Runs by their experiment's "data" or "model", in the order of the runs."""
    groups: dict = {}
    for item in runs:
        groups.setdefault(getattr(item.experiment, by), []).append(item)
    return groups


class Sweep(dict[Experiment, tuple[DataVariant, float | None]]):
    """Planned experiment -> the data of which a parameter is swept, and the parameter's value."""

    def value(self, experiment: Experiment) -> float | None:
        return self[experiment.as_planned][1]

    def series(self, experiment: Experiment) -> DataVariant:
        """The data, with the remarks on the experiment's runs."""
        return replace(self[experiment.as_planned][0], remarks=experiment.data.remarks)

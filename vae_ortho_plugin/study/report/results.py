# SPDX-License-Identifier: Apache-2.0
"""A study's plan and its finished runs, as the sections of the report need them."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from vae_ortho_plugin.study.plan.data_variants import DataVariant
from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, Experiment
from vae_ortho_plugin.study.plan.plans import Plan
from vae_ortho_plugin.study.report.finished import FinishedRun

_MODELS = list(MODEL_TITLES)


@dataclass(frozen=True)
class Results:
    """A study's plan and what is finished.

    Attributes:
        study: its name.
        plan: experiment -> planned number of seeds; also of the experiments of finished runs that
            differ from the plan, such as shortened ones.
        finished: the finished runs of these experiments.
    """

    study: str
    plan: Plan
    finished: list[FinishedRun]

    @classmethod
    def of(cls, study: str, plan: Plan, finished: list[FinishedRun]) -> "Results":
        """Adds the data variants of finished runs to the plan, with as many seeds as planned.

        A planned variant that has only changed runs (shortened ones, for example) is replaced by
        the changed variants.
        """
        made: dict[DataVariant, list[DataVariant]] = {}
        for data in grouped(finished, "data"):
            made.setdefault(data.as_planned, []).append(data)
        return cls(
            study,
            {
                Experiment(data, experiment.model): seeds
                for experiment, seeds in plan.items()
                for data in made.get(experiment.data, [experiment.data])
            },
            finished,
        )

    @property
    def _variants(self) -> list[DataVariant]:
        """Each data variant once, grouped by data set, those with the data set's batch size first."""
        variants = list(dict.fromkeys(experiment.data for experiment in self.plan))
        data_sets = [data.data_set for data in variants]
        return sorted(
            variants,
            key=lambda data: (data_sets.index(data.data_set), data.batch_size is not None),
        )

    def experiments(
        self,
        variants: Container[DataVariant] | None = None,
        planned: Container[Experiment] | None = None,
    ) -> list[Experiment]:
        """Experiments by data variant and model.

        Args:
            variants: only those whose planned data variant is one of these.
            planned: only those whose planned experiment is one of these.
        """
        order = self._variants
        return sorted(
            (
                experiment
                for experiment in self.plan
                if (variants is None or experiment.data.as_planned in variants)
                and (planned is None or experiment.as_planned in planned)
            ),
            key=lambda one: (order.index(one.data), _MODELS.index(one.model)),
        )

    def runs(self, experiments: Iterable[Experiment]) -> list[FinishedRun]:
        """The finished runs of these experiments, in their order."""
        return [
            item
            for experiment in experiments
            for item in self.finished
            if item.experiment == experiment
        ]

    def values(
        self, experiment: Experiment, get: Callable[[FinishedRun], float | None]
    ) -> list[float]:
        """What `get` returns for the finished runs of an experiment, without None."""
        found = (get(item) for item in self.runs([experiment]))
        return [value for value in found if value is not None]


def grouped(runs: Iterable[FinishedRun], by: str) -> dict:
    """Runs by their experiment's "data" or "model", in the order of the runs."""
    groups: dict = {}
    for item in runs:
        groups.setdefault(getattr(item.experiment, by), []).append(item)
    return groups

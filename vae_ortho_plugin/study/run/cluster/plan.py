# SPDX-License-Identifier: Apache-2.0
"""The chunks of a launch: which runs a job makes, and what it asks the cluster for.

The plan is written once and not changed: the Snakemakes of the login node and of every job read it.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vae_ortho_plugin.files import write_text
from vae_ortho_plugin.study.plan.experiments import Run, run_of
from vae_ortho_plugin.study.run.cluster.costs import COSTS, expected_seconds
from vae_ortho_plugin.study.run.schedule import LONGEST_FIRST

# A job of Slurm costs some 10 s besides its runs, and 20 s to start TensorFlow.
CHUNK_SECONDS = 15 * 60
# Nodes differ, and a run that reaches the limit is resumed.
_LIMIT_FACTOR = 3
_LIMIT_MINUTES = 15


@dataclass(frozen=True)
class Launch:
    """The files of one call of `vae_ortho_study --snakemake`, below OUTPUT/cluster/.

    plan.json      chunks and resources
    stamps/CHUNK   an empty file for each chunk whose runs are all made
    .snakemake/    Snakemake's own, and the logs of Slurm's jobs that failed
    """

    directory: Path

    @property
    def plan(self) -> Path:
        """The chunks and the resources of their jobs."""
        return self.directory / "plan.json"


@dataclass(frozen=True)
class Resources:
    """What the jobs of a data set ask for. One set of values for all, since Slurm gives those of the
    first job to all jobs of an array.

    Attributes:
        threads: cores.
        memory: MB.
        minutes: limit of time.
        priority: jobs with a higher one start first.
    """

    threads: int
    memory: int
    minutes: int
    priority: int


@dataclass(frozen=True)
class Plan:
    """Chunks by name, such as 'synth_linear-3', and the resources of the jobs of each data set.

    Attributes:
        output: the results folder, absolute.
        retries: further attempts of a job at a run that failed.
        chunks: name -> runs.
        resources: data set -> resources.
    """

    output: Path
    retries: int
    chunks: Mapping[str, Sequence[Run]]
    resources: Mapping[str, Resources]

    def write(self, path: Path) -> None:
        """Writes the file that `read_plan` reads."""
        content = {
            "output": str(self.output),
            "retries": self.retries,
            "chunks": {
                name: [[run.model_num, run.shortened_to] for run in runs]
                for name, runs in self.chunks.items()
            },
            "resources": {
                data_set: dataclasses.asdict(resources)
                for data_set, resources in self.resources.items()
            },
        }
        write_text(path, json.dumps(content))


def read_plan(path: Path) -> Plan:
    """The plan in a file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Plan(
        Path(content["output"]),
        content["retries"],
        {name: [_run(*run) for run in runs] for name, runs in content["chunks"].items()},
        {name: Resources(**resources) for name, resources in content["resources"].items()},
    )


def _run(model_num: int, epochs: int | None) -> Run:
    run = run_of(model_num)
    return Run(run.experiment.shortened(epochs), run.seed)


def plan_of(runs: Sequence[Run], output: Path, retries: int) -> Plan:
    """Divides runs into chunks of one data set and of about CHUNK_SECONDS; long runs have their own.

    Args:
        runs: in the order in which they are to be made.
        output: the results folder.
        retries: further attempts of a job at a run that failed.
    """
    chunks: dict[str, list[Run]] = {}
    resources = {}
    for data_set in dict.fromkeys(run.experiment.data.data_set for run in runs):
        of_data_set = _divide([run for run in runs if run.experiment.data.data_set == data_set])
        chunks |= {f"{data_set}-{number}": chunk for number, chunk in enumerate(of_data_set)}
        longest = max(sum(map(expected_seconds, chunk)) for chunk in of_data_set)
        cost = COSTS[data_set]
        resources[data_set] = Resources(
            threads=cost.threads,
            memory=cost.memory,
            minutes=math.ceil(_LIMIT_MINUTES + _LIMIT_FACTOR * longest / 60),
            priority=len(LONGEST_FIRST) - LONGEST_FIRST.index(data_set),
        )
    return Plan(output, retries, chunks, resources)


def _divide(runs: Sequence[Run]) -> list[list[Run]]:
    chunks: list[list[Run]] = []
    seconds = math.inf
    for run in runs:
        if seconds >= CHUNK_SECONDS:
            chunks.append([])
            seconds = 0.0
        chunks[-1].append(run)
        seconds += expected_seconds(run)
    return chunks

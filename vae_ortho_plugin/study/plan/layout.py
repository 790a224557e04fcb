# SPDX-License-Identifier: Apache-2.0
"""Every path of a study's results folder; needs the standard library and errors.py alone.

    OUTPUT/
        runs/DATA/MODEL/SEED/            a finished run, see `RunFiles`
        runs/DATA/MODEL/.SEED.partial/   a run that is being made, with the same files
        runs/DATA/MODEL/.SEED.lock       held by the process that makes the run
        logs/DATA-MODEL-SEED.log         what the run printed
        results.json                     every metric of every run, as dlib_aggregate_results writes it
        report.md  report.html  tables/  pictures/
        .study.lock                      held by the study that works here
        .snakemake.lock                  held by the Snakemake that a study has started
        logs/snakemake.log               what it printed
        cluster/N/                       a launch on a cluster, of which the last two stay: plan.json (jobs and
                                         their resources), stamps/JOB (of jobs that are done), .snakemake/ (its
                                         own files, and the logs of Slurm's jobs that failed)

A run's directory holds what dlib_reproduce writes, and

    run.json                             its model number, epochs, the run that it continued, seconds without
                                         that one, versions, facts about the data, training curves
    plan.json                            what an unfinished run is to become, the run that it continues, and the
                                         seconds spent on it
    error.txt                            the error that ended the last attempt at an unfinished run
    model/tf_checkpoint/                 checkpoints and TensorBoard events; config.gin and tracked.npz, the rows of
                                         the trackers, for a longer run that continues this one
    model/results/gin/train.gin          the operative configuration of the training run
    model/results/json/train_results.json    what dlib and the trackers measured while the model trained
    metrics/mean/METRIC/                 results of a metric on the posterior means
    visualizations/                      dlib's pictures; latent_grid.npz, the means of a grid of two factors;
                                         latents_by_sigma.png, traversals of images

DATA is the name of a data variant. A directory is complete when it has its final name.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vae_ortho_plugin.errors import InputError

if TYPE_CHECKING:
    from vae_ortho_plugin.study.plan.experiments import Run

# Relative to a run's directory and to the results folder. The seed's digit keeps unfinished runs out, whose names
# begin with a dot.
METRIC_PATTERN = "metrics/*/*/results/aggregate/evaluation.json"
RESULT_PATTERN = f"runs/*/*/[0-9]*/{METRIC_PATTERN}"
LATENT_GRID_FILE = "latent_grid.npz"
LATENTS_BY_SIGMA_FILE = "latents_by_sigma.png"


class _Inside:
    """An attribute of a folder: the path of a file or directory in it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: "ResultsFolder | RunFiles", owner: type) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class ResultsFolder:
    """The results of studies: what `vae_ortho_study --output` names."""

    path: Path

    lock = _Inside(".study.lock")
    snakemake_lock = _Inside(".snakemake.lock")
    snakemake_log = _Inside("logs/snakemake.log")
    launches = _Inside("cluster")
    aggregated_results = _Inside("results.json")
    report = _Inside("report.md")
    report_page = _Inside("report.html")
    tables = _Inside("tables")
    pictures = _Inside("pictures")
    logs = _Inside("logs")

    def log(self, run: "Run") -> Path:
        """What the run printed."""
        return self.logs / f"{str(run).replace('/', '-')}.log"

    def run(self, run: "Run") -> "RunFiles":
        """The directory of the finished run."""
        return RunFiles(self.path / "runs" / str(run))

    def has(self, run: "Run") -> bool:
        """Whether the run is finished; an InputError where its directory has no run.json."""
        files = self.run(run)
        if not files.path.exists():
            return False
        files.check_complete()
        return True

    def finished_runs(self) -> Iterator["RunFiles"]:
        """The directories of finished runs, in no particular order; InputError as in `has`."""
        for directory in self.path.glob("runs/*/*/*"):
            if directory.is_dir() and not directory.name.startswith("."):
                files = RunFiles(directory)
                files.check_complete()
                yield files


@dataclass(frozen=True)
class RunFiles:
    """The directory of a run: what dlib_reproduce writes, and run.json."""

    path: Path

    facts = _Inside("run.json")
    plan = _Inside("plan.json")
    error = _Inside("error.txt")
    checkpoints = _Inside("model/tf_checkpoint")
    tracked = _Inside("model/tf_checkpoint/tracked.npz")
    training_gin = _Inside("model/results/gin/train.gin")
    training_results = _Inside("model/results/json/train_results.json")
    visualizations = _Inside("visualizations")
    latent_grid = _Inside(f"visualizations/{LATENT_GRID_FILE}")
    latents_by_sigma = _Inside(f"visualizations/{LATENTS_BY_SIGMA_FILE}")
    reconstructions = _Inside("visualizations/reconstructions/reconstructions.jpg")

    @property
    def partial(self) -> "RunFiles":
        """Where the run is made before it is complete and renamed."""
        return RunFiles(self.path.with_name(f".{self.path.name}.partial"))

    @property
    def lock(self) -> Path:
        """Lock file of the process that makes the run."""
        return self.path.with_name(f".{self.path.name}.lock")

    def check_complete(self) -> None:
        """Raises InputError where the directory has no run.json, with which every finished run appears."""
        if not self.facts.is_file():
            raise InputError(
                f"{self.path} has no {self.facts.name}, so it is no finished run. Move it away; the "
                "study then makes the run again."
            )

    def metric(self, name: str) -> Path:
        """Results of one metric; the name may be a pattern."""
        return self.path / f"metrics/mean/{name}/results/json/evaluation_results.json"

    def metrics(self) -> dict[str, Path]:
        """Name of each evaluated metric -> its results."""
        pattern = self.metric("*").relative_to(self.path)
        return {path.parents[2].name: path for path in self.path.glob(str(pattern))}

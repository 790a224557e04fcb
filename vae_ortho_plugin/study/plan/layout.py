# SPDX-License-Identifier: Apache-2.0
"""Every path of a study's results folder. Needs the standard library and errors.py alone.

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
        cluster/N/                       files of the last launches on a cluster, see `Launch`

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


@dataclass(frozen=True)
class ResultsFolder:
    """The results of studies: what `vae_ortho_study --output` names."""

    path: Path

    @property
    def lock(self) -> Path:
        """Lock file of the study that works here."""
        return self.path / ".study.lock"

    @property
    def engine_lock(self) -> Path:
        """Lock file of the Snakemake that a study has started."""
        return self.path / ".snakemake.lock"

    @property
    def engine_log(self) -> Path:
        """What Snakemake printed."""
        return self.logs / "snakemake.log"

    @property
    def launches(self) -> Path:
        """Directory of the numbered launches on a cluster."""
        return self.path / "cluster"

    @property
    def aggregated_results(self) -> Path:
        """Every metric of every run, as dlib_aggregate_results writes it."""
        return self.path / "results.json"

    @property
    def report(self) -> Path:
        """The report as Markdown."""
        return self.path / "report.md"

    @property
    def report_page(self) -> Path:
        """The report as one HTML page."""
        return self.path / "report.html"

    def table(self, name: str, suffix: str) -> Path:
        """A table of the report; `suffix` is '.csv' or '.tex'."""
        return self.path / "tables" / f"{name}{suffix}"

    def picture(self, name: str) -> Path:
        """A picture of the report."""
        return self.path / "pictures" / f"{name}.png"

    def link(self, path: Path) -> str:
        """How the report refers to a file of this folder."""
        return path.relative_to(self.path).as_posix()

    @property
    def logs(self) -> Path:
        """Directory of the runs' logs."""
        return self.path / "logs"

    def log(self, run: "Run") -> Path:
        """What the run printed."""
        return self.logs / f"{str(run).replace('/', '-')}.log"

    def run(self, run: "Run") -> "RunFiles":
        """The directory of the finished run."""
        return RunFiles(self.path / "runs" / str(run))

    def has(self, run: "Run") -> bool:
        """Whether the run is finished.

        Raises:
            InputError: its directory has no run.json.
        """
        files = self.run(run)
        if not files.directory.exists():
            return False
        files.check_complete()
        return True

    def leftovers(self) -> Iterator[Path]:
        """Partial files of the report and the like, which a process that was killed has left."""
        for directory in (self.path, self.path / "tables", self.path / "pictures"):
            yield from directory.glob(".*.partial*")

    def finished_runs(self) -> Iterator["RunFiles"]:
        """The directories of finished runs, in no particular order.

        Raises:
            InputError: a directory has no run.json.
        """
        for directory in self.path.glob("runs/*/*/*/"):
            if not directory.name.startswith("."):
                files = RunFiles(directory)
                files.check_complete()
                yield files


@dataclass(frozen=True)
class RunFiles:
    """The directory of a run: what dlib_reproduce writes, and run.json."""

    directory: Path

    @property
    def partial(self) -> "RunFiles":
        """Where the run is made before it is complete and renamed."""
        return RunFiles(self.directory.with_name(f".{self.directory.name}.partial"))

    @property
    def lock(self) -> Path:
        """Lock file of the process that makes the run."""
        return self.directory.with_name(f".{self.directory.name}.lock")

    @property
    def plan(self) -> Path:
        """What an unfinished run is to become: its configuration, and the seconds spent on it."""
        return self.directory / "plan.json"

    @property
    def error(self) -> Path:
        """The error that ended the last attempt at an unfinished run."""
        return self.directory / "error.txt"

    @property
    def facts(self) -> Path:
        """Model number, epochs, seconds, versions, facts about the data, training curves."""
        return self.directory / "run.json"

    def check_complete(self) -> None:
        """Raises InputError where the directory has no run.json, with which every finished run appears."""
        if not self.facts.is_file():
            raise InputError(
                f"{self.directory} has no {self.facts.name}, so it is no finished run. Move it away; the "
                "study then makes the run again."
            )

    @property
    def model(self) -> Path:
        """The trained model's directory."""
        return self.directory / "model"

    @property
    def checkpoints(self) -> Path:
        """Directory of the checkpoints and of the training's TensorBoard events."""
        return self.model / "tf_checkpoint"

    @property
    def training_gin(self) -> Path:
        """Operative configuration of the training."""
        return self.model / "results" / "gin" / "train.gin"

    @property
    def training_results(self) -> Path:
        """dlib's results of the training, with the tracked measures."""
        return self.model / "results" / "json" / "train_results.json"

    def metrics(self) -> dict[str, Path]:
        """Name of each evaluated metric -> its results."""
        return {
            path.parents[2].name: path
            for path in self.directory.glob("metrics/mean/*/results/json/evaluation_results.json")
        }

    def metric(self, name: str) -> Path:
        """Results of one metric."""
        return (
            self.directory / "metrics/mean" / name / "results" / "json" / "evaluation_results.json"
        )

    @property
    def visualizations(self) -> Path:
        """Directory of the model's pictures."""
        return self.directory / "visualizations"

    @property
    def latent_grid(self) -> Path:
        """Posterior means of a grid of two factors."""
        return self.visualizations / LATENT_GRID_FILE

    @property
    def traversals(self) -> Path:
        """dlib's picture of latent traversals."""
        return self.visualizations / "traversals" / "traversals0.jpg"

    @property
    def reconstructions(self) -> Path:
        """dlib's picture of reconstructions."""
        return self.visualizations / "reconstructions" / "reconstructions.jpg"

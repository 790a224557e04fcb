# SPDX-License-Identifier: Apache-2.0
"""`vae_ortho_study`: makes the runs of a study that are missing and writes its report."""

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.experiments import Cell, Run
from vae_ortho_plugin.study.plans import STUDIES, select
from vae_ortho_plugin.study.run.pool import Failure, make_runs
from vae_ortho_plugin.study.run.worker import dlib_script

STUDIES_HELP = """\
studies:
  quick         the synthetic sets (5 seeds of beta-VAE, autoencoder, beta-VAE with full covariance,
                random decoder, all of the paper's 600 epochs); and where $DISENTANGLEMENT_LIB_DATA
                has MNIST, VAE and autoencoder on it for 5 of 400 epochs
  synthetic     all of the paper on Synth. Lin. and Synth. Non-Lin.
  mnist         all of the paper on MNIST and Fashion-MNIST
  dsprites      all of the paper on dSprites
  full          the three together
  table_1, table_2, figure_4, supplement_c
                what that part of the paper shows, on every data set

Given the same --output, studies share the runs that they have in common. --list prints a study's runs.
"""
# Bytes that a worker on dSprites has room for; 7.4e9 were measured.
DSPRITES_MEMORY = 8 * 2**30
# Data sets by how long a run takes.
LONGEST_FIRST = ("dsprites", "fashion_mnist", "mnist", "synth_nonlinear", "synth_linear")
RESULT_PATTERN = "runs/*/*/*/metrics/*/*/results/aggregate/evaluation.json"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="vae_ortho_study",
        description="Trains and evaluates the runs of a study with disentanglement_lib's "
        "dlib_reproduce, several\nat a time, and writes OUTPUT/report.md and report.html. Runs that "
        "OUTPUT has already are not\nmade again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=STUDIES_HELP,
    )
    add = result.add_argument
    add("--study", default="quick", metavar="NAME", help=f"one of: {', '.join(STUDIES)}")
    add("--models", nargs="+", metavar="MODEL", help="only these, such as beta_vae")
    add("--data-sets", nargs="+", metavar="NAME", help="only these, such as synth_linear")
    add("--seeds", nargs="+", metavar="N", help="these instead of the study's, such as 0 3 5-9")
    add("--epochs", type=int, metavar="N", help="shorten what trains longer to N epochs")
    add("--render-dsprites", action="store_true", help="render a stand-in for missing dSprites")
    add("--output", type=Path, metavar="DIR", help="default: results/STUDY")
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="runs at a time (default: one a core, memory permitting)",
    )
    add("--report-only", action="store_true", help="train nothing, report what is finished")
    add("--list", action="store_true", help="print the selected runs and their model numbers")
    return result


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _study(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nStopped. The same command goes on with the runs that are missing.", file=sys.stderr
        )
        return 130


def _study(options: argparse.Namespace) -> int:
    runs = select(
        options.study,
        options.models,
        options.data_sets,
        parse_seeds(options.seeds),
        options.epochs,
    )
    if options.list:
        print("\n".join(f"{run.model_num:5d}  {run}" for run in runs))
        return 0
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs {options.jobs}: at least one run at a time.")
    selected = {run.cell.study_cell for run in runs}
    if not options.report_only:
        # Late, since --help must do without NumPy.
        from vae_ortho_plugin.study.run import needed_data

        if options.render_dsprites and any(run.cell.row.data_set == "dsprites" for run in runs):
            needed_data.render_dsprites_if_missing()
        runs = needed_data.keep_those_with_data(runs, options.data_sets)
    output = (options.output or Path("results", options.study)).absolute()
    output.mkdir(parents=True, exist_ok=True)
    with _locked(output):
        failures = []
        if not options.report_only:
            failures = make_missing(runs, output, options.jobs)
        print(f"Report: {report(options.study, output, selected)}")
    for failure in failures:
        print(f"failed: {failure.run}: {failure.error}\n  log: {failure.log}", file=sys.stderr)
    return 1 if failures else 0


def parse_seeds(texts: list[str] | None) -> list[int] | None:
    """Seeds from command-line words such as '3' and '5-9'.

    Raises:
        InputError: a word is neither.
    """
    if texts is None:
        return None
    seeds: list[int] = []
    for text in texts:
        first, dash, last = text.partition("-")
        try:
            bounds = int(first), int(last if dash else first)
        except ValueError:
            raise InputError(f"--seeds {text}: give numbers or ranges such as 0 3 5-9.") from None
        if bounds[0] > bounds[1]:
            raise InputError(f"--seeds {text}: the range is empty.")
        seeds.extend(range(bounds[0], bounds[1] + 1))
    return seeds


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _locked(output: Path) -> Iterator[None]:
    with open(output / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Another vae_ortho_study is at work in {output}. Wait for it, or give --output."
            ) from None
        yield


def make_missing(runs: list[Run], output: Path, jobs: int | None) -> list[Failure]:
    """Makes those of `runs` that `output` does not have; returns the ones that failed.

    Args:
        jobs: runs at a time; None: as many as the machine has room for.
    """

    def directory_of(run: Run) -> Path:
        return output / "runs" / str(run)

    missing = [run for run in runs if not directory_of(run).exists()]
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before, in {output}")
    if not missing:
        return []
    for script in ("dlib_reproduce", "dlib_aggregate_results"):
        dlib_script(script)
    missing.sort(key=_turn)
    jobs = min(jobs or default_jobs(missing), len(missing))
    return make_runs(
        missing, directory_of, output / "logs", jobs, threads=max(1, available_cores() // jobs)
    )


def report(study: str, output: Path, cells: Collection[Cell]) -> Path:
    """Brings results.json and report.md up to date with the finished runs; `cells` as `write_report`."""
    from vae_ortho_plugin.study.report import write_report

    results = output / "results.json"
    runs = [path.stat().st_mtime for path in output.glob("runs/*/*/*/run.json")]
    if runs and not (results.is_file() and results.stat().st_mtime > max(runs)):
        aggregate(output)
    return write_report(study, output, cells)


def default_jobs(runs: list[Run]) -> int:
    """One a core, but no more than the memory holds of dSprites' runs."""
    cores = available_cores()
    if all(run.cell.row.data_set != "dsprites" for run in runs):
        return cores
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores, memory // DSPRITES_MEMORY))


def _turn(run: Run) -> tuple[bool, int, int]:
    """Seed by seed, so that an interrupted study has some of all cells; a seed's long runs first.

    What trains nothing comes last: no core is then left alone with a long run at the end.
    """
    return run.cell.model == "random_decoder", run.seed, LONGEST_FIRST.index(run.cell.row.data_set)


def aggregate(output: Path) -> None:
    """Collects every metric of every run in results.json, by dlib_aggregate_results.

    Raises:
        InputError: the script failed.
    """
    partial = output / ".results.json.partial"
    process = subprocess.run(
        [
            sys.executable,
            dlib_script("dlib_aggregate_results"),
            f"--result_file_pattern={RESULT_PATTERN}",
            f"--output_path={partial.name}",
        ],
        check=False,
        cwd=output,  # so that no character of its path is taken for a pattern
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise InputError(f"dlib_aggregate_results failed in {output}:\n{process.stderr}")
    partial.rename(output / "results.json")


if __name__ == "__main__":
    sys.exit(main())

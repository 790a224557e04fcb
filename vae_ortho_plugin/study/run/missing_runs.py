# SPDX-License-Identifier: Apache-2.0
"""Carries out a command line: makes the missing runs, aggregates their results, writes the report."""

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError, check_no_pattern
from vae_ortho_plugin.files import behind_links, streams
from vae_ortho_plugin.files.locks import is_abandoned, locked
from vae_ortho_plugin.study.plan.experiments import Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.run import display, status
from vae_ortho_plugin.study.run.dlib_scripts import dlib_script
from vae_ortho_plugin.study.run.pool import TimeLimitReached, make_in_workers
from vae_ortho_plugin.study.run.progress import Failure
from vae_ortho_plugin.study.run.schedule import available_cores, default_jobs, in_order

# As of the command timeout.
TIME_LIMIT_EXIT = 124


def run_study(options: argparse.Namespace, command: str) -> int:
    """Makes what the options ask for; returns the exit status.

    Args:
        options: of the command line.
        command: the command line, for messages.

    Raises:
        InputError: an option is wrong, data are missing, or another study works in the folder.
    """
    begun = time.monotonic()
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
    if options.jobs is not None and options.snakemake is not None:
        raise InputError(
            "--jobs before --snakemake is for one machine: write it behind --snakemake."
        )
    if options.retries < 0:
        raise InputError(f"--retries {options.retries}: none or more.")
    time_limit = parse_duration(options.time_limit)
    folder = ResultsFolder(behind_links(options.output or Path("results", options.study)))
    selected = {run.experiment.as_planned for run in runs}
    if options.status:
        if not folder.path.is_dir():
            raise InputError(f"There is no results folder {folder.path}. Name it with --output.")
        status.show(runs, folder)
        return 0
    check_no_pattern(folder.path)
    # What is printed from here on is how far the study is.
    streams.drop_what_cannot_be_written("stdout", "stderr")
    # Late, because they import matplotlib, which --list and --status do not need.
    from vae_ortho_plugin.study.report import write_report
    from vae_ortho_plugin.study.run.aggregation import aggregate

    if not options.report_only:
        runs = _with_data(runs, options)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"--output {folder.path}: {error.filename} is a file. Name a directory."
        ) from None
    with locked(folder.lock, f"the results folder {folder.path}"):
        _delete_leftovers(folder)
        failures = []
        if not options.report_only:
            if time_limit is not None:
                time_limit = max(0.0, time_limit - (time.monotonic() - begun))
            try:
                failures = make_missing(
                    runs, folder, options.jobs, options.retries, time_limit, options.snakemake
                )
            except TimeLimitReached as stopped:
                display.show_failures(stopped.failures)
                print(
                    f"The time limit of {options.time_limit} is reached. The same command continues: "
                    f"{command}"
                )
                return TIME_LIMIT_EXIT
        aggregate(folder)
        print(f"Report: {write_report(options.study, folder.path, selected)}")
    display.show_failures(failures)
    return 1 if failures else 0


def _delete_leftovers(folder: ResultsFolder) -> None:
    """Deletes what processes that were killed have left; the caller holds the folder's lock."""
    for left in folder.leftovers():
        left.unlink(missing_ok=True)
    if is_abandoned(folder.engine_lock):
        folder.engine_lock.unlink(missing_ok=True)


def _with_data(runs: list[Run], options: argparse.Namespace) -> list[Run]:
    from vae_ortho_plugin.study.run import needed_data

    if options.render_dsprites and any(run.experiment.data.data_set == "dsprites" for run in runs):
        needed_data.render_dsprites_if_missing()
    return needed_data.keep_those_with_data(runs, options.data_sets)


def parse_seeds(texts: Sequence[str] | None) -> list[int] | None:
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


def parse_duration(text: str | None) -> float | None:
    """Seconds of a text such as '3h50m', '90m', '600s' or '600'.

    Raises:
        InputError: the text is no positive duration.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if not (total := 3600 * hours + 60 * minutes + seconds):
        raise InputError(f"--time-limit {text}: give a duration such as 3h50m, 90m or 600s.")
    return float(total)


def make_missing(
    runs: Sequence[Run],
    folder: ResultsFolder,
    jobs: int | None,
    retries: int = 0,
    time_limit: float | None = None,
    snakemake: Sequence[str] | None = None,
) -> list[Failure]:
    """Makes the runs that the folder does not have; returns the ones that failed.

    Args:
        runs: all that are wanted.
        folder: the results folder.
        jobs: runs at a time; None: as many as the machine has room for.
        retries, time_limit: as for `make_in_workers`.
        snakemake: options for Snakemake, which then has the runs made in its jobs.

    Raises:
        InputError: disentanglement_lib is not installed, Snakemake is not or fails, or the directory of a
            run has no run.json.
        TimeLimitReached: the time limit passed.
    """
    missing = in_order([run for run in runs if not folder.has(run)])
    print(f"{len(runs)} runs, {len(runs) - len(missing)} of them finished before, in {folder.path}")
    if not missing:
        return []
    dlib_script("dlib_reproduce")
    if snakemake is not None:
        # Late, because one machine does without it.
        from vae_ortho_plugin.study.run.cluster.launch import make_on_cluster

        return make_on_cluster(missing, folder, snakemake, retries, time_limit)
    jobs = min(jobs or default_jobs(missing), len(missing))
    threads = max(1, available_cores() // jobs)
    return make_in_workers(missing, folder, jobs, threads, retries, time_limit)

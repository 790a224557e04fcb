# SPDX-License-Identifier: Apache-2.0
"""Does what a command line asks for: makes the missing runs, aggregates their results, writes the report."""

import argparse
import functools
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from vae_ortho_plugin.data import render_dsprites
from vae_ortho_plugin.data.dsprites import FILE as DSPRITES_FILE
from vae_ortho_plugin.data.files.location import VARIABLE, data_root, describe_root
from vae_ortho_plugin.data.files.mnist_files import SHAPES, find_file
from vae_ortho_plugin.errors import InputError, check_no_pattern
from vae_ortho_plugin.files import behind_links, streams
from vae_ortho_plugin.files.locks import is_abandoned, locked
from vae_ortho_plugin.study.plan.experiments import SEEDS_PER_EXPERIMENT, Run
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.plan.plans import select
from vae_ortho_plugin.study.plan.schedule import chain, duration, in_order, seconds_by_chain
from vae_ortho_plugin.study.report import write_report
from vae_ortho_plugin.study.run import status
from vae_ortho_plugin.study.run.aggregation import aggregate
from vae_ortho_plugin.study.run.cluster.launch import make_on_cluster
from vae_ortho_plugin.study.run.machine import available_cores, default_jobs
from vae_ortho_plugin.study.run.pool import make_in_workers
from vae_ortho_plugin.study.run.reproduce import dlib_script
from vae_ortho_plugin.study.run.state import Pace, StudyState

# The exit status of the command `timeout`, too.
TIME_LIMIT_EXIT = 124


def run_study(options: argparse.Namespace, command: str) -> int:
    """Makes what the options of a command line ask for; returns the exit status.

    Raises:
        InputError: an option is wrong, data are missing, or another study works in the folder.
    """
    begun = time.monotonic()
    seeds = parse_seeds(options.seeds)
    runs = select(options.study, options.models, options.data_sets, seeds, options.epochs)
    if options.list:
        print("\n".join(f"{run.model_num:5d}  {run}" for run in runs))
        return 0
    _check(options)
    end = begun + parse_duration(options.time_limit)
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
    if not options.report_only:
        if options.render_dsprites and any(run.data_set == "dsprites" for run in runs):
            render_dsprites_if_missing()
        runs = runs_with_data(runs, options.data_sets)
    report = functools.partial(write_report, options.study, folder.path, selected)
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.path).close()
    except OSError as error:
        files = [one for one in (folder.path, *folder.path.parents) if os.path.isfile(one)]
        what = f"{files[0]} is a file" if files else f"cannot be written ({error.strerror})"
        raise InputError(f"--output {folder.path}: {what}. Name another directory.") from error
    with locked(folder.lock, f"the results folder {folder.path}"):
        delete_leftovers(folder)
        state, in_time = StudyState([], folder), True
        if not options.report_only:
            state, in_time = _make_missing(runs, folder, options, end, report)
        if in_time:
            aggregate(folder)
            report()
            named = "The report has every finished run."
            print(named if state.report_is_named else f"Report: {folder.report_page}")
    state.show_failures()
    if not in_time:
        print(
            f"The time limit of {options.time_limit} is reached. The same command continues: {command}"
        )
        return TIME_LIMIT_EXIT
    return 1 if state.failures else 0


def _check(options: argparse.Namespace) -> None:
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs {options.jobs}: at least one run at a time.")
    if options.jobs is not None and options.snakemake is not None:
        raise InputError(
            "--jobs before --snakemake is for one machine: write it behind --snakemake."
        )
    if options.retries < 0:
        raise InputError(f"--retries {options.retries}: none or more.")


def delete_leftovers(folder: ResultsFolder) -> None:
    """Deletes what processes that were killed have left; the caller holds the folder's lock."""
    for directory in (folder.path, folder.tables, folder.pictures):
        for left in directory.glob(".*.partial*"):
            left.unlink(missing_ok=True)
    if is_abandoned(folder.snakemake_lock):
        folder.snakemake_lock.unlink(missing_ok=True)


def parse_seeds(texts: Sequence[str] | None) -> list[int] | None:
    """Seeds from command-line words such as '3' and '5-9'."""
    if texts is None:
        return None
    seeds: list[int] = []
    for text in texts:
        if not (found := re.fullmatch(r"(\d+)(?:-(\d+))?", text)):
            raise InputError(f"--seeds {text}: give numbers or ranges such as 0 3 5-9.")
        first, last = int(found[1]), int(found[2] or found[1])
        if first > last:
            raise InputError(f"--seeds {text}: the range is empty.")
        # One seed more than there are is refused, as are a million.
        seeds.extend(range(first, last + 1)[: SEEDS_PER_EXPERIMENT + 1])
    return seeds


def parse_duration(text: str | None) -> float:
    """Seconds of a text such as '3h50m', '90m', '600s' or '600'; infinitely many without one."""
    if text is None:
        return math.inf
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    if not (total := 3600 * hours + 60 * minutes + seconds):
        raise InputError(f"--time-limit {text}: give a duration such as 3h50m, 90m or 600s.")
    return float(total)


def _make_missing(
    runs: Sequence[Run],
    folder: ResultsFolder,
    options: argparse.Namespace,
    end: float,
    report: Callable[[], object],
) -> tuple[StudyState, bool]:
    """Makes the runs that the folder does not have; returns also whether all were tried in time."""
    finished = {run: folder.has(run) for run in runs}
    missing = in_order(run for run in runs if not finished[run])
    print(f"{len(runs)} runs, {sum(finished.values())} of them finished before, in {folder.path}")
    pace = Pace((run for run in runs if finished[run]), folder)
    state = StudyState(missing, folder, 1, options.retries, end, report, pace)
    if not missing:
        return state, True
    dlib_script("dlib_reproduce")
    if options.snakemake is not None:
        return state, make_on_cluster(state, options.snakemake)
    # Runs that continue each other are made one after the other.
    state.jobs = jobs = min(options.jobs or default_jobs(missing), len(set(map(chain, missing))))
    threads = max(1, available_cores() // jobs)
    if (computing := pace.of_all(missing)) is not None:
        by = "by the finished ones"
    else:
        computing = sum(seconds_by_chain(missing, threads).values())
        by = (
            "on the machine of docs/performance.md; an estimate for this one follows its first runs"
        )
    print(f"{jobs} at a time: about {duration(computing / jobs)} {by}", flush=True)
    return state, make_in_workers(state, threads)


def runs_with_data(runs: list[Run], demanded: Iterable[str] | None) -> list[Run]:
    """The runs whose data are there; prints a line for each data set that is left out.

    Raises:
        InputError: the data of a variant that the user demanded by name are missing, or those of all runs.
    """
    absent = {
        run.data_set: _how_to_get(run.data_set) for run in runs if not _is_there(run.data_set)
    }
    there = [run for run in runs if run.data_set not in absent]
    data_sets = {run.experiment.data.as_planned.name: run.data_set for run in runs}
    missing = [data_sets[name] for name in demanded or () if data_sets.get(name) in absent]
    if missing or (absent and not there):
        raise InputError("\n".join(absent[name] for name in missing or absent))
    for name, remedy in absent.items():
        left_out = sum(run.data_set == name for run in runs)
        print(f"Leaving out {left_out} runs. {remedy}", file=sys.stderr)
    return there


def render_dsprites_if_missing() -> None:
    """Renders dSprites unless there is a file in its place."""
    if not _is_there("dsprites") and render_dsprites.main([]) != 0:
        raise InputError("dSprites could not be rendered; see above.")


def _is_there(data_set: str) -> bool:
    if data_set == "dsprites":
        return (data_root() / DSPRITES_FILE).is_file()
    if data_set in ("mnist", "fashion_mnist"):
        try:
            for file in SHAPES:
                find_file(data_root() / data_set, file)
        except InputError:
            return False
    return True


def _how_to_get(data_set: str) -> str:
    place = data_root() / (DSPRITES_FILE if data_set == "dsprites" else data_set)
    rendered = ", --render-dsprites draws them" * (data_set == "dsprites")
    return (
        f"The files of {data_set} are not in {place} ({describe_root()}). Set {VARIABLE} to the "
        f"directory that has them; `vae_ortho_download_data {data_set}` fetches them{rendered}."
    )

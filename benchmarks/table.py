# SPDX-License-Identifier: Apache-2.0
"""The table of the rows that were measured, the growth figure and how long the studies take; pasting them into the docs."""

import json
import math
import shutil
import statistics
from pathlib import Path

from benchmarks.rows import COLUMNS, GPU, GROWTH, LIMIT, PLUGIN, STUDY, STUDY_RUNS, TABLE, TF114

HEADER = (
    f"| | {' | '.join(COLUMNS)} | ratio to the best peer |\n|---|{'---:|' * (len(COLUMNS) + 1)}"
)
BEGIN, END = "<!-- benchmarks/run.sh --paste -->", "<!-- end of what it pastes -->"


def write(directory: Path) -> Path:
    """Writes table.md and growth.png of the rows measured in a directory; returns the path of the first."""
    rows = {path.stem: json.loads(path.read_text()) for path in directory.glob("*.json")}
    table = [rows[row.name] for row in (*TABLE, *GPU) if row.name in rows]
    growth = [rows[row.name] for row in GROWTH if row.name in rows]
    parts = ["\n".join([HEADER, *map(line, {row["name"]: row for row in table}.values())])]
    if STUDY.name in rows:
        dsprites = rows.get("train-dsprites-64")
        parts.append(study_times(rows[STUDY.name], dsprites))
    parts += origins(list(rows.values()))
    reasons = {
        f"Not measured: {series['column']}, {row['name']}: {series['not_measured']}."
        for row in table
        for series in row["series"]
        if series["not_measured"]
    }
    parts += sorted(reasons)
    if growth:
        draw(growth, directory / "growth.png")
        parts.append("![What more data, width, latents and runs cost](growth.png)")
    path = directory / "table.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path


def paste(directory: Path, docs: Path) -> None:
    """Replaces what lies between BEGIN and END in docs/performance.md by the table, and docs/growth.png."""
    path = docs / "performance.md"
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"error: {path} needs the lines {BEGIN} and {END}, between which it goes")
    table = write(directory).read_text()
    path.write_text(f"{before}{begin}\n\n{table}\n{end}{after}")
    if (directory / "growth.png").exists():
        shutil.copy(directory / "growth.png", docs)


def best(row: dict, column: str) -> tuple[float, str] | None:
    """Median and label of the column's best series; None where none was measured."""
    is_rate = row["unit"].endswith("/s")
    medians = [
        (statistics.median(series["values"]), series["label"])
        for series in row["series"]
        if series["column"] == column and series["values"] and not series["not_measured"]
    ]
    return (max if is_rate or column == LIMIT else min)(medians, default=None)


def line(row: dict) -> str:
    """One row of the table; the ratio is above 1 where the plugin is ahead of the best peer."""
    found = {column: best(row, column) for column in COLUMNS}
    cells = [_cell(found[column]) for column in COLUMNS]
    peers = [value[0] for column, value in found.items() if value and column not in (PLUGIN, LIMIT)]
    ratio = "–"
    if peers and found[PLUGIN]:
        plugin, is_rate = found[PLUGIN][0], row["unit"].endswith("/s")
        ratio = f"{plugin / max(peers) if is_rate else min(peers) / plugin:.2f}"
    return f"| {row['title']} ({row['unit']}) | {' | '.join([*cells, ratio])} |"


def _cell(value: tuple[float, str] | None) -> str:
    if value is None:
        return "–"
    number = f"{value[0]:,.0f}" if abs(value[0]) >= 100 else f"{value[0]:.3g}"
    return f"{number} ({value[1]})" if value[1] else number


def origins(rows: list[dict]) -> list[str]:
    """A paragraph for each commit and machine that rows come from (one, as a rule), with the versions of libraries."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(f"{row['date']}, commit {row['commit']}, {row['device']}", []).append(row)
    result = []
    for origin, group in groups.items():
        versions, repeats = {}, set()
        for series in (series for row in group for series in row["series"] if series["values"]):
            repeats.add(len(series["values"]))
            if series["column"] != TF114:  # which says its version
                versions |= series["versions"]
        versions.pop("python", None)
        names = ", ".join(f"{name} {version}" for name, version in versions.items())
        count = " or ".join(map(str, sorted(repeats)))
        result.append(f"{origin}; {names}. Medians of {count} alternated measurements.")
    return result


def draw(rows: list[dict], path: Path) -> None:
    """Draws one small diagram for each growth, on logarithmic axes."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(2.9 * len(rows), 2.8))
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False).flat, rows, strict=True):
        measured = [series for series in row["series"] if series["values"]]
        sizes = [int(series["label"]) for series in measured]
        axes.plot(sizes, [statistics.median(series["values"]) for series in measured], marker=".")
        axes.set(xscale="log", yscale="log", xlabel=row["axis"], ylabel=row["unit"])
        axes.set_title(row["title"], fontsize=8)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=7)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def study_times(measured: dict, dsprites: dict | None) -> str:
    """A table of the studies and their time on this machine's cores.

    A run takes what its data set's short run takes without its epochs, and for each epoch what a longer run took
    more. The study makes as many runs at a time as there are cores. The epochs of dSprites come from the speed
    of training on all cores. All models count as the (β-)VAE.
    """
    from vae_ortho_plugin.study.plan import data_variants, experiments, plans

    medians = [
        statistics.median(series["values"] or [float("nan")]) for series in measured["series"]
    ]
    cores = int(measured["device"].partition(" cores")[0].rpartition(" ")[2])
    variants = {experiment.data.name: experiment.data for experiment in experiments.EXPERIMENTS}
    # Of (data set, batch size): the seconds of a run without its epochs, and of an epoch.
    costs: dict[tuple, tuple[float, float]] = {}
    pairs = zip(STUDY_RUNS[::2], STUDY_RUNS[1::2], medians[::2], medians[1::2], strict=True)
    for (name, short), (_, long), little, much in pairs:
        epoch = (much - little) / (long - short)
        key = variants[name].data_set, variants[name].batch_size
        costs[key] = max(0.0, little - short * epoch), epoch
    fixed, _ = costs["fashion_mnist", None] = costs["mnist", None]
    rate = best(dsprites, PLUGIN) if dsprites else None
    bound = data_variants.data_set_bindings("dsprites")
    steps = bound["training_steps"] / bound["epochs"]
    costs["dsprites", None] = fixed, cores * steps / rate[0] if rate else float("nan")
    lines = [f"| study | runs | time on {cores} cores |", "|---|---:|---:|"]
    for study in plans.STUDIES:
        runs, seconds = plans.select(study), 0.0
        for experiment in (run.experiment for run in runs):
            fixed, epoch = costs[experiment.data.data_set, experiment.data.batch_size]
            seconds += fixed + epoch * experiment.data.epochs * (
                experiment.model != "random_decoder"
            )
        lines.append(f"| {study} | {len(runs)} | {_duration(seconds / cores)} |")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "not measured"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"

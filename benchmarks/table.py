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
    if growth and draw(growth, directory / "growth.png"):
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


def draw(rows: list[dict], path: Path) -> bool:
    """One small diagram for each growth, on logarithmic axes; false where there is no Matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator

    figure, grid = pyplot.subplots(1, len(rows), figsize=(2.9 * len(rows), 2.8), squeeze=False)
    for axes, row in zip(grid.flat, rows, strict=True):
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
    pyplot.close(figure)
    return True


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
    fixed, of_an_epoch = {}, {}
    pairs = zip(STUDY_RUNS[::2], STUDY_RUNS[1::2], medians[::2], medians[1::2], strict=True)
    for (name, short), (_, long), little, much in pairs:
        key = variants[name].data_set, variants[name].batch_size
        of_an_epoch[key] = (much - little) / (long - short)
        fixed[key] = max(0.0, little - short * of_an_epoch[key])
    bound = data_variants.data_set_bindings("dsprites")
    rate = best(dsprites, PLUGIN) if dsprites else None
    steps = bound["training_steps"] / bound["epochs"]
    of_an_epoch["dsprites", None] = cores * steps / rate[0] if rate else float("nan")
    of_an_epoch["fashion_mnist", None] = of_an_epoch["mnist", None]
    fixed |= dict.fromkeys((("dsprites", None), ("fashion_mnist", None)), fixed["mnist", None])
    lines = [f"| study | runs | time on {cores} cores |", "|---|---:|---:|"]
    for study in plans.STUDIES:
        experiments_of_runs = [run.experiment for run in plans.select(study)]
        seconds = 0.0
        for experiment in experiments_of_runs:
            key = experiment.data.data_set, experiment.data.batch_size
            epochs = 0 if experiment.model == "random_decoder" else experiment.data.epochs
            seconds += fixed[key] + epochs * of_an_epoch[key]
        lines.append(f"| {study} | {len(experiments_of_runs)} | {_duration(seconds / cores)} |")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "not measured"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"

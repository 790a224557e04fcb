# SPDX-License-Identifier: Apache-2.0
"""The tables of the rows that were measured, as Markdown and JSON, and a picture of how cost grows."""

import json
import statistics
from pathlib import Path

from benchmarks import study_time
from benchmarks.rows import ROWS


def write(directory: Path) -> Path:
    """Writes table.md, table.json and growth.png of the rows in a directory; returns the first's path."""
    rows = [
        json.loads((directory / f"{name}.json").read_text())
        for name in ROWS
        if (directory / f"{name}.json").exists()
    ]
    for row in rows:
        evaluate(row)
    (directory / "table.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False))
    growing = [row for row in rows if row["axis"] is not None]
    if growing:
        _draw(growing, directory / "growth.png")
    path = directory / "table.md"
    path.write_text(markdown(rows))
    return path


def markdown(rows: list[dict]) -> str:
    """The rows as evaluated: a table of comparisons, a table of each growth, notes, the machine."""
    parts = [_comparisons([row for row in rows if row["axis"] is None])]
    parts += [_growth(row) for row in rows if row["axis"] is not None]
    parts.append(study_time.estimates(rows))
    parts += [f"**{row['title']}.** {row['about']}" for row in rows if row["about"]]
    parts += _machines(rows)
    return "\n\n".join(part for part in parts if part) + "\n"


def evaluate(row: dict) -> None:
    """Adds median, minimum and maximum, the ratio of the first series to each other one, and goals."""
    subject = row["series"][0]
    for series in row["series"]:
        if series["values"]:
            series["median"] = statistics.median(series["values"])
            series["min"], series["max"] = min(series["values"]), max(series["values"])
    for series in row["series"]:
        bounds = row if series is subject else series
        series["goal"] = _goal(bounds, "" if series is subject else " ×")
        series["ratio"] = series["reached"] = None
        if "median" not in series or "median" not in subject:
            continue
        if series is not subject and series["median"]:
            series["ratio"] = subject["median"] / series["median"]
        if series["goal"]:
            value = series["median"] if series is subject else series["ratio"]
            above = bounds["at_least"] is None or value >= bounds["at_least"]
            below = bounds["at_most"] is None or value <= bounds["at_most"]
            series["reached"] = above and below


def _goal(bounds: dict, sign: str) -> str | None:
    if bounds["at_least"] is not None:
        return f"≥ {bounds['at_least']:g}{sign}"
    if bounds["at_most"] is not None:
        return f"≤ {bounds['at_most']:g}{sign}"
    return None


def _comparisons(rows: list[dict]) -> str:
    if not rows:
        return ""
    lines = [
        "| what | | median | minimum | maximum | ratio to it | goal | reached |",
        "|---|---|---:|---:|---:|---:|---|---|",
    ]
    for row in rows:
        for number, series in enumerate(row["series"]):
            title = f"**{row['title']}** ({row['unit']})" if number == 0 else ""
            ratio = "" if series["ratio"] is None else f"{_number(series['ratio'])} ×"
            reached = {None: "not measured" if series["goal"] else "", True: "yes", False: "**no**"}
            cells = [*_measured(series), ratio, series["goal"] or "", reached[series["reached"]]]
            lines.append(f"| {title} | {series['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _growth(row: dict) -> str:
    lines = [
        f"| {row['axis']} | {row['title']} ({row['unit']}), median | minimum | maximum |",
        "|---:|---:|---:|---:|",
    ]
    for series in row["series"]:
        lines.append(f"| {series['name']} | {' | '.join(_measured(series))} |")
    return "\n".join(lines)


def _draw(rows: list[dict], path: Path) -> None:
    """One small diagram for each growth, on logarithmic axes: medians, with minimum and maximum."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator

    figure, grid = pyplot.subplots(2, -(-len(rows) // 2), figsize=(11, 5.5), squeeze=False)
    for axes, row in zip(grid.flat, rows, strict=False):
        measured = [series for series in row["series"] if series["values"]]
        sizes = [int(series["name"]) for series in measured]
        medians = [series["median"] for series in measured]
        spread = [
            [series["median"] - series["min"] for series in measured],
            [series["max"] - series["median"] for series in measured],
        ]
        axes.errorbar(sizes, medians, spread, marker=".")
        axes.set(xscale="log", yscale="log", title=row["title"], xlabel=row["axis"])
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylabel(row["unit"])
        axes.title.set_fontsize(8)
        axes.grid(alpha=0.3)
    for axes in grid.flat[len(rows) :]:
        axes.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    pyplot.close(figure)


def _machines(rows: list[dict]) -> list[str]:
    """A description of each machine and commit that rows come from; one line, as a rule."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        machine = row["machine"]
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        text = (
            f"commit {machine['commit']}; {machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_gib']} GiB of memory, "
            f"{'; '.join(machine['gpus']) or 'no GPU'}; {machine['system']}; {versions}"
        )
        groups.setdefault(text, []).append(row)
    lines = []
    for text, group in groups.items():
        busy = [row["busy_cores_before"] for row in group if row["busy_cores_before"] is not None]
        which = "All rows" if len(groups) == 1 else ", ".join(row["name"] for row in group)
        repeats = sorted({len(s["values"]) for row in group for s in row["series"] if s["values"]})
        lines.append(
            f"{which}: {group[-1]['date']}, {text}. "
            f"{' or '.join(map(str, repeats))} measurements of everything, in alternation. "
            f"Before a row, other work kept {max(busy, default=0):g} cores busy at most."
        )
    return lines


def _measured(series: dict) -> list[str]:
    """Median, minimum and maximum, or in their place why there are none."""
    if series["values"]:
        return [_number(series[key]) for key in ("median", "min", "max")]
    reason = " ".join(series["not_measured"].split()).replace("|", "/")
    return [f"not measured: {reason}", "", ""]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

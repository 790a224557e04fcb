# SPDX-License-Identifier: Apache-2.0
"""Fills the tables of docs/results.md and docs/notes/ from docs/data/ and the paper's numbers.

`python scripts/results_tables.py` writes them, `--check` exits with 1 where a document differs. A
table stands between the lines `<!-- table NAME -->` and `<!-- end -->`. The numbers in docs/data/ are
read as text, so that a document shows them with their digits.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, TABLE_VARIANTS
from vae_ortho_plugin.study.report import paper_targets, tables
from vae_ortho_plugin.study.report.paper_targets import Target
from vae_ortho_plugin.study.report.tables import LEAST_VALUES

DOCS = Path(__file__).resolve().parents[1] / "docs"
PLACE = re.compile(r"(<!-- table (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
DATA_SETS = {data.data_set: data.title for data in TABLE_VARIANTS}
MODELS = MODEL_TITLES | {"linearized_vae": "`linearized_vae`, λ = 1"}
NO_RUN = "no run yet"
# A header, and the text of a row's cell.
Column = tuple[str, Callable[[pd.Series], str]]


def main() -> int:
    different = 0
    for path in [DOCS / "results.md", *sorted((DOCS / "notes").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        if (new := filled(text)) == text:
            continue
        different += 1
        print(f"{path.name}: its tables are not those of docs/data/")
        if "--check" not in sys.argv[1:]:
            path.write_text(new, encoding="utf-8")
    return int("--check" in sys.argv[1:] and different > 0)


def filled(text: str) -> str:
    """The text of a document with its tables made anew."""
    return PLACE.sub(lambda place: place[1] + table(place[2]) + place[4], text)


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(DOCS / "data" / f"{name}.csv", dtype=str, keep_default_na=False)


def markdown(rows: pd.DataFrame, columns: list[Column]) -> str:
    return lined(
        [header for header, _ in columns],
        [[cell(row) for _, cell in columns] for _, row in rows.iterrows()],
    )


def lined(headers: list[str], lines: list[list[str]]) -> str:
    return tables.markdown(headers, lines) + "\n"


def mean(name: str) -> Callable[[pd.Series], str]:
    """Such as '0.33 ± 0.18', or '0.33 (one seed)'."""

    def cell(row: pd.Series) -> str:
        if not row[name]:
            return "–"
        return (
            f"{row[name]} ± {row[name + '_sd']}" if row[name + "_sd"] else f"{row[name]} (one seed)"
        )

    return cell


def interval(name: str) -> Callable[[pd.Series], str]:
    return lambda row: (
        f"{row[name + '_low']} to {row[name + '_high']}" if row[name + "_low"] else "–"
    )


def paper(
    name: str, find: Callable[[pd.Series], Target | None], digits: int
) -> Callable[[pd.Series], str]:
    """The paper's number; with ✓ where its mean lies in our 95 % interval, as exactly as it is printed."""

    def cell(row: pd.Series) -> str:
        target = find(row)
        if target is None:
            return "–"
        text = shown(target, digits)
        if int(row["n"].split()[0]) < LEAST_VALUES or not row[name]:
            return text
        low, high = float(row[name + "_low"]), float(row[name + "_high"])
        return f"{text} {'✓' if target.agrees_with(low, high) else '✗'}"

    return cell


def shown(target: Target | None, digits: int = 2) -> str:
    return target.text(f".{digits}f") if target else "–"


def of_table_2(measure: str) -> Callable[[pd.Series], Target | None]:
    return lambda row: paper_targets.target(row["data_set"], measure, row["model"])


def of_table_1(row: pd.Series) -> Target | None:
    """The paper's Table 1 has the β-VAE alone, on images with β = 1 the VAE."""
    model = "vae" if "mnist" in row["data_set"] else "beta_vae"
    own, ten = paper_targets.TABLE_1[row["data_set"]]
    return (ten if row["latents"] == "10" else own) if row["model"] == model else None


def of_axis_ratio(measure: str) -> Callable[[pd.Series], Target | None]:
    """The paper's supplement has the ratios below 2, its Table 2 has 2."""

    def find(row: pd.Series) -> Target | None:
        if row["axis_ratio"] == "2":
            return paper_targets.target("synth_linear", measure, "beta_vae")
        return paper_targets.AXIS_RATIOS[float(row["axis_ratio"])][measure]

    return find


def set_name(row: pd.Series) -> str:
    return DATA_SETS[row["data_set"]]


def label(row: pd.Series) -> str:
    """The data set, with what differs from the full default protocol."""
    parts = [set_name(row)]
    if row.get("model") == "random_decoder":
        return parts[0]
    if row["data_set"].startswith("synth") and row["batch"] == "64":
        parts.append("batch 64")
    if row.get("latents") == "10":
        parts.append("10 latents")
    if "model" in row and row.get("axis_ratio"):
        parts.append(f"axis ratio {row['axis_ratio']}")
    done, of = row["epochs"].split(" of ")
    return ", ".join(parts) + ("" if done == of else f" ({row['epochs']} epochs)")


def in_the_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the default protocol and of the paper's models: on images 20 epochs and the full length."""
    synthetic = rows["data_set"].str.startswith("synth")
    of_images = ~synthetic & ~rows["epochs"].str.startswith(("100 ", "50 "))
    default = (
        (synthetic & (rows["batch"] == "16")) | of_images | (rows["model"] == "random_decoder")
    )
    models = rows["model"] != "linearized_vae"
    order = [*DATA_SETS, *MODELS].index
    return rows[default & models].sort_values(
        ["data_set", "model"], key=lambda names: names.map(order), kind="stable"
    )


def of_the_paper(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the default batch that the paper's Table 1 has."""
    default = ~rows["data_set"].str.startswith("synth") | (rows["batch"] == "16")
    return rows[default & rows.apply(lambda row: of_table_1(row) is not None, axis=1)]


def of_sets(rows: pd.DataFrame, part: str) -> pd.DataFrame:
    return rows[rows["data_set"].str.contains(part)]


def dial(data_set: str) -> str:
    """The measures in lines, λ in columns."""
    rows = read("dial")
    rows = rows[rows["data_set"] == data_set]
    lower = "lower than at the λ before, of 10 seeds (p, paired)"
    measures = {
        "DtO ↓": mean("dto"),
        "largest DtO of 10 seeds": lambda row: row["dto_largest"],
        f"DtO {lower}": fallen("dto"),
        "IMA contrast ↓": mean("ima"),
        f"IMA contrast {lower}": fallen("ima"),
        "Disent. ↑": mean("score"),
        "squared error ↓": mean("error"),
        "steps until DtO stays below 0.05, median (seeds)": lambda row: (
            f"{int(row['steps']):,} ({row['steps_seeds']})" if row["steps"] else "–"
        ),
    }
    lines = [[name, *(cell(row) for _, row in rows.iterrows())] for name, cell in measures.items()]
    return lined(
        [DATA_SETS[data_set], *("λ = " + rows["orthogonality"])],
        [line for line in lines if set(line[1:]) != {"–"}],
    )


def fallen(name: str) -> Callable[[pd.Series], str]:
    def cell(row: pd.Series) -> str:
        return f"{row[name + '_lower']} ({row[name + '_lower_p']})" if row[name + "_lower"] else "–"

    return cell


def limits() -> str:
    """A line for each kind of data, two columns for each model."""
    rows = read("limits")
    models = list(dict.fromkeys(rows["model"]))
    headers = ["Synth. Lin., factors", "n", "PCA predicts"]
    headers += [f"{MODELS[model]}, {name}" for model in models for name in ("DtO ↓", "Disent. ↑")]
    lines = []
    for data, group in rows.groupby("data", sort=False):
        by_model = group.set_index("model").loc[models]
        cells = [mean(name)(row) for _, row in by_model.iterrows() for name in ("dto", "score")]
        lines.append([str(data), by_model["n"].iloc[0], by_model["pca_score"].iloc[0], *cells])
    return lined(headers, lines)


def dsprites() -> str:
    """A line for each model and number of epochs, and for each model of the paper without a run."""
    runs = read("dsprites_runs")
    names = [model for data_set, model in paper_targets.TABLE_2 if data_set == "dsprites"]
    lines = [(name, part, rows) for (name, part), rows in runs.groupby(["model", "epochs"])]
    lines += [(name, "", runs[:0]) for name in names if name not in set(runs["model"])]
    lines.sort(key=lambda line: (list(MODELS).index(line[0]), float(line[1] or 0)))
    headers = ["model", "epochs", "n", "DtO ↓", "DtO, active", "paper, DtO", "Disent. ↑"]
    headers += [
        "paper, Disent.",
        "% of training with Δ_KL < 3 %",
        "paper, Table 1",
        "reconstruction error",
    ]
    own, _ = paper_targets.TABLE_1["dsprites"]
    cells = []
    for name, epochs, rows in lines:
        cells.append(
            [
                MODELS[name],
                "–" if name == "random_decoder" else epochs or "–",
                str(len(rows)),
                over_runs(rows["dto"], 2),
                over_runs(rows["active_dto"], 2),
                shown(paper_targets.target("dsprites", "dto", name)),
                over_runs(rows["score"], 2),
                shown(paper_targets.target("dsprites", "disentanglement_score", name)),
                over_runs(rows["delta_kl_share"], 1),
                shown(own, 1) if name == "beta_vae" else "–",
                over_runs(rows["reconstruction"], 2),
            ]
        )
    return lined(headers, cells)


def over_runs(values: pd.Series, digits: int) -> str:
    numbers = pd.to_numeric(values[values != ""])
    if numbers.empty:
        return NO_RUN if values.empty else "–"
    found = tables.summary(numbers.to_list())
    return tables.text(found["mean"], found["sd"], f".{digits}f")


def text(name: str) -> Callable[[pd.Series], str]:
    return lambda row: row[name]


def compared(header: str, name: str, find: Callable, digits: int = 2) -> list[Column]:
    """Our mean, its interval and the paper's number."""
    return [(header, mean(name)), ("95 %", interval(name)), ("paper", paper(name, find, digits))]


SET, MODEL, N = ("data set", label), ("model", lambda row: MODELS[row["model"]]), ("n", text("n"))
DTO, SCORE = ("DtO ↓", "dto"), ("Disent. ↑", "score")
COLUMNS: dict[str, list[Column]] = {
    "table_2": [
        *(SET, MODEL, N),
        *compared(*DTO, of_table_2("dto")),
        *compared(*SCORE, of_table_2("disentanglement_score")),
    ],
    "table_1": [
        *(SET, MODEL, ("latents", text("latents")), N),
        *compared("% of training", "share", of_table_1, 1),
        ("Δ_KL at the end", mean("delta_kl")),
        ("active latents", mean("active")),
    ],
    "axis_ratios": [
        *(SET, ("axis ratio", text("axis_ratio")), N),
        *compared(*DTO, of_axis_ratio("dto")),
        *compared(*SCORE, of_axis_ratio("disentanglement_score")),
    ],
    "beta_sweep": [SET, ("β", text("beta")), N, (DTO[0], mean("dto")), (SCORE[0], mean("score"))],
    "pca_alignment": [
        SET,
        MODEL,
        N,
        ("decoder ↓", mean("decoder")),
        ("encoder ↓", mean("encoder")),
    ],
    "precision_gap": [
        *(SET, MODEL, N, ("gap ↓", mean("gap")), ("of σ", mean("sigma"))),
        ("of the columns", mean("columns")),
    ],
    "random_decoder": [
        ("outputs × latents", lambda row: f"{row['outputs']} × {row['latents']}, {set_name(row)}"),
        ("U(0,1) matrix", mean("uniform")),
        (
            "paper",
            lambda row: shown(paper_targets.target(row["data_set"], "dto", "random_decoder")),
        ),
        ("untrained decoder", mean("untrained")),
        ("random rotation", mean("rotation")),
    ],
    "dial_images": [
        *(("data set", set_name), ("λ", text("orthogonality")), (DTO[0], mean("dto"))),
        ("IMA contrast, active latents ↓", mean("ima")),
        ("mean absolute cosine ↓", mean("cosine")),
        ("squared error of the mean ↓", mean("error")),
        ("active latents", lambda row: row["active"].replace(" ", ", ")),
    ],
}
# Name of a table -> name of its numbers and columns, and which rows it shows.
SELECTED: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    **{name: (name, lambda rows: rows) for name in COLUMNS},
    "table_2": ("table_2", in_the_paper),
    "table_2_synthetic": ("table_2", lambda rows: of_sets(rows, "synth")),
    "table_2_images": ("table_2", lambda rows: of_sets(rows, "mnist")),
    "table_1": ("table_1", of_the_paper),
    "table_1_synthetic": ("table_1", lambda rows: of_sets(rows, "synth")),
    "table_1_images": ("table_1", lambda rows: of_sets(rows, "mnist")),
}


def table(name: str) -> str:
    if name in ("dsprites", "limits"):
        return {"dsprites": dsprites, "limits": limits}[name]()
    if name.startswith("dial_synth"):
        return dial(name.removeprefix("dial_"))
    numbers, selected = SELECTED[name]
    return markdown(selected(read(numbers)), COLUMNS[numbers])


if __name__ == "__main__":
    sys.exit(main())

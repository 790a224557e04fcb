# SPDX-License-Identifier: Apache-2.0
"""What was found, in a few sentences made from the numbers and one picture."""

from collections import Counter

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, SHOWN_VARIANTS
from vae_ortho_plugin.study.report import order, tables
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.sections import dto_and_score, limits
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Entry, Row

_COLUMNS = [tables.of_table_2(DTO), tables.of_table_2(SCORE)]
# The models that a sentence compares; of images, the VAE stands for the β-VAE.
_MODELS = ("beta_vae", "vae", "beta_vae_sigma", "autoencoder")
_NAMES = MODEL_TITLES | {"beta_vae_sigma": "with a full covariance (β-VAE_Σ)"}
_MAX_DATA_SETS = 3


def section(results: Results) -> Section:
    if not results.finished:
        return Section("What was found", ["Nothing yet: no run is finished."])
    experiments = results.experiments(SHOWN_VARIANTS)
    rows = tables.rows(results, experiments, _COLUMNS)
    by_data: dict[str, list[Row]] = {}
    for row in rows:
        experiment = row[0].experiment
        if row[0].ours and experiment.model in _MODELS:
            by_data.setdefault(experiment.data.title, []).append(row)
    # Data with factors first, because only they have both numbers.
    chosen = sorted(by_data, key=lambda title: not by_data[title][0][1].is_defined)
    sentences = [_sentence(title, by_data[title]) for title in chosen[:_MAX_DATA_SETS]]
    sentences += [_order([row[0] for row in rows]), limits.finding(results)]
    lines = [f"- {sentence}" for sentence in sentences if sentence]
    blocks: list = ["\n".join(lines) or "No run of the paper's tables is finished."]
    if picture := dto_and_score.every_run(results):
        blocks.append(picture)
    return Section("What was found", blocks)


def _sentence(title: str, rows: list[Row]) -> str:
    """Such as 'On Synth. Lin., β-VAE: DtO 0.03, score 0.95; AE: 0.40, 0.60 (paper: 0.00, 0.99; …).'"""
    place = {row[0].experiment.model: row for row in rows}
    if "beta_vae" in place:
        place.pop("vae", None)
    shown = [place[model] for model in _MODELS if model in place]
    ours = [[entry.ours for entry in row] for row in shown]
    paper = [[entry.paper for entry in row] for row in shown]
    names = [_NAMES[row[0].experiment.model] for row in shown]
    texts = [
        f"{name}: {_numbers(found, named=found is ours[0])}"
        for name, found in zip(names, ours, strict=True)
    ]
    targets = "; ".join(_numbers(found) or "–" for found in paper)
    return f"**On {title}**, {'; '.join(texts)} (the paper: {targets})."


def _numbers(found: list, named: bool = False) -> str:
    labels = ("DtO ", "score ") if named else ("", "")
    return ", ".join(
        f"{label}{one.mean:.2f}" for label, one in zip(labels, found, strict=True) if one
    )


def _order(dto: list[Entry]) -> str:
    count = Counter(pair.verdict for pair in order.compare_order(dto))
    decided = count["holds"] + count["reversed"]
    if not decided:
        return ""
    return (
        f"Of {decided + count['undecided']} pairs of models that the paper's DtO tells apart, "
        f"{count['holds']} have the paper's order here and {count['reversed']} the reverse; "
        f"our seeds leave {count['undecided']} undecided."
    )

# SPDX-License-Identifier: Apache-2.0
"""What was found, in a few sentences made from the numbers and one picture."""

from collections import Counter

import pandas as pd

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES, SHOWN_VARIANTS
from vae_ortho_plugin.study.report import order, tables
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.sections import dto_and_score, limits
from vae_ortho_plugin.study.report.sections.table_2 import COLUMNS
from vae_ortho_plugin.study.report.tables import DTO

# The models that a sentence compares; of images, the VAE stands for the β-VAE.
_MODELS = ("beta_vae", "vae", "beta_vae_sigma", "autoencoder")
_NAMES = MODEL_TITLES | {"beta_vae_sigma": "with a full covariance (β-VAE_Σ)"}
_MAX_DATA_SETS = 3


def section(results: Results) -> Section:
    if not results.finished:
        return Section("What was found", ["Nothing yet: no run is finished."])
    numbers = tables.numbers(results, results.experiments(SHOWN_VARIANTS), COLUMNS)
    dto = numbers[numbers["measure"] == DTO.name]
    made = dto.dropna(subset="mean")
    shown = made.loc[made["model"].isin(_MODELS), "experiment"]
    # Data with factors first, because only they have both numbers.
    variants = sorted(
        dict.fromkeys(one.data for one in shown), key=lambda data: not data.has_factors
    )
    sentences = []
    for data in variants[:_MAX_DATA_SETS]:
        of_data = numbers[numbers["experiment"].isin([one for one in shown if one.data == data])]
        sentences.append(_sentence(data.title, of_data))
    sentences += [_order(dto), limits.finding(results)]
    lines = [f"- {sentence}" for sentence in sentences if sentence]
    blocks: list = ["\n".join(lines) or "No run of the paper's tables is finished."]
    if picture := dto_and_score.every_run(results):
        blocks.append(picture)
    return Section("What was found", blocks)


def _sentence(title: str, of_data: pd.DataFrame) -> str:
    """Such as 'On Synth. Lin., β-VAE: DtO 0.03, score 0.95; AE: 0.40, 0.60 (paper: 0.00, 0.99; …).'"""
    place = dict(iter(of_data.groupby("model")))
    if "beta_vae" in place:
        place.pop("vae", None)
    texts, targets, labels = [], [], ("DtO ", "score ")
    for model in _MODELS:
        if model in place:
            texts.append(f"{_NAMES[model]}: {_numbers(place[model]['mean'], labels)}")
            targets.append(_numbers(place[model]["paper_mean"]) or "–")
            labels = ("", "")
    return f"**On {title}**, {'; '.join(texts)} (the paper: {'; '.join(targets)})."


def _numbers(found: pd.Series, labels: tuple[str, str] = ("", "")) -> str:
    pairs = zip(labels, found, strict=True)
    return ", ".join(f"{label}{one:.2f}" for label, one in pairs if one is not None)


def _order(dto: pd.DataFrame) -> str:
    count = Counter(pair.verdict for pair in order.compare_order(dto))
    decided = count["holds"] + count["reversed"]
    if not decided:
        return ""
    return (
        f"Of {decided + count['undecided']} pairs of models that the paper's DtO tells apart, "
        f"{count['holds']} have the paper's order here and {count['reversed']} the reverse; "
        f"our seeds leave {count['undecided']} undecided."
    )

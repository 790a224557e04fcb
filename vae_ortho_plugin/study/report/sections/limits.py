# SPDX-License-Identifier: Apache-2.0
"""When orthogonality disentangles: measured scores against those of the data's principal components."""

import pandas as pd
from matplotlib.figure import Figure

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES
from vae_ortho_plugin.study.report import pictures, tables
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.sections import dto_and_score
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column

# Below this prediction, orthogonal latents are not the factors.
_LOW = 0.5
_NUMBERS = ["pca_score", "dto", "disentanglement_score"]
_PREDICTION = Column.of_metric("pca_score", "pca_score", "PCA predicts")
_COLUMNS = [DTO._replace(with_interval=True), _PREDICTION, SCORE._replace(with_interval=True)]
_TEXT = (
    "An orthogonal decoder has its latents along the data's principal directions. Where these are the factors, "
    "it disentangles; where they are not, it does the opposite. “PCA predicts”: the disentanglement score of "
    "the data's principal components (metric pca_score), without any model."
)
_PICTURE = (
    "A mark a run. Left: on the line, a model scores what PCA predicts. Right: filled marks are runs "
    f"on data where PCA predicts less than {_LOW}; the paper's are at the upper left, orthogonal and "
    "disentangled, those at the lower left are orthogonal and not disentangled."
)


def section(results: Results) -> Section | None:
    runs = _runs(results)
    if runs.empty:
        return None
    points = runs[["model", *_NUMBERS]].to_dict("list")
    picture = Picture("limits", "Scores, PCA's predictions and DtO", _draw, points)
    found = tables.numbers(results, runs["experiment"].unique(), _COLUMNS)
    blocks = [finding(results), _TEXT, picture, _PICTURE, tables.table("limits", found)]
    return Section("When orthogonality disentangles", blocks)


def finding(results: Results) -> str:
    """What was found, in a sentence or two; empty without runs."""
    runs = _runs(results)
    if runs.empty:
        return ""
    distances = (runs["disentanglement_score"] - runs["pca_score"]).abs()
    means = distances.groupby(runs["model"], sort=False).mean()
    # λ is one of the model.
    variants = len({one.data.name.partition("_lambda_")[0] for one in runs["experiment"]})
    text = (
        f"Over {variants} kind{'s' * (variants > 1)} of data, the score's mean distance from what PCA "
        "predicts is: "
        + ", ".join(f"{MODEL_TITLES[model]} {distance:.2f}" for model, distance in means.items())
        + "."
    )
    low = runs[runs["pca_score"] < _LOW]
    if low.empty:
        return text
    most = low.groupby("model")[["dto", "disentanglement_score"]].mean().sort_values("dto").iloc[0]
    return (
        f"{text} Where PCA predicts less than {_LOW}, the most orthogonal model, "
        f"{MODEL_TITLES[most.name]}, has a DtO of {most['dto']:.2f} and a score of "
        f"{most['disentanglement_score']:.2f}."
    )


def _runs(results: Results) -> pd.DataFrame:
    return results.measured(results.experiments(), *_NUMBERS)


def _draw(points: dict[str, list]) -> Figure:
    """Of each run the model, the prediction, DtO and the score."""
    figure, ((left, right),) = pictures.panels(1, 2, 5.2, 4.2, legend=1)
    left.axline((0, 0), slope=1, color="black", linewidth=0.7)
    for model, runs in pd.DataFrame(points).groupby("model", sort=False):
        color, marker = pictures.STYLES[model]
        score = runs["disentanglement_score"]
        label = pictures.model_title(model)
        left.scatter(runs["pca_score"], score, color=color, marker=marker, alpha=0.8, label=label)
        faces = [color if one < _LOW else "none" for one in runs["pca_score"]]
        right.scatter(runs["dto"], score, facecolors=faces, edgecolors=color, marker=marker)
    x, y = dto_and_score.AXES.values()
    pictures.label_axes(left, "score of the principal components (pca_score)", y)
    pictures.label_axes(right, x, y)
    left.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05))
    right.set_ylim(-0.05, 1.05)
    figure.legend(loc="lower center", ncols=len(pictures.STYLES), frameon=False)
    return figure

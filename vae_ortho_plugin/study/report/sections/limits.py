# SPDX-License-Identifier: Apache-2.0
"""When orthogonality disentangles: measured scores against those of the data's principal components."""

from statistics import mean

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_ortho_plugin.study.plan.experiments import MODEL_TITLES
from vae_ortho_plugin.study.report import pictures, tables
from vae_ortho_plugin.study.report.document import Picture, Section
from vae_ortho_plugin.study.report.finished import FinishedRun
from vae_ortho_plugin.study.report.results import Results, grouped
from vae_ortho_plugin.study.report.sections import dto_and_score
from vae_ortho_plugin.study.report.tables import DTO, SCORE, Column

# Below this prediction, orthogonal latents are not the factors.
_LOW = 0.5
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
    if not runs:
        return None
    points = {
        model: ([_predicted(item) for item in chosen], *dto_and_score.scores(chosen))
        for model, chosen in grouped(runs, "model").items()
    }
    picture = Picture("limits", "Scores, PCA's predictions and DtO", _draw, points)
    experiments = dict.fromkeys(item.experiment for item in runs)
    rows = tables.rows(results, experiments, _COLUMNS)
    blocks = [finding(results), _TEXT, picture, _PICTURE, tables.table("limits", rows)]
    return Section("When orthogonality disentangles", blocks)


def finding(results: Results) -> str:
    """What was found, in a sentence or two; empty without runs."""
    runs = _runs(results)
    if not runs:
        return ""
    distances = [
        f"{MODEL_TITLES[model]} {mean(map(_distance, chosen)):.2f}"
        for model, chosen in grouped(runs, "model").items()
    ]
    variants = len(grouped(runs, "data"))
    text = (
        f"Over {variants} kind{'s' * (variants > 1)} of data, the score's mean distance from what PCA "
        f"predicts is: {', '.join(distances)}."
    )
    low = [item for item in runs if _predicted(item) < _LOW]
    if not low:
        return text
    most = min(grouped(low, "model").values(), key=lambda chosen: mean(_numbers(chosen, "dto")))
    dto, score = (mean(_numbers(most, name)) for name in ("dto", "disentanglement_score"))
    return (
        f"{text} Where PCA predicts less than {_LOW}, the most orthogonal model, "
        f"{MODEL_TITLES[most[0].experiment.model]}, has a DtO of {dto:.2f} and a score of {score:.2f}."
    )


def _runs(results: Results) -> list[FinishedRun]:
    """The runs that have the prediction beside both numbers, by data and model."""
    needed = ("pca_score", "dto", "disentanglement_score")
    runs = results.runs(results.experiments())
    return [item for item in runs if all(item.metric(name) is not None for name in needed)]


def _predicted(item: FinishedRun) -> float:
    return item.metric("pca_score")


def _distance(item: FinishedRun) -> float:
    return abs(item.metric("disentanglement_score") - _predicted(item))


def _numbers(runs: list[FinishedRun], name: str) -> list[float]:
    return [item.metric(name) for item in runs]


def _draw(points: dict[str, tuple[list[float], list[float], list[float]]]) -> Figure:
    """Of each model: the prediction, DtO and score of each run."""
    figure, ((left, right),) = pictures.panels(1, 2, 5.2, 4.2, legend=2)
    left.axline((0, 0), slope=1, color="black", linewidth=0.7)
    for model, (predicted, dto, score) in points.items():
        color, marker = pictures.STYLES[model]
        left.scatter(predicted, score, color=color, marker=marker, alpha=0.8)
        faces = [color if one < _LOW else "none" for one in predicted]
        right.scatter(dto, score, facecolors=faces, edgecolors=color, marker=marker)
    pictures.label_axes(
        left, "score of the principal components (pca_score)", dto_and_score.AXES[1]
    )
    pictures.label_axes(right, *dto_and_score.AXES)
    for axes in (left, right):
        axes.set_ylim(-0.05, 1.05)
    left.set_xlim(-0.05, 1.05)
    handles = [
        Line2D([], [], color=color, marker=marker, linestyle="", label=pictures.model_title(model))
        for model, (color, marker) in pictures.STYLES.items()
        if model in points
    ]
    figure.legend(handles=handles, loc="lower center", ncols=4, frameon=False)
    return figure

# SPDX-License-Identifier: Apache-2.0
"""The paper's theory in the trained models: PCA (Sec. 2.3), parts of the loss (Prop. 4), the optimum (Thm. 2)."""

from vae_ortho_plugin.study.plan import experiments as planned
from vae_ortho_plugin.study.plan.experiments import SHOWN_VARIANTS, Experiment
from vae_ortho_plugin.study.report import tables
from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.tables import Column, Table

_LINEAR_VARIANTS = [
    planned.axis_ratio_experiment(ratio, data).data
    for data in (planned.SYNTH_LINEAR, planned.SYNTH_LINEAR_64)
    for ratio in reversed(planned.AXIS_RATIOS)
]
_ANGLES = (
    "Mean angle, in degrees, between the principal directions of the training data and the directions "
    "of the active latents in decoder and encoder, each matched for the least sum; 0 is PCA. At axis "
    "ratio 1 the principal directions are arbitrary."
)
_GAP = (
    "Logarithm of the stochastic loss over the least at the same precision (Eqs. 17 to 28), in nats, "
    "among the active latents, mean over the test points. It is the sum of what better variances σ² "
    "(Sec. 4.1) and what orthogonal columns of the decoder (Sec. 4.2) would gain; 0 is the optimum. Of "
    "β-VAE_Σ it takes the diagonal."
)
_LOSS = (
    "The squared error as a deterministic (Eq. 13) and a stochastic part (Eq. 14), the latter by "
    "sampling and linearized (Eq. 17), with their difference; a mean over the test points each."
)


def alignment_with_pca(results: Results) -> Section | None:
    angles = {"decoder_angle": "decoder ↓", "encoder_angle": "encoder ↓"}
    experiments = results.experiments(_LINEAR_VARIANTS)
    trained = [one for one in experiments if one.model != "random_decoder"]
    found = _tables(results, trained, "pca_alignment", angles, ".1f")
    return Section("Alignment with PCA", [_ANGLES, *found]) if found else None


def mechanism(results: Results) -> Section | None:
    gaps = {
        "precision_gap_active": "gap ↓",
        "precision_gap_sigma_active": "of σ",
        "precision_gap_columns_active": "of the columns",
    }
    losses = {
        "deterministic_loss": "deterministic",
        "stochastic_loss": "stochastic",
        "linearized_loss": "linearized",
        "linearization_error": "difference",
    }
    experiments = results.experiments(SHOWN_VARIANTS)
    blocks: list = []
    if found := _tables(results, experiments, "precision_gap", gaps, ".3g"):
        blocks += ["### Precision gap", _GAP, *found]
    if found := _tables(results, experiments, "loss_decomposition", losses, ".3g"):
        blocks += ["### Loss decomposition", _LOSS, *found]
    return Section("The mechanism at work", blocks) if blocks else None


def _tables(
    results: Results, experiments: list[Experiment], metric: str, titles: dict[str, str], form: str
) -> list[Table]:
    """The table of a metric's numbers; none where no run has them."""
    columns = [Column.of_metric(metric, name, title, form) for name, title in titles.items()]
    found = tables.numbers(results, experiments, columns)
    found = found[found["experiment"].isin(found.dropna(subset="mean")["experiment"])]
    return [] if found.empty else [tables.table(metric, found)]

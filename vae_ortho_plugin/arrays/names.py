# SPDX-License-Identifier: Apache-2.0
"""The metrics that `evaluate` knows, and what each of them needs. It needs no TensorFlow."""

import dataclasses
from collections.abc import Sequence

from vae_ortho_plugin.errors import InputError, did_you_mean

OF_JACOBIANS = ("dto", "ima_contrast", "precision_gap")

# As they are called in the literature.
_ALSO = {
    "beta_vae": "beta_vae_sklearn",
    "factor_vae": "factor_vae_score",
    "modularity": "modularity_explicitness",
    "sap": "sap_score",
    "unsupervised": "unsupervised_metrics",
}
_OF_A_MODEL = {
    "loss_decomposition": "samples of the posterior and their reconstructions",
    "pca_alignment": "the images",
    "pca_score": "the images",
    "self_consistency": "the encoder of decoded images, and β",
}


@dataclasses.dataclass(frozen=True)
class Needs:
    """What a metric needs of a table of points.

    It draws points "once", a "split" of training and test points, points in which one factor is "kept", or in which one
    factor is "set" and all others are kept.
    """

    draws: str
    latents: int = 1  # at least so many
    factors: int = 1
    varying: bool = False  # each latent must vary
    all_classes: bool = False  # each class must be among the training and among the test points
    continuous: bool = False  # a factor must be continuous
    trains: bool = False  # it trains further models: it is computed only where it is named


METRICS = {
    "beta_vae_sklearn": Needs("kept", factors=2),
    "dci": Needs("split", latents=2, factors=2),
    "disentanglement_score": Needs("once", latents=2),
    "downstream_task": Needs("split", trains=True),
    "factor_vae_score": Needs("kept", factors=2),
    "fairness": Needs("set", factors=2, trains=True),
    "infomec": Needs("once"),
    "irs": Needs("once"),
    "mcc": Needs("once", continuous=True),
    "mig": Needs("once", latents=2),
    "modularity_explicitness": Needs("split", factors=2, varying=True, all_classes=True),
    "reduced_downstream_task": Needs("split", latents=2, factors=2, trains=True),
    "sap_score": Needs("split", latents=2),
    "strong_downstream_task": Needs("set", factors=2, trains=True),
    "unified_scores": Needs("split", latents=2, factors=2, trains=True),
    "unsupervised_metrics": Needs("once", latents=2, factors=0),
}


def known() -> str:
    """All names, for a message or a help text."""
    also = {name: short for short, name in _ALSO.items()}
    return ", ".join(
        f"{also[name]} ({name})" if name in also else name for name in [*METRICS, *OF_JACOBIANS]
    )


def gin_name(name: str) -> str:
    """The name that gin has for a metric, which may be called as in the literature."""
    return _ALSO.get(name, name)


def of_arrays(
    metrics: Sequence[str] | None, means: bool, factors: bool, jacobians: bool
) -> list[str]:
    """gin names of the metrics to compute, each once: those that are named and those of Jacobians.

    Without `metrics`, those of `METRICS` whose arrays are given. InputError for a name that is unknown or whose arrays
    are not given, or if there is nothing to compute.
    """
    if metrics is not None:
        result = _gin_names(metrics)
    else:
        result = [
            name
            for name, needs in METRICS.items()
            if means and (factors or not needs.factors) and not needs.trains
        ]
    for name in result:
        if name in _OF_A_MODEL:
            function = "matched_angles" if name == "pca_alignment" else name
            raise InputError(
                f"The metric {name} needs {_OF_A_MODEL[name]}, not only arrays of latents: call the function "
                f"vae_ortho_plugin.{function}, or evaluate a trained model's directory."
            )
        if name in OF_JACOBIANS and not jacobians:
            raise InputError(
                f"The metric {name} needs jacobians, an array [points, outputs, latents]."
            )
        if name in METRICS and not means:
            raise InputError(f"The metric {name} needs means, an array [points, latents].")
        if name in METRICS and METRICS[name].factors and not factors:
            raise InputError(f"The metric {name} needs factors, an array [points, factors].")
    if jacobians:
        result += OF_JACOBIANS
    if not result:
        raise InputError(
            "Nothing to compute: give means [points, latents], jacobians or both, or name a metric."
        )
    return list(dict.fromkeys(result))


def of_a_model(metrics: Sequence[str] | None) -> list[str]:
    """gin names of the metrics to compute of a trained model, each once; InputError if there is none."""
    result = _gin_names(metrics or ())
    if not result:
        raise InputError(
            f"Nothing to compute: name metrics, of {known()}, {', '.join(_OF_A_MODEL)}."
        )
    return list(dict.fromkeys(result))


def _gin_names(metrics: Sequence[str]) -> list[str]:
    """The gin names of known metrics; InputError for another one."""
    result = [gin_name(name) for name in ([metrics] if isinstance(metrics, str) else metrics)]
    there = [*METRICS, *OF_JACOBIANS, *_OF_A_MODEL]
    for name in result:
        if name not in there:
            meant = did_you_mean(str(name), [*there, *_ALSO])
            raise InputError(f"There is no metric {name!r}.{meant} Known are {known()}.")
    return result

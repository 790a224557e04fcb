# SPDX-License-Identifier: Apache-2.0
"""The metrics that vae_ortho_evaluate knows, and what each of them needs. It needs no TensorFlow."""

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
}


@dataclasses.dataclass(frozen=True)
class Needs:
    """What a metric needs of a table of points.

    Attributes:
        draws: "once" for one sample of points, "split" for training and test points, "kept" for points
            in which one factor is kept, "set" for points in which one factor is set and all others are
            kept.
        latents, factors: least numbers of them.
        varying: whether each latent must vary.
        all_classes: whether each class must be among the training and among the test points.
    """

    draws: str
    latents: int = 1
    factors: int = 1
    varying: bool = False
    all_classes: bool = False


METRICS = {
    "beta_vae_sklearn": Needs("kept", factors=2),
    "dci": Needs("split", latents=2, factors=2),
    "disentanglement_score": Needs("once", latents=2),
    "downstream_task": Needs("split"),
    "factor_vae_score": Needs("kept", factors=2),
    "fairness": Needs("set", factors=2),
    "infomec": Needs("once"),
    "irs": Needs("once"),
    "mcc": Needs("once"),
    "mig": Needs("once", latents=2),
    "modularity_explicitness": Needs("split", factors=2, varying=True, all_classes=True),
    "reduced_downstream_task": Needs("split", latents=2, factors=2),
    "sap_score": Needs("split", latents=2),
    "strong_downstream_task": Needs("set", factors=2),
    "unified_scores": Needs("split", latents=2, factors=2),
    "unsupervised_metrics": Needs("once", latents=2, factors=0),
}


def known() -> str:
    """All names, for a message or a help text."""
    also = {name: short for short, name in _ALSO.items()}
    return ", ".join(
        f"{also[name]} ({name})" if name in also else name for name in [*METRICS, *OF_JACOBIANS]
    )


def chosen(names: Sequence[str], jacobians: bool, latents: bool, factors: bool) -> list[str]:
    """gin names of the metrics of --metrics and of those that --jacobians adds, each once.

    Args:
        names: of --metrics.
        jacobians, latents, factors: whether their arrays are given.

    Raises:
        InputError: a name is unknown, its arrays are not given, or there is nothing to compute.
    """
    result = [_ALSO.get(name, name) for name in names]
    for name in result:
        _check_name(name)
        if name in OF_JACOBIANS and not jacobians:
            raise InputError(
                f"The metric {name} needs --jacobians, an array [points, outputs, latents]."
            )
        if name in METRICS and not latents:
            raise InputError(f"The metric {name} needs --latents, an array [points, latents].")
        if name in METRICS and METRICS[name].factors and not factors:
            raise InputError(f"The metric {name} needs --factors, an array [points, factors].")
    if jacobians:
        result += OF_JACOBIANS
    if not result:
        raise InputError(f"Nothing to compute: name metrics with --metrics, of {known()}.")
    return list(dict.fromkeys(result))


def _check_name(name: str) -> None:
    if name in METRICS or name in OF_JACOBIANS:
        return
    if name in _OF_A_MODEL:
        raise InputError(
            f"The metric {name} needs {_OF_A_MODEL[name]}, not only arrays of latents: call the function "
            f"vae_ortho_plugin.{name}, or dlib_evaluate on a trained model."
        )
    meant = did_you_mean(name, [*METRICS, *_ALSO, *OF_JACOBIANS])
    raise InputError(f"There is no metric {name!r}.{meant} Known are {known()}.")

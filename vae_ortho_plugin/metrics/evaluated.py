# SPDX-License-Identifier: Apache-2.0
"""The trained model and the points that a metric of disentanglement_lib is evaluated on.

dlib calls a metric with the data set and a representation function only; where the evaluated model lies
follows from artifact_dir, which is <evaluated directory>/artifacts/<name of the metric>.
"""

import os
from collections.abc import Callable, Iterator

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.polarized_regime import ACTIVE_STD
from vae_ortho_plugin.trained_model import BATCH_SIZE, find_model_dir

# Of data without splits, when the user asks for no number.
NUM_POINTS = 10000

GIVEN_BY_DLIB = ["ground_truth_data", "representation_function", "random_state", "artifact_dir"]

Encoder = Callable[[np.ndarray], np.ndarray]


def model_dir_of(metric: str, artifact_dir: str | None, model_dir: str | None) -> str:
    """The directory of the trained model: model_dir if given, else the one behind artifact_dir.

    Raises:
        InputError: no trained model can be found.
    """
    if model_dir is not None:
        return model_dir
    if artifact_dir is None:
        raise InputError(f"{metric} needs the trained model's decoder: set {metric}.model_dir.")
    return find_model_dir(os.path.dirname(os.path.dirname(artifact_dir)), metric)


def points(
    data: GroundTruthData, split: str, num_points: int | None, random_state: np.random.RandomState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of observations and their factors.

    Args:
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points; if left out, all of the split, of other data NUM_POINTS.

    Raises:
        InputError: an unknown split, or one of fewer points.
    """
    if not hasattr(data, "split"):
        remaining = NUM_POINTS if num_points is None else num_points
        while remaining > 0:
            factors, images = data.sample(min(remaining, BATCH_SIZE), random_state)
            remaining -= len(images)
            yield images, factors
        return
    images, factors = data.split(split)
    if num_points is not None:
        if num_points > len(images):
            raise InputError(
                f"num_points = {num_points}, but the {split} split has {len(images)} points."
            )
        chosen = random_state.choice(len(images), num_points, replace=False)
        images, factors = images[chosen], factors[chosen]
    for start in range(0, len(images), BATCH_SIZE):
        batch = slice(start, start + BATCH_SIZE)
        yield images[batch], factors[batch]


def split_name(data: GroundTruthData, split: str) -> str | None:
    """What a result says of its split: None for data without splits."""
    return split if hasattr(data, "split") else None


def active_latents(means: np.ndarray) -> np.ndarray:
    """Indices of the active latents (Sec. 5.2), of posterior means [points, latents]."""
    return np.flatnonzero(means.std(axis=0) > ACTIVE_STD)


def summary(name: str, values: np.ndarray | None) -> dict[str, float | None]:
    """Mean, standard deviation (ddof = 0) and standard error over points as name, name_std, name_stderr.

    Args:
        values: [points]; None for a measure that does not exist. Where a mean is infinite, all
            three are None as well: JSON knows no infinity.
    """
    mean = std = stderr = None
    if values is not None and np.isfinite(values).all():
        mean, std = float(np.mean(values)), float(np.std(values))
        stderr = std / float(np.sqrt(len(values)))
    return {name: mean, f"{name}_std": std, f"{name}_stderr": stderr}


def check_positive(**counts: int | None) -> None:
    """Raises InputError for a count, named as in gin, below 1."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"{name} must be at least 1; got {count}.")


def finite(latents: np.ndarray) -> np.ndarray:
    """The encoder's output as it is.

    Raises:
        InputError: a value is not finite.
    """
    if not np.isfinite(latents).all():
        raise InputError(
            "The encoder returns values that are not finite for some observations. Did the training "
            "diverge? Train again with a smaller learning rate."
        )
    return latents

# SPDX-License-Identifier: Apache-2.0
"""What the metrics share: the evaluated model, the points, and the summaries of values over points.

dlib calls a metric with the data set and a representation function only. The step that evaluates knows
where the model is, and hands that on by `model_dir_from`.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.decoder import BATCH_SIZE
from vae_ortho_plugin.errors import InputError

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel

# Default sample size for data without splits.
NUM_POINTS = 10000

# The arguments of a metric that gin does not bind.
GIVEN_BY_DLIB = ["ground_truth_data", "representation_function", "random_state", "artifact_dir"]

Encoder = Callable[[np.ndarray], np.ndarray]

_find_model_dir: ContextVar[Callable[[str], str] | None] = ContextVar(
    "find_model_dir", default=None
)


@contextlib.contextmanager
def model_dir_from(find: Callable[[str], str]) -> Iterator[None]:
    """Within: `model_dir_of` gives the directory that `find` returns.

    Args:
        find: from the name of the metric that asks to the directory of the evaluated model. It
            is called only by metrics that need the model, and raises InputError where there is none.
    """
    token = _find_model_dir.set(find)
    try:
        yield
    finally:
        _find_model_dir.reset(token)


def model_dir_of(metric: str, model_dir: str | None) -> str:
    """The directory of the trained model that a metric is evaluated on.

    Args:
        metric: gin name of the metric.
        model_dir: its parameter model_dir, which is returned if given.

    Raises:
        InputError: there is no trained model, or no step evaluates.
    """
    if model_dir is not None:
        return model_dir
    find = _find_model_dir.get()
    if find is None:
        raise InputError(f"{metric} needs the trained model's decoder: set {metric}.model_dir.")
    return find(metric)


def open_model(model_dir: str, output: str = "image") -> "TrainedModel":
    """`trained_model.open_model`, with whose import TensorFlow starts: measures of arrays do without it."""
    from vae_ortho_plugin.decoder import trained_model

    return trained_model.open_model(model_dir, output)


def points(
    data: GroundTruthData, split: str, num_points: int | None, random_state: np.random.RandomState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of observations and their factors.

    Args:
        data: the data set.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data NUM_POINTS.
        random_state: for the choice of points.

    Yields:
        Observations [at most 256, height, width, channels] and factors [at most 256, factors].

    Raises:
        InputError: the split is unknown, or has no points or fewer.
    """
    if not hasattr(data, "split"):
        # Factors on a scale are binned in what dlib's own metrics see.
        sample = getattr(data, "sample_unbinned", data.sample)
        remaining = NUM_POINTS if num_points is None else num_points
        while remaining > 0:
            factors, images = sample(min(remaining, BATCH_SIZE), random_state)
            remaining -= len(images)
            yield images, factors
        return
    images, factors = data.split(split)
    if not len(images):
        raise InputError(
            f"The {split} split of the data has no points. Bind the metric's parameter `split` to one that "
            "has some, such as dto.split = 'train', or mark other points in `splits`."
        )
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


def means_and_factors(
    data: GroundTruthData,
    encode: Encoder,
    split: str,
    num_points: int | None,
    random_state: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Representations [points, latents] and factors [points, factors] of `points`.

    Raises:
        InputError: as `points`, or a representation is not finite.
    """
    means, factors = [], []
    for images, batch in points(data, split, num_points, random_state):
        means.append(finite(encode(images)))
        factors.append(batch)
    return np.concatenate(means), np.concatenate(factors)


def split_name(data: GroundTruthData, split: str) -> str | None:
    """The split as a result states it: None for data without splits."""
    return split if hasattr(data, "split") else None


def summary(name: str, values: np.ndarray | None) -> dict[str, float | None]:
    """Mean, standard deviation (ddof = 0) and standard error over points as name, name_std, name_stderr.

    Args:
        name: of the mean in the result.
        values: [points]; None for a measure that does not exist.

    Returns:
        The three values. They are None where `values` is None or has a value that is not finite, because
        JSON has no infinity.
    """
    mean = std = stderr = None
    if values is not None and np.isfinite(values).all():
        mean, std = float(np.mean(values)), float(np.std(values))
        stderr = std / float(np.sqrt(len(values)))
    return {name: mean, f"{name}_std": std, f"{name}_stderr": stderr}


def counts(jacobians: np.ndarray, active: np.ndarray) -> dict[str, int | list[int]]:
    """The numbers of points and of active latents, as results state them.

    Args:
        jacobians: [points, rows, latents].
        active: indices of the active latents.
    """
    return {
        "num_points": len(jacobians),
        "active_latents": active.tolist(),
        "num_active_latents": len(active),
    }


def check_positive(**counts: int | None) -> None:
    """Checks settings, named as in gin.

    Raises:
        InputError: one is below 1.
    """
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"{name} must be at least 1; got {count}.")


def finite(latents: np.ndarray) -> np.ndarray:
    """Returns the encoder's output unchanged.

    Raises:
        InputError: a value is not finite.
    """
    if not np.isfinite(latents).all():
        raise InputError(
            "The encoder returns values that are not finite for some observations. Did the training "
            "diverge? Train again with a smaller learning rate."
        )
    return latents

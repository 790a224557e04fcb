# SPDX-License-Identifier: Apache-2.0
"""`dto` and `disentanglement_score` as metrics of disentanglement_lib.

dlib calls a metric with the data set and a representation function only; where the evaluated model lies
follows from artifact_dir, which is <evaluated directory>/artifacts/<name of the metric>.
"""

import os
from collections.abc import Callable, Iterator

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.metrics import disentanglement_score as score_core
from vae_ortho_plugin.metrics import dto as dto_core
from vae_ortho_plugin.metrics.factors import named_kinds
from vae_ortho_plugin.metrics.model import BATCH_SIZE, find_model_dir, open_model

# Of data without splits, when the user asks for no number.
NUM_POINTS = 10000

# sqrt(var(mu_j)) above which a latent is active (Sec. 5.2).
ACTIVE_STD = 0.5

_GIVEN_BY_DLIB = ["ground_truth_data", "representation_function", "random_state", "artifact_dir"]

Encoder = Callable[[np.ndarray], np.ndarray]


@gin.configurable("dto", denylist=_GIVEN_BY_DLIB)
def dto(
    ground_truth_data: GroundTruthData,
    representation_function: Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = BATCH_SIZE,
    output: str = "image",
    solver: str = "assignment",
) -> dict:
    """Distance to orthogonality of the decoder at the posterior means of data points (Eq. 29).

    Args:
        model_dir: directory of the trained model; found from the evaluated directory if left out.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points; if left out, all of the split, of other data 10,000.
        batch_size: number of points of which Jacobians are held at once.
        output: "image" for the Jacobian of the image, "raw" for that of the decoder's output
            before the activation.
        solver: "assignment" or "milp".

    Returns:
        dto, dto_std, dto_stderr over num_points points; the same of active_latents alone under
        dto_active, ... (None where no latent is active), and the settings.

    Raises:
        InputError: no decoder can be found, or a setting, mean or Jacobian is not valid.
    """
    del representation_function
    _check_positive(num_points=num_points, batch_size=batch_size)
    if model_dir is None:
        if artifact_dir is None:
            raise InputError("DtO needs the trained model's decoder: set dto.model_dir.")
        model_dir = find_model_dir(os.path.dirname(os.path.dirname(artifact_dir)))
    with open_model(model_dir, output) as model:
        points = _points(ground_truth_data, split, num_points, random_state)
        means = np.concatenate([_finite(model.encode(images)) for images, _ in points])
        factors = model.jacobian_factors(means, batch_size)

    active = np.flatnonzero(means.std(axis=0) > ACTIVE_STD)
    result = dto_core.distance_to_orthogonality(factors, solver)
    among_active = None
    if active.size:
        among_active = dto_core.distance_to_orthogonality(factors[:, :, active], solver)
    return {
        **_numbers("dto", result),
        "num_points": result.num_points,
        "active_latents": active.tolist(),
        "num_active_latents": len(active),
        **_numbers("dto_active", among_active),
        "output": output,
        "solver": solver,
        "split": split if hasattr(ground_truth_data, "split") else None,
    }


@gin.configurable("disentanglement_score", denylist=_GIVEN_BY_DLIB)
def disentanglement_score(
    ground_truth_data: GroundTruthData,
    representation_function: Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    num_neighbors: int = 5,
) -> dict:
    """How much better one latent predicts a factor than the next best one (Eqs. 65 to 70).

    Args:
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points; if left out, all of the split, of other data 10,000.
        num_neighbors: k of the nearest-neighbour predictors.

    Returns:
        The fields of `disentanglement_score.DisentanglementResult`.

    Raises:
        InputError: data without generating factors, or latents or settings that are not valid.
    """
    del artifact_dir
    _check_positive(num_points=num_points)
    kinds = named_kinds(ground_truth_data)
    latents, factors = [], []
    for images, batch in _points(ground_truth_data, split, num_points, random_state):
        latents.append(_finite(representation_function(images)))
        factors.append(batch)
    result = score_core.disentanglement_score(
        np.concatenate(latents),
        np.concatenate(factors),
        factor_kinds=list(kinds.values()),
        seed=random_state.randint(2**31),
        num_neighbors=num_neighbors,
        factor_names=list(kinds),
    )
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(result).items()
    }


def _numbers(name: str, result: dto_core.DtoResult | None) -> dict[str, float | None]:
    mean, std, stderr = (result.mean, result.std, result.stderr) if result else (None, None, None)
    return {name: mean, f"{name}_std": std, f"{name}_stderr": stderr}


def _check_positive(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"{name} must be at least 1; got {count}.")


def _points(
    data: GroundTruthData, split: str, num_points: int | None, random_state: np.random.RandomState
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of observations and their factors."""
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


def _finite(latents: np.ndarray) -> np.ndarray:
    if not np.isfinite(latents).all():
        raise InputError(
            "The encoder returns values that are not finite for some observations. Did the training "
            "diverge? Train again with a smaller learning rate."
        )
    return latents

# SPDX-License-Identifier: Apache-2.0
"""`dto` as a metric of disentanglement_lib."""

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.measures.singular_values import share_nearly_equal


@gin.configurable("dto", denylist=evaluated.GIVEN_BY_DLIB)
def dto(
    ground_truth_data: GroundTruthData,
    representation_function: evaluated.Encoder,
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
    model_dir: str | None = None,
    split: str = "test",
    num_points: int | None = None,
    batch_size: int = evaluated.BATCH_SIZE,
    output: str = "image",
    solver: str = "assignment",
) -> dict:
    """Distance to orthogonality of the decoder at the posterior means of data points (Eq. 29).

    Args:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        batch_size: number of Jacobians in memory at a time.
        output: "image" for the Jacobian of the image, "raw" for that of the decoder's output
            before the activation.
        solver: "assignment" or "milp".

    Returns:
        dto, dto_std, dto_stderr over num_points points; where that is arbitrary, because singular
        values coincide: singular_value_ratio, the least over k of the median of σ_k / σ_{k+1} over the
        points (None for one latent, or where it is infinite), and nearly_equal_share, the share of points
        with a ratio below 1.05; the same four among active_latents under dto_active, ... (None where no
        latent is active), which come first where latents are passive; dto_note, why, or None; the settings.

    Raises:
        InputError: there is no decoder, or a setting, mean or Jacobian is not valid.
    """
    del representation_function, artifact_dir
    evaluated.check_positive(num_points=num_points, batch_size=batch_size)
    model_dir = evaluated.model_dir_of("dto", model_dir)
    with evaluated.open_model(model_dir, output) as model:
        points = evaluated.points(ground_truth_data, split, num_points, random_state)
        means = np.concatenate([evaluated.finite(model.encode(images)) for images, _ in points])
        factors = model.jacobian_factors(means, batch_size)

    return {
        **of_triangular_factors(factors, measures.active_latents(means), solver),
        "output": output,
        "solver": solver,
        "split": evaluated.split_name(ground_truth_data, split),
    }


def of_triangular_factors(
    factors: np.ndarray, active: np.ndarray, solver: str = "assignment"
) -> dict:
    """The metric's result, without its settings, of given Jacobians.

    Args:
        factors: R of each Jacobian J = Q R, [points, latents, latents].
        active: indices of the active latents.
        solver: "assignment" or "milp".
    """
    whole = _summary(factors, solver, "")
    among_active = _summary(factors[:, :, active], solver, "_active")
    latents = factors.shape[2]
    passive = latents - len(active)
    counts = evaluated.counts(factors, active)
    if not passive:
        return {**whole, **counts, **among_active, "dto_note": None}
    note = (
        f"{passive} of {latents} latents are passive. dto counts a passive latent whose column is exactly zero as "
        "aligned, and one of any other tiny length adds an arbitrary amount: read dto_active"
    )
    return {**among_active, **counts, **whole, "dto_note": note}


def _summary(factors: np.ndarray, solver: str, suffix: str) -> dict[str, float | None]:
    latents = factors.shape[2]
    ratio = share = None
    if latents > 1:
        ratios = measures.singular_value_ratios(factors)
        least = float(np.median(ratios, axis=0).min())
        ratio, share = least if np.isfinite(least) else None, share_nearly_equal(ratios)
    distances = measures.point_distances(factors, solver) if latents else None
    return {
        **evaluated.summary(f"dto{suffix}", distances),
        f"singular_value_ratio{suffix}": ratio,
        f"nearly_equal_share{suffix}": share,
    }

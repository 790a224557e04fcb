# SPDX-License-Identifier: Apache-2.0
"""Training steps a second of linearized_vae, whose loss takes the decoder's Jacobian, beside those of a VAE."""

import dataclasses
import functools

from benchmarks.framework import Row, Series
from benchmarks.training import plugin
from benchmarks.trainings import BATCH_SIZE, LINEAR, MNIST, NONLINEAR, Training


def linearized(sampled: Training, first_steps: int, *bindings: str) -> Training:
    """The same training of linearized_vae, at a weight that needs the determinant."""
    return dataclasses.replace(
        sampled,
        title=f"{sampled.title}, linearized_vae",
        gin_files=("linearized_vae.gin", *sampled.gin_files[1:]),
        first_steps=first_steps,
        bindings=("linearized_vae.orthogonality = 4.0", *bindings),
    )


def _row(name: str, title: str, ours: Training, sampled: Training, at_least: float | None) -> Row:
    return Row(
        name,
        f"Training, {title}, batch {BATCH_SIZE}",
        "steps/s",
        (
            Series("linearized_vae", functools.partial(plugin, training=ours)),
            Series("VAE", functools.partial(plugin, training=sampled), at_least=at_least),
        ),
    )


SOME = "linearized_vae.penalty_points = 8"
ROWS = (
    # The goal: a step costs at most as much as latents + 2 steps of a VAE.
    _row(
        "train-mnist-linearized",
        "MNIST network, linearized_vae",
        linearized(MNIST, 300),
        MNIST,
        at_least=1 / 8,
    ),
    _row(
        "train-mnist-linearized-8-points",
        "MNIST network, linearized_vae, 8 points with the penalty",
        linearized(MNIST, 800, SOME),
        MNIST,
        at_least=1 / 2,
    ),
    _row(
        "train-synth-linear-linearized",
        "Synth. Lin. linearized_vae",
        linearized(LINEAR, 150_000),
        LINEAR,
        at_least=None,
    ),
    _row(
        "train-synth-nonlinear-linearized",
        "Synth. Non-Lin. linearized_vae",
        linearized(NONLINEAR, 20_000),
        NONLINEAR,
        at_least=None,
    ),
)

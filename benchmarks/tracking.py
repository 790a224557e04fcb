# SPDX-License-Identifier: Apache-2.0
"""What the measures that are taken while a model trains cost: training steps a second with and without them."""

import contextlib
from collections.abc import Callable, Iterator

from benchmarks.framework import Row, Series, Settings
from benchmarks.training import train_with_plugin
from benchmarks.trainings import MNIST

STEPS = 10_000


@contextlib.contextmanager
def plugin(settings: Settings, *bindings: str) -> Iterator[Callable]:
    """dlib_train for STEPS steps, whatever time that takes."""
    yield lambda: STEPS / train_with_plugin(settings, MNIST, bindings, STEPS)


def _with(*bindings: str) -> Callable:
    return lambda settings: plugin(settings, *bindings)


def _row(name: str, title: str, binding: str, share: float) -> Row:
    return Row(
        name,
        f"Training, MNIST network, with {title}",
        "steps/s",
        (
            Series(f"with {binding}", _with(binding)),
            Series("without", _with(), at_least=1 - share),
        ),
        f"{STEPS:,} steps.",
    )


ROWS = (
    _row(
        "track-delta-kl",
        "Δ_KL of 1,000 points every 500 steps",
        "polarized_regime.every = 500",
        0.02,
    ),
    _row(
        "track-dto",
        "DtO of 1,000 points every 5,000 steps",
        "dto_while_training.every = 5000",
        0.05,
    ),
)

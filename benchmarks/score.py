# SPDX-License-Identifier: Apache-2.0
"""Seconds for the disentanglement score of 73,728 points (a tenth of dSprites), 10 latents and 5 factors."""

import contextlib
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.framework import Row, Series, Settings
from benchmarks.training import PLUGIN

POINTS, LATENTS = 73_728, 10
SIZES = (3, 6, 40, 32, 32)
KINDS = ("categorical", *["continuous"] * 4)
NEIGHBORS, HELD_OUT = 5, 0.2


def example(points: int = POINTS, latents: int = LATENTS) -> tuple[np.ndarray, np.ndarray]:
    """Latents that follow the factors of dSprites, noisily; and the factors."""
    random = np.random.default_rng(0)
    factors = random.integers(SIZES, size=(points, len(SIZES))).astype(float)
    mixing = random.normal(size=(len(SIZES), latents)) * (
        random.random((len(SIZES), latents)) < 0.3
    )
    noise = random.normal(size=(points, latents))
    return (factors / SIZES) @ mixing + 0.1 * noise, factors


def seconds(function: Callable, *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


@contextlib.contextmanager
def plugin(settings: Settings) -> Iterator[Callable]:
    """The function behind the metric."""
    from vae_ortho_plugin.measures.disentanglement_score import disentanglement_score

    latents, factors = example()
    yield lambda: seconds(disentanglement_score, latents, factors, KINDS)


@contextlib.contextmanager
def scikit_learn(settings: Settings) -> Iterator[Callable]:
    """A model of scikit-learn for each latent and factor."""
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    latents, factors = example()

    def score() -> np.ndarray:
        held_out, fitted = np.split(
            np.random.default_rng(0).permutation(POINTS), [round(HELD_OUT * POINTS)]
        )
        matrix = np.empty((LATENTS, len(KINDS)))
        for j, latent in enumerate(latents.T[:, :, np.newaxis]):
            for k, (factor, kind) in enumerate(zip(factors.T, KINDS, strict=True)):
                model = (KNeighborsClassifier if kind == "categorical" else KNeighborsRegressor)(
                    NEIGHBORS
                )
                predicted = model.fit(latent[fitted], factor[fitted]).predict(latent[held_out])
                if kind == "categorical":
                    matrix[j, k] = np.mean(predicted == factor[held_out])
                else:
                    errors = predicted - factor[held_out]
                    matrix[j, k] = factor[held_out].std() - np.sqrt(np.mean(errors**2))
        return matrix

    yield lambda: seconds(score)


@contextlib.contextmanager
def sorting(settings: Settings) -> Iterator[Callable]:
    """Each latent sorted once."""
    latents, _ = example()
    yield lambda: seconds(np.sort, latents.T.copy(), 1)


ROWS = (
    Row(
        "score",
        f"Disentanglement score, {POINTS:,} points, {LATENTS} latents, {len(SIZES)} factors",
        "s",
        (
            Series(PLUGIN, plugin),
            Series("a fit of scikit-learn for each latent and factor", scikit_learn, at_most=0.2),
            Series("sorting the latents", sorting),
        ),
        "The limit is a bound for methods that sort: np.sort of each latent alone, without looking up the neighbours' factors.",
        at_most=10,
    ),
)

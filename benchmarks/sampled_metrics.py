# SPDX-License-Identifier: Apache-2.0
"""Seconds of dlib's BetaVAE and FactorVAE metrics, with their samples coded together and one by one."""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np

from benchmarks.data import data_root
from benchmarks.dto import untrained_model
from benchmarks.framework import Row, Series, Settings
from benchmarks.training import PLUGIN

BATCH_SIZE = 64
# Data set: dlib's name, latents, and training and test samples; dlib's studies have 10,000 and 5,000.
CASES = {
    "synth_linear": ("synth_linear", 2, 10_000, 5_000),
    "dsprites": ("dsprites_full", 5, 2_000, 1_000),
}
# Of the time of a sample at a time. The more samples there are, the more of them share their images.
GOALS = {"synth_linear": 0.5, "dsprites": 0.7}


def _beta_vae(data, representation, train: int, test: int) -> None:
    from disentanglement_lib.evaluation.metrics import beta_vae

    random_state = np.random.RandomState(0)
    beta_vae.compute_beta_vae_sklearn(
        data, representation, random_state, None, BATCH_SIZE, train, test
    )


def _factor_vae(data, representation, train: int, test: int) -> None:
    from disentanglement_lib.evaluation.metrics import factor_vae

    random_state = np.random.RandomState(0)
    factor_vae.compute_factor_vae(
        data, representation, random_state, None, BATCH_SIZE, train, test, 1_000
    )


@contextlib.contextmanager
def plugin(settings: Settings, data_set: str, metric: Callable) -> Iterator[Callable]:
    """The metric as dlib_evaluate calls it, on a network with initial weights."""
    name, latents, train, test = CASES[data_set]
    model_dir = untrained_model(settings, data_set, latents)
    data_root(settings, name)
    from disentanglement_lib.data.ground_truth import named_data

    # Under the plugin's hook only, which dlib's import installs, TF-Hub finds pkg_resources.
    # isort: split
    import tensorflow_hub as hub

    data = named_data.get_named_ground_truth_data(name)
    with hub.eval_function_for_module(str(model_dir / "tfhub")) as module:

        def representation(images: np.ndarray) -> np.ndarray:
            outputs = module({"images": images}, signature="gaussian_encoder", as_dict=True)
            return np.array(outputs["mean"])

        def seconds() -> float:
            start = time.perf_counter()
            metric(data, representation, train, test)
            return time.perf_counter() - start

        yield seconds


@contextlib.contextmanager
def one_by_one(settings: Settings, data_set: str, metric: Callable) -> Iterator[Callable]:
    """The same with dlib's own function for each sample."""
    with plugin(settings, data_set, metric) as seconds:
        from disentanglement_lib.evaluation.metrics import beta_vae, factor_vae

        def beta_vae_batch(data, representation, batch_size, number, random_state):
            sample = functools.partial(
                beta_vae._generate_training_sample, data, representation, batch_size, random_state
            )
            labels, points = zip(*(sample() for _ in range(number)), strict=True)
            return np.array(points, dtype=np.float64), np.array(labels)

        def factor_vae_batch(data, representation, size, number, random_state, variances, active):
            votes = np.zeros((data.num_factors, len(variances)), dtype=np.int64)
            for _ in range(number):
                votes[
                    factor_vae._generate_training_sample(
                        data, representation, size, random_state, variances, active
                    )
                ] += 1
            return votes

        def once() -> float:
            with (
                mock.patch.object(beta_vae, "_generate_training_batch", beta_vae_batch),
                mock.patch.object(factor_vae, "_generate_training_batch", factor_vae_batch),
            ):
                return seconds()

        yield once


def _row(name: str, title: str, metric: Callable, data_set: str, of_data: str) -> Row:
    _, _, train, test = CASES[data_set]
    return Row(
        f"metric-{name}-{data_set.replace('_', '-')}",
        f"{title} on {of_data}, {train:,} and {test:,} samples",
        "s",
        (
            Series(PLUGIN, functools.partial(plugin, data_set=data_set, metric=metric)),
            Series(
                "a sample at a time, as in dlib",
                functools.partial(one_by_one, data_set=data_set, metric=metric),
                at_most=GOALS[data_set],
            ),
        ),
    )


ROWS = tuple(
    _row(name, title, metric, data_set, of_data)
    for data_set, of_data in (("synth_linear", "Synth. Lin."), ("dsprites", "dSprites fc"))
    for name, title, metric in (
        ("beta-vae", "BetaVAE metric", _beta_vae),
        ("factor-vae", "FactorVAE metric", _factor_vae),
    )
)

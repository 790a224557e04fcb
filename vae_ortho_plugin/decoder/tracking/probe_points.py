# SPDX-License-Identifier: Apache-2.0
"""What the trackers share: the training points that they measure on, and the model's trained networks."""

import contextlib
from collections.abc import Callable, Iterator

import gin
import numpy as np
import tensorflow.compat.v1 as tf

from vae_ortho_plugin.engine import graphs
from vae_ortho_plugin.engine.in_graph import inputs
from vae_ortho_plugin.errors import InputError, check_whole


def draw(input_fn: Callable, params: dict, num_points: int) -> np.ndarray:
    """The first points of a training run's input, float32 [num_points, *observation_shape].

    They are read in a graph of their own, so that the training run reads its input from the beginning.
    """
    with graphs.building():
        dataset = inputs.resident_dataset(input_fn, params)
    if dataset is not None:
        return dataset.first(num_points)
    points = []
    with graphs.building(), tf.device("/cpu:0"), tf.Session() as session:
        batch = input_fn(params)
        features = batch[0] if isinstance(batch, tuple) else batch
        while sum(map(len, points)) < num_points:
            points.append(session.run(features))
    return np.concatenate(points)[:num_points].astype(np.float32)


def settings(measure: str) -> Callable[[], tuple[int, int]]:
    """Registers the parameters of a tracker with gin; returns a function that gives `every` and `num_points`."""

    @gin.configurable(measure)
    def bound(every: int = 0, num_points: int = 1000) -> tuple[int, int]:
        """Takes a measure during training. The trained weights do not depend on it.

        Args:
            every: number of batches from one measurement to the next (the paper: 500); 0: none.
            num_points: number of training points, the same ones each time.
        """
        check_whole(f"{measure}.every", every)
        check_whole(f"{measure}.num_points", num_points, 1)
        return every, num_points

    return bound


def gaussian_model(model_fn: Callable, measure: str) -> object:
    """The model whose method `model_fn` is; InputError if it has not dlib's gaussian_encoder and decode."""
    model = getattr(model_fn, "__self__", None)
    if not (hasattr(model, "gaussian_encoder") and hasattr(model, "decode")):
        raise InputError(
            f"{measure} needs a model with dlib's methods gaussian_encoder and decode, whose model_fn "
            f"is trained; this one is {model_fn!r}. Bind {measure}.every = 0 to train it unmeasured."
        )
    return model


@contextlib.contextmanager
def trained_weights(measure: str) -> Iterator[None]:
    """Within: the networks of a model that has been built use its weights.

    InputError if the networks cannot be called again, or, at the end, made new weights.
    """
    known = len(tf.global_variables())
    remedy = (
        "Make weights by tf.get_variable or tf.layers, outside of scopes of the model's own, or bind "
        f"{measure}.every = 0."
    )
    try:
        with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
            yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{measure} calls the model's networks once more, and that failed: {error}. {remedy}"
        ) from error
    new = [variable.op.name for variable in tf.global_variables()[known:]]
    if new:
        raise InputError(
            f"{measure} calls the model's networks once more, and that made new weights "
            f"({', '.join(new)}), so they are not the trained ones. {remedy}"
        )

# SPDX-License-Identifier: Apache-2.0
"""Training data inside the graph.

dlib makes its input from a Python generator, one observation at a time. A data set that fits in memory is
sampled inside the graph instead (`ResidentDataset`); any other one is read from dlib's generator, by an
iterator that the loop's body reads again in every iteration.
"""

import dataclasses
from collections.abc import Callable
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.data.ops import dataset_ops

from vae_ortho_plugin.engine.in_graph.noise import Noise

_is_recording = False  # whether `_recorded` calls an input function


@dataclasses.dataclass(eq=False, repr=False)
class ResidentDataset(dataset_ops.DatasetV1Adapter):
    """Stands in for the tf.data.Dataset of a data set that fits in memory.

    Observations are drawn uniformly with replacement, as dlib's generator draws them. Outside of the
    plugin's estimator, and for every method that dlib's training does not use, it is dlib's own data set.
    The base class's constructor is not called: it would build dlib's data set at once.
    """

    observations: np.ndarray  # [points, *observation_shape] uint8 or float32
    scale: float  # what an observation is multiplied by
    seed: int  # of the drawing
    generator_dataset: Callable[[], tf.data.Dataset]  # makes dlib's own
    # Draws one observation, as dlib's generator does.
    sample: Callable[[np.random.RandomState], np.ndarray]
    batch_size: int | None = None  # of `batch`; None before it
    num_batches: int | None = None  # of `take`; None: no end
    _built: tuple = dataclasses.field(default=(None, None), init=False)

    def _genuine(self) -> tf.data.Dataset:
        """dlib's own data set, built once in a graph."""
        place = "eager" if tf.executing_eagerly() else tf.get_default_graph()
        if self._built[0] is not place:
            dataset = self.generator_dataset()
            if self.batch_size is not None:
                dataset = dataset.batch(self.batch_size, drop_remainder=True)
            if self.num_batches is not None:
                dataset = dataset.take(self.num_batches)
            self._built = place, dataset
        return self._built[1]

    # What the base class has of the data set that it adapts.
    _dataset = property(_genuine)
    _variant_tensor_attr = property(lambda self: self._genuine()._variant_tensor)
    _graph_attr = property(lambda self: self._genuine()._graph)
    _options_attr = property(lambda self: self._genuine()._options_attr)

    def batch(self, batch_size: int, drop_remainder: bool = False, **options):
        if self.batch_size is not None or not drop_remainder or options:
            return self._genuine().batch(batch_size, drop_remainder=drop_remainder, **options)
        return dataclasses.replace(self, batch_size=batch_size)

    def take(self, count: int, **options):
        # -1 and tensors mean something else to a tf.data.Dataset.
        plain = isinstance(count, int) and count > 0 and not options
        if self.batch_size is None or self.num_batches is not None or not plain:
            return self._genuine().take(count, **options)
        return dataclasses.replace(self, num_batches=count)

    def make_one_shot_iterator(self):
        if not _is_recording or self.batch_size is None:
            return self._genuine().make_one_shot_iterator()
        return self

    def get_next(self) -> "ResidentDataset":
        """Only for the estimator, which samples the data set itself."""
        return self

    def first(self, count: int) -> np.ndarray:
        """The first observations of dlib's own data set, float32 [count, *observation_shape]."""
        random_state = np.random.RandomState(self.seed)
        return np.stack([self.sample(random_state) for _ in range(count)]).astype(np.float32)


class ResidentInput:
    """Batches of a `ResidentDataset`, gathered in the graph."""

    def __init__(self, dataset: ResidentDataset):
        self._dataset = dataset
        self.num_batches = dataset.num_batches
        self._flat = dataset.observations.reshape(len(dataset.observations), -1)
        self._placeholder = tf.placeholder(self._flat.dtype, self._flat.shape)
        # In no collection: it is in no checkpoint.
        self._variable = tf.Variable(
            self._placeholder, trainable=False, collections=[], name="resident_observations"
        )

    def initialize(self, session: tf.Session) -> None:
        session.run(self._variable.initializer, {self._placeholder: self._flat})

    def next_batch(self, noise: Noise) -> tf.Tensor:
        """float32 [batch, *observation_shape], in the loop's body."""
        dataset = self._dataset
        points, *shape = dataset.observations.shape
        rows = noise.integers(dataset.seed, dataset.batch_size, points)
        # Not the variable itself: a gather from that copies all of the data, once per session.
        batch = tf.cast(tf.gather(self._variable.read_value(), rows), tf.float32)
        if dataset.scale != 1:
            batch *= dataset.scale
        return tf.reshape(batch, [dataset.batch_size, *shape])


class IteratorInput:
    """Batches of an iterator whose get_next() is all that the input function does."""

    def __init__(self, iterator):
        self._iterator = iterator

    def next_batch(self, noise: Noise | None = None):
        return self._iterator.get_next()


def loop_input(input_fn: Callable, params: dict) -> ResidentInput | IteratorInput | None:
    """The input that a loop in the graph can read, or None where the input function does more."""
    result, calls = _recorded(input_fn, params)
    if isinstance(result, ResidentDataset):
        return ResidentInput(result)
    if len(calls) == 1 and calls[0][1] is result:
        return IteratorInput(calls[0][0])
    return None


def resident_dataset(input_fn: Callable, params: dict) -> ResidentDataset | None:
    """The endless data set in memory that is all that an input function reads; None for any other."""
    result, _ = _recorded(input_fn, params)
    if isinstance(result, ResidentDataset) and result.num_batches is None:
        return result
    return None


def _recorded(input_fn: Callable, params: dict) -> tuple[object, list]:
    """What an input function returns, and the (iterator, batch) of each get_next(); None, [] if it fails."""
    global _is_recording
    calls = []
    make_iterator = dataset_ops.DatasetV1.make_one_shot_iterator

    def make_recorded_iterator(dataset):
        iterator = make_iterator(dataset)
        get_next = iterator.get_next

        def recorded_get_next(name=None):
            result = get_next(name)
            calls.append((iterator, result))
            iterator.get_next = get_next
            return result

        iterator.get_next = recorded_get_next
        return iterator

    _is_recording = True
    try:
        with mock.patch.object(
            dataset_ops.DatasetV1, "make_one_shot_iterator", make_recorded_iterator
        ):
            return input_fn(params), calls
    except (TypeError, ValueError, AttributeError):
        # It works on the batch; with the real tensors it may well succeed.
        return None, []
    finally:
        _is_recording = False

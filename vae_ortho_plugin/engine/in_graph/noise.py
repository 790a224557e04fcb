# SPDX-License-Identifier: Apache-2.0
"""Random numbers of a training loop, each a function of (seed, operation, iteration).

dlib's models draw their noise by stateful operations. In a loop inside the graph, such draws depend on how
many steps one session call runs. The draws of this module do not, so that a training run can be cut into
session calls anywhere, or be resumed, and stays the same.

The generator is Philox: 128-bit blocks of four 32-bit words, addressed by a counter. Iteration i of an
operation that needs b blocks owns the blocks i·b … (i+1)·b − 1, so that the draws of a session call are
contiguous. They are drawn at once, before the loop, which is many times faster than a few numbers in each
iteration, and outside of what XLA compiles: on a CPU, XLA takes three times as long.
"""

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.framework import tensor_util
from tensorflow.python.ops import gen_random_ops

_UNIFORM = tf.raw_ops.StatelessRandomUniformV2, tf.random.stateless_uniform
_PHILOX = 1
_WORDS_PER_BLOCK = 4
_MAX_BYTES_AHEAD = 64 * 2**20
# Random operations that are left as they are: a training run with one of them cannot be continued exactly.
_UNKEYED = ("multinomial", "parameterized_truncated_normal", "random_gamma", "random_poisson_v2")


def _key(*parts: object) -> int:
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little")


class Noise:
    """Draws for the iterations `start` … `start + capacity − 1` of one session call.

    Made in the graph that the session runs, outside of the loop and of what XLA compiles. `start` (int64) iterations
    came before this session call, which has at most `count` (int32; None: `capacity`).
    """

    def __init__(self, seed: int, start: tf.Tensor, capacity: int, count: tf.Tensor | None = None):
        self._seed, self._start = seed, start
        self._capacity, self._count = capacity, count
        self._outer = tf.get_default_graph()
        self._streams = 0
        self._body = self._offset = None
        self._making_variable = False
        self.unkeyed: set[str] = set()  # those of _UNKEYED that the model has

    @contextlib.contextmanager
    def replace_stateful_ops(self, offset: tf.Tensor) -> Iterator[None]:
        """Within the loop's body: TensorFlow's random functions draw from here, for iteration `offset` (int32)."""
        self._body, self._offset = tf.get_default_graph(), offset
        normal = tf.raw_ops.StatelessRandomNormalV2, tf.random.stateless_normal
        replacements = {
            "random_standard_normal": functools.partial(self._floats, *normal),
            "random_uniform": functools.partial(self._floats, *_UNIFORM),
            "random_uniform_int": self._uniform_int,
            "truncated_normal": self._truncated_normal,
            "random_shuffle": self._shuffle,
            **dict.fromkeys(_UNKEYED),
        }
        with contextlib.ExitStack() as stack:
            for name, replacement in replacements.items():
                draw = self._in_model(name, replacement)
                stack.enter_context(mock.patch.object(gen_random_ops, name, draw))
            stack.enter_context(tf.variable_creator_scope(self._note_variable))
            yield

    def _in_model(self, name: str, replacement: Callable | None) -> Callable:
        original = getattr(gen_random_ops, name)

        def draw(*args, **kwargs):
            # Initial values of variables are drawn once, by the stateful operations. A loop's variables
            # are made outside of its body.
            if self._making_variable or not self._is_in_body(tf.get_default_graph()):
                return original(*args, **kwargs)
            if replacement is None:
                self.unkeyed.add(name)
                return original(*args, **kwargs)
            return replacement(*args, **kwargs)

        return draw

    def _is_in_body(self, graph: tf.Graph | None) -> bool:
        """Whether the graph is the body's, or that of a branch in it."""
        while graph is not None and graph is not self._body:
            graph = getattr(graph, "outer_graph", None)
        return graph is not None

    def _note_variable(self, next_creator: Callable, **kwargs):
        self._making_variable = True
        try:
            return next_creator(**kwargs)
        finally:
            self._making_variable = False

    def integers(self, key: int, num: int, upper: int) -> tf.Tensor:
        """int32 tensor [num] of this iteration, uniform on 0 … upper − 1."""

        draw = functools.partial(
            tf.raw_ops.StatelessRandomUniformIntV2, minval=np.int32(0), maxval=np.int32(upper)
        )
        return self._rows(draw, _key(self._seed, "integers", key), [num])

    def _floats(self, raw_op, stateless_fn, shape, dtype, seed=0, seed2=0, name=None):
        key = self._next_key()
        static = tensor_util.constant_value_as_shape(tf.convert_to_tensor(shape, tf.int32))
        if dtype == tf.float32 and static.is_fully_defined():
            return tf.identity(self._rows(raw_op, key, static.as_list()), name=name)
        return stateless_fn(shape, self._seed_of(key), dtype=dtype, name=name)

    def _uniform_int(self, shape, minval, maxval, seed=0, seed2=0, name=None):
        dtype = tf.convert_to_tensor(minval).dtype
        seed = self._seed_of(self._next_key())
        return tf.random.stateless_uniform(shape, seed, minval, maxval, dtype=dtype, name=name)

    def _truncated_normal(self, shape, dtype, seed=0, seed2=0, name=None):
        seed = self._seed_of(self._next_key())
        return tf.random.stateless_truncated_normal(shape, seed, dtype=dtype, name=name)

    def _shuffle(self, value, seed=0, seed2=0, name=None):
        value = tf.convert_to_tensor(value)
        order = tf.argsort(self._floats(*_UNIFORM, tf.shape(value)[:1], tf.float32))
        return tf.gather(value, order, name=name)

    def _next_key(self) -> int:
        """Key of the next random operation of the model."""
        self._streams += 1
        return _key(self._seed, "model", self._streams)

    def _seed_of(self, key: int) -> tf.Tensor:
        """Seed of a stateless draw in this iteration."""
        iteration = self._start + tf.cast(self._offset, tf.int64)
        return tf.stack([tf.constant(key % 2**63, tf.int64), iteration])

    def _rows(self, raw_op: Callable, key: int, shape: list[int]) -> tf.Tensor:
        """This iteration's draw of the given static shape, by a stateless operation."""
        size = int(np.prod(shape))
        blocks = -(-size // _WORDS_PER_BLOCK)
        words = blocks * _WORDS_PER_BLOCK

        def draw_from(iteration: tf.Tensor, shape: list[int]) -> tf.Tensor:
            block = tf.cast(iteration, tf.uint64) * tf.constant(blocks, tf.uint64)
            counter = tf.stack([block, tf.constant(0, tf.uint64)])
            philox_key = tf.constant([key], tf.uint64)
            return raw_op(shape=shape, key=philox_key, counter=counter, alg=_PHILOX)

        if self._capacity * words * 4 <= _MAX_BYTES_AHEAD:
            # Outside of the loop, and of XLA's context with it.
            with self._outer.as_default(), tf.control_dependencies(None):
                number = self._capacity if self._count is None else self._count
                # Flat, because the numbers of a block lie one after the other.
                drawn = tf.reshape(draw_from(self._start, [number * words]), [number, words])
                # XLA wants a fixed size.
                ahead = tf.pad(drawn, [[0, self._capacity - number], [0, 0]])
                ahead.set_shape([self._capacity, words])
            row = ahead[self._offset]
        else:
            row = draw_from(self._start + tf.cast(self._offset, tf.int64), [words])
        return tf.reshape(row[:size], shape)

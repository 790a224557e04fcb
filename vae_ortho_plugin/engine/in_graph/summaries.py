# SPDX-License-Identifier: Apache-2.0
"""What a model gives to summaries and logging hooks in a step, brought out of the training loop."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.distribute import summary_op_util
from tensorflow.python.framework import tensor_util
from tensorflow.python.ops import gen_logging_ops

from vae_ortho_plugin.engine.graphs import CannotLoop

# TensorFlow's summaries but scalars: the argument with the tensor, and the one with the number of entries.
_OTHERS = {
    "image_summary": ("tensor", "max_images"),
    "histogram_summary": ("values", None),
    "audio_summary_v2": ("tensor", "max_outputs"),
    "tensor_summary_v2": ("tensor", None),
}


def of_scalars(scalars: dict[str, float]) -> tf.Summary:
    """A summary of scalars by their tags."""
    values = [tf.Summary.Value(tag=tag, simple_value=scalars[tag]) for tag in scalars]
    return tf.Summary(value=values)


@dataclasses.dataclass
class Entry:
    """A tensor of the loop's body, in the row of numbers that leaves the loop for each step."""

    name: str  # what it is reported as
    columns: slice  # of the row
    shape: list[int]

    def value(self, row: np.ndarray) -> np.ndarray | float:
        """The value in one row: float, or [*shape]."""
        value = row[self.columns]
        return value.reshape(self.shape) if self.shape else float(value[0])


class Row:
    """The row of a step, to which tensors of the loop's body are added."""

    def __init__(self):
        self._parts = []
        self._by_tensor = {}
        self.size = 0

    def add(self, name: str, tensor: tf.Tensor) -> Entry:
        tensor = tf.convert_to_tensor(tensor)
        known = self._by_tensor.get(id(tensor))
        if known is not None:
            return dataclasses.replace(known, name=name)
        if not tensor.shape.is_fully_defined():
            raise CannotLoop(f"the shape of '{name}', which is logged, is not known")
        size = tensor.shape.num_elements()
        entry = Entry(name, slice(self.size, self.size + size), tensor.shape.as_list())
        self.size += size
        # The tensor is held too, so that no other one gets its id.
        self._parts.append((tensor, tf.reshape(tf.cast(tensor, tf.float32), [size])))
        self._by_tensor[id(tensor)] = entry
        return entry

    def padded_to(self, width: int) -> tf.Tensor:
        """float32 [width]"""
        if self.size > width:
            raise CannotLoop(f"it logs {self.size} numbers a step, more than {width}")
        row = tf.concat([part for _, part in self._parts], 0)
        return tf.pad(row, [[0, width - self.size]])


@dataclasses.dataclass
class LargeSummary:
    """A summary of images, a histogram or the like, of the last step alone."""

    variable: tf.Variable  # holds its input, outside of the loop
    write: Callable[[tf.Tensor], tf.Tensor]  # makes the summary, a string tensor, from the input


class Summaries:
    """The summaries of the model in one step."""

    def __init__(self):
        self.scalars: dict[str, tf.Tensor] = {}  # by their names
        self._others: list[tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]] = []

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Within: summaries are noted here and not written.

        XLA cannot write them, and each needs its iteration's value.
        """
        with contextlib.ExitStack() as stack:
            # XLA's compile() makes all summaries empty.
            stack.enter_context(mock.patch.object(summary_op_util, "skip_summary", lambda: False))
            stack.enter_context(mock.patch.object(tf.summary, "scalar", self._scalar))
            catchers = {
                "scalar_summary": self._scalar_op,  # of a scalar() that was imported by name
                "merge_summary": lambda inputs, name=None: tf.constant(""),
            }
            for name, arguments in _OTHERS.items():
                catchers[name] = self._catcher(getattr(gen_logging_ops, name), *arguments)
            for name, catch in catchers.items():
                stack.enter_context(mock.patch.object(gen_logging_ops, name, catch))
            yield

    def _scalar(self, name, tensor, collections=None, family=None):
        return self._scalar_op(f"{family}/{name}" if family else name, tensor)

    def _scalar_op(self, tags, values, name=None):
        self.scalars[tags] = tf.convert_to_tensor(values)
        return tf.constant("")

    def _catcher(self, write: Callable, tensor_argument: str, most_argument: str | None):
        def catch(name=None, **arguments):
            tensor = tf.convert_to_tensor(arguments.pop(tensor_argument))
            if most_argument is not None:
                tensor = tensor[: arguments[most_argument]]
            arguments = {key: _constant(value) for key, value in arguments.items()}
            self._others.append(
                (tensor, lambda value: write(**{tensor_argument: value}, **arguments))
            )
            return tf.constant("")

        return catch

    def large(self) -> tuple[list[LargeSummary], list[tf.Operation]]:
        """The summaries that are no scalars, and the operations that fill their variables in each step."""
        found, updates = [], []
        for tensor, write in self._others:
            found.append(LargeSummary(_variable_for(tensor), write))
            updates.append(found[-1].variable.assign(tensor))
        return found, updates


def _constant(value: object) -> object:
    if not isinstance(value, tf.Tensor):
        return value
    constant = tensor_util.constant_value(value)
    if constant is None:
        raise CannotLoop(f"an argument of a summary, {value.name}, is not a constant")
    return constant


def _variable_for(tensor: tf.Tensor) -> tf.Variable:
    """A variable in no collection, outside of the loop; it is no part of the model."""
    shape = [size or 0 for size in tensor.shape.as_list()] if tensor.shape.rank is not None else []
    dtype = tensor.dtype
    return tf.Variable(
        lambda: tf.zeros(shape, dtype),
        trainable=False,
        collections=[],
        shape=tensor.shape,
        validate_shape=False,
        name="summary_input",
    )

# SPDX-License-Identifier: Apache-2.0
"""A model that stays open between two uses, so that its graph is built and its weights are read once."""

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Protocol

import tensorflow.compat.v1 as tf

# Operations with a state that a use of a model does not change.
_ONLY_READ = {"VarHandleOp", "VariableV2", "ReadVariableOp", "ResourceGather"}


class _Model(Protocol):
    def close(self) -> None: ...


# The open model that is not in use, by its key: one at most. None outside of `kept_open`.
_idle: ContextVar[dict[tuple, _Model] | None] = ContextVar("idle_models", default=None)


@contextlib.contextmanager
def kept_open() -> Iterator[None]:
    """Within: the model of `trained_model.open_model` that was used last stays open for the next use.

    A model whose files have changed meanwhile is read again. Memory holds the weights of one model that is
    not in use.
    """
    token = _idle.set({})
    try:
        yield
    finally:
        _close_all()
        _idle.reset(token)


def take(key: tuple) -> _Model | None:
    """The model that `give_back` kept under this key; None without one."""
    return (_idle.get() or {}).pop(key, None)


def give_back(key: tuple, model: _Model, keep: bool) -> None:
    """Keeps a model in place of the one kept before, or closes it.

    Args:
        key: of `key_of`.
        model: what is no longer used.
        keep: whether the model is as good as new, so that it may be used again.
    """
    idle = _idle.get()
    if idle is None or not keep:
        model.close()
        return
    _close_all()
    idle[key] = model


def _close_all() -> None:
    idle = _idle.get()
    for model in idle.values():
        model.close()
    idle.clear()


def key_of(directory: str, *settings: object) -> tuple:
    """What tells whether an open model is that of the files in `directory`, with the same settings."""
    root = pathlib.Path(os.path.abspath(directory))
    states = [
        (str(path), status.st_ino, status.st_size, status.st_ctime_ns)
        for path in sorted(root.rglob("*"))
        if (status := path.stat())
    ]
    return str(root), settings, tuple(states)


def has_a_state(fetched: Iterable[tf.Tensor], fed: Iterable[tf.Tensor]) -> bool:
    """Whether computing `fetched` changes what comes out the next time, as random numbers do.

    Args:
        fetched: what is computed.
        fed: what is not computed then, but given.
    """
    reached = {tensor.op for tensor in fed}
    waiting = [tensor.op for tensor in fetched]
    while waiting:
        operation = waiting.pop()
        if operation in reached:
            continue
        reached.add(operation)
        if operation.op_def.is_stateful and operation.type not in _ONLY_READ:
            return True
        waiting += [tensor.op for tensor in operation.inputs] + operation.control_inputs
    return False

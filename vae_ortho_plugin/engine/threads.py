# SPDX-License-Identifier: Apache-2.0
"""How many threads share an operation: one for a small network, where several would wait for each other.

TensorFlow gives all sessions of a process one pool of threads, as large as the first of them asks for. With
an environment variable, each session has its own.
"""

import os

import tensorflow.compat.v1 as tf

from vae_ortho_plugin.errors import InputError

_OWN_POOLS = "TF_OVERRIDE_GLOBAL_THREADPOOL"
_ALL_POOLS = "TF_NUM_INTRAOP_THREADS"
# Multiplications of a forward pass through dense layers. Within these bounds, one thread is as fast as two,
# because two wait for each other at full load (docs/notes/performance_history.md, "Threads and XLA"). With
# fewer multiplications, XLA runs the loop on one thread by itself, and the other threads draw its noise.
_MULTIPLICATIONS_OF_ONE_THREAD = range(10_000, 4_000_000)
_can_choose: bool | None = None


def let_sessions_have_their_own() -> None:
    """Each session may have its number of threads from now on, if TensorFlow was not used before."""
    global _can_choose
    if _can_choose is None:
        from tensorflow.python.eager import context

        used = context.context_safe() is not None and context.context()._initialized
        _can_choose = not used and os.environ.setdefault(_OWN_POOLS, "1") in ("1", "true")


def chosen(asked: int | None, batch_size: int) -> int:
    """The threads for the default graph, whose steps have `batch_size` points; 0: as many as TensorFlow takes.

    Raises:
        InputError: the user has asked for a number, and TensorFlow was used before.
    """
    if asked is not None:
        if not _can_choose:
            raise InputError(
                f"training_loop.threads = {asked} has no effect in this process, because TensorFlow was in "
                "use before disentanglement_lib was imported. Set "
                f"{_ALL_POOLS}={asked} in the environment instead."
            )
        return asked
    if not _can_choose or _ALL_POOLS in os.environ or tf.config.list_physical_devices("GPU"):
        return 0
    shapes = [variable.shape for variable in tf.trainable_variables()]
    shapes = [shape for shape in shapes if shape.is_fully_defined()]
    multiplications = batch_size * sum(shape.num_elements() for shape in shapes)
    convolves = any(shape.rank > 2 for shape in shapes)  # a weight is then used at many places
    return 1 if multiplications in _MULTIPLICATIONS_OF_ONE_THREAD and not convolves else 0


def described(threads: int) -> str:
    """'on one thread' and the like, for a number that `chosen` gave."""
    number = str(threads or os.environ.get(_ALL_POOLS) or 0)
    return {"0": "on all cores", "1": "on one thread"}.get(number, f"on {number} threads")

# SPDX-License-Identifier: Apache-2.0
"""A user's decoder of any framework: its Jacobians in forward mode, batch by batch.

A file each framework, with a class for a decoder at work. None is imported before a decoder of it is given. Such a
decoder is in evaluation mode and has, of latents [points, latents], `outputs` [points, ...], `jacobians` [points, outputs,
latents] and `factors`, R of each Jacobian in float64 [points, latents, latents].
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import latent_table
from vae_ortho_plugin.measures.shared.jacobians import check_outputs

# Bytes of the Jacobians of a batch in the decoder's type; activations inside a decoder may need some times as much.
_BATCH_BYTES = 16 * 2**20
_LARGEST_BATCH = 256

# Where rounding ends and another image begins, in shares of the largest output.
_SAME = 1e-3

# What PyTorch's RuntimeError says where a GPU's memory or the CPU's runs out.
_NO_MEMORY = "out of memory", "can't allocate memory"


def _opened(decoder: Any, means: Any) -> contextlib.AbstractContextManager:
    """Within: the decoder of NumPy's arrays. InputError if it cannot be called, or its framework is not installed."""
    if not callable(decoder):
        raise InputError(
            "decoder must be a torch.nn.Module, a Keras model, a function of JAX arrays or the directory "
            f"of a trained model; got {type(decoder).__name__}."
        )
    framework = _framework(decoder, means)
    if framework == "torch":
        from vae_ortho_plugin.decoder.frameworks.pytorch import PytorchDecoder

        return PytorchDecoder(decoder, means)
    if framework == "tensorflow":
        from vae_ortho_plugin.decoder.frameworks.tensorflow2 import TensorflowDecoder

        return contextlib.nullcontext(TensorflowDecoder(decoder, means))
    try:
        from vae_ortho_plugin.decoder.frameworks.jax_arrays import JaxDecoder
    except ModuleNotFoundError as error:
        raise InputError(
            f"decoder is a function, which is taken for one of JAX arrays, and {error.name} is not "
            "installed: pip install jax, or give means as tensors of the decoder's framework."
        ) from error
    return contextlib.nullcontext(JaxDecoder(decoder, means))


@contextlib.contextmanager
def named(failed: str, *errors: type[Exception]) -> Iterator[None]:
    """Within: errors of a call in Python, and these, are InputErrors that begin with `failed`, unless memory ran out."""
    try:
        yield
    except (AttributeError, IndexError, TypeError, ValueError, *errors) as error:
        if isinstance(error, InputError) or any(words in str(error) for words in _NO_MEMORY):
            raise
        raise InputError(f"{failed}: {error}") from error


def packages_of(decoder: Any) -> set[str]:
    """The packages that a decoder's class and its bases are of, such as "keras"."""
    return {cls.__module__.partition(".")[0] for cls in type(decoder).__mro__}


def _framework(decoder: Any, means: Any) -> str:
    packages = packages_of(decoder)
    if "keras" in packages:
        import keras

        return keras.backend.backend()
    for framework in ("torch", "tensorflow", "jax"):
        if framework in packages:
            return framework
    given = type(means).__module__.partition(".")[0]
    if given in ("torch", "tensorflow"):
        return given
    if given not in ("jax", "jaxlib") and "jax" not in sys.modules and "torch" in sys.modules:
        return "torch"
    return "jax"


def in_batches(decoder: Any, means: Any, triangular: bool = False) -> np.ndarray:
    """The Jacobians [points, outputs, latents], or R of each, [points, latents, latents] in float64, if `triangular`.

    Arguments and errors are those of `decoder_measures`.
    """
    found = []
    with _opened(decoder, means) as own:
        latents = points_of(means)
        points, count = latents.shape
        outputs = _outputs_of_a_point(own, latents)
        if triangular:
            check_outputs(outputs, count)
        size = min(_LARGEST_BATCH, points, max(1, _BATCH_BYTES // (4 * outputs * count)))
        for start in range(0, points, size):
            # All batches have one size, for which a framework compiles once.
            first = min(start, points - size)
            batch = latents[first : first + size]
            taken = own.factors(batch, first) if triangular else own.jacobians(batch)
            found.append(taken[start - first :])
    return np.concatenate(found)


def points_of(means: Any) -> np.ndarray:
    """The means in float64, [points, latents]; InputError for another shape or a value that is not finite."""
    if isinstance(means, (str, bytes, os.PathLike)):
        raise InputError(f"means must be an array [points, latents]; got {means!r}.")
    return latent_table("means", means)


def _outputs_of_a_point(decoder: Any, latents: np.ndarray) -> int:
    """The number of outputs, of a decoder that treats each point by itself."""
    first = latents[0]
    second = latents[np.argmax(np.abs(latents - first).sum(axis=1))]
    if (second == first).all():
        second = first + 1
    beside_other = decoder.outputs(np.stack([first, second]))
    beside_itself = decoder.outputs(np.stack([first, first]))
    if beside_other.ndim < 2 or len(beside_other) != 2:
        raise InputError(
            "decoder must take latents [points, latents] and return one output for each point, [points, ...]; "
            f"for latents of the shape {(2, len(first))} it returned {beside_other.shape}. "
            "(A function of one point: give jax.vmap(decoder) or torch.vmap(decoder).)"
        )
    largest = np.abs(beside_other[0]).max(initial=0)
    if np.abs(beside_other[0] - beside_itself).max(initial=0) > _SAME * largest:
        raise InputError(
            "decoder gives a point another output when the other points of its batch change: it mixes the "
            "points (batch norm in training mode?) or draws random numbers (dropout?). Give it in evaluation "
            "mode."
        )
    return max(1, beside_other[0].size)

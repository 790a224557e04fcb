# SPDX-License-Identifier: Apache-2.0
"""Metrics of given arrays: what fits is checked first, then each metric is computed."""

import contextlib
from collections.abc import Iterator, Sequence

import gin
import numpy as np

from vae_ortho_plugin import measures
from vae_ortho_plugin.arrays import names
from vae_ortho_plugin.arrays.dlib_metrics import ArrayMetrics
from vae_ortho_plugin.data.sampling.factor_table import FactorTable, factor_table
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.shared.arrays import float_array, positive_sigma, real_array
from vae_ortho_plugin.measures.shared.factors import check_varies
from vae_ortho_plugin.measures.shared.jacobians import checked_jacobians, small_jacobians
from vae_ortho_plugin.measures.summaries import of_jacobians

# As many points as data with splits need.
_LEAST_POINTS = 10
_BLOCK_BYTES = 1 << 26


def evaluated(
    means: object,
    factors: object,
    sigma: object,
    jacobians: object,
    factor_kinds: str | Sequence[str] | None,
    factor_names: Sequence[str] | None,
    metrics: Sequence[str] | None,
    seed: int,
    bindings: Sequence[str],
) -> tuple[dict, dict[str, dict], dict[str, str]]:
    """What was evaluated, the metrics' results and the messages of those that failed; arguments as `evaluate`.

    Raises:
        InputError: an argument is not valid, or a metric that is named does not fit the arrays.
    """
    given = (argument is not None for argument in (means, factors, jacobians))
    chosen = names.of_arrays(metrics, *given)
    latents = None if means is None else _means(means)
    table = FactorTable([], [], [])
    active = small = deviations = None
    if factors is not None:
        if latents is None:
            raise InputError("factors need means of the same points.")
        table = factor_table(factors, len(latents), factor_kinds, factor_names)
        for name, kind, column in zip(table.names, table.kinds, table.columns, strict=True):
            check_varies(bool((column != column[0]).any()), kind, name, column[0])
    elif factor_kinds is not None or factor_names is not None:
        raise InputError("factor_kinds and factor_names describe factors, which are not given.")
    if jacobians is not None:
        small = _small(jacobians, None if latents is None else latents.shape[1])
    if sigma is not None:
        if small is None:
            raise InputError("sigma is for the precision gap, which needs jacobians.")
        points, _, count = small.shape
        deviations = positive_sigma(sigma, points, count)
    if bindings and not set(chosen) & set(names.METRICS):
        raise InputError("gin_bindings are settings of dlib's metrics, of which there is none.")

    about: dict = {"points": len(small if latents is None else latents)}
    if latents is not None:
        about["latents"] = latents.shape[1]
        active = measures.active_latents(latents)
    values, errors = {}, {}
    with left_as_they_were():
        setup = None
        if latents is not None:
            of_points = [name for name in chosen if name in names.METRICS]
            setup = ArrayMetrics(of_points, latents, table, bindings, seed, metrics is not None)
            about |= setup.about()
        about["seed"] = seed
        for name in chosen:
            try:
                if name in names.OF_JACOBIANS:
                    values[name] = of_jacobians(name, small, active, deviations)
                elif name in setup.names:
                    values[name] = setup.compute(name)
            except InputError as error:
                errors[name] = str(error)
    return about, values, errors


@contextlib.contextmanager
def left_as_they_were() -> Iterator[None]:
    """Within: gin has no configuration. Afterwards it has the one from before, and NumPy its random state."""
    config = gin.config
    stores = (config._CONFIG, config._SINGLETONS, config._OPERATIVE_CONFIG)
    before = [
        {key: dict(value) if isinstance(value, dict) else value for key, value in store.items()}
        for store in stores
    ]
    imports, locked = set(config._IMPORTS), gin.config_is_locked()
    random_state = np.random.get_state()
    gin.clear_config()
    try:
        yield
    finally:
        gin.clear_config()
        for store, values in zip(stores, before, strict=True):
            store.update(values)
        config._IMPORTS.update(imports)
        config._set_config_is_locked(locked)
        np.random.set_state(random_state)


def _means(means: object) -> np.ndarray:
    """float64 [points, latents]."""
    stored = real_array("means", means)
    if stored.ndim != 2:
        hint = " A single latent is z[:, None]." if stored.ndim == 1 else ""
        raise InputError(f"means must have the shape [points, latents]; got {stored.shape}.{hint}")
    if len(stored) < _LEAST_POINTS or not stored.size:
        raise InputError(
            f"means have the shape {stored.shape}; at least {_LEAST_POINTS} points and one latent are needed."
        )
    return float_array("means", stored)


def _small(jacobians: object, latents: int | None) -> np.ndarray:
    """`small_jacobians`, block by block, so that a large file fits into memory; `latents` is that of the means."""
    array = checked_jacobians(jacobians)
    if latents not in (None, array.shape[2]):
        raise InputError(
            f"jacobians have the shape {array.shape}, which is of {array.shape[2]} latents, and means have "
            f"{latents}. The order is [points, outputs, latents]."
        )
    step = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    blocks = range(0, len(array), step)
    return np.concatenate(
        [small_jacobians(array[start : start + step], first_point=start) for start in blocks]
    )

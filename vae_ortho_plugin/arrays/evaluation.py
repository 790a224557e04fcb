# SPDX-License-Identifier: Apache-2.0
"""Metrics of a user's arrays, or of a trained model's directory, in one call."""

import dataclasses
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from vae_ortho_plugin import files
from vae_ortho_plugin.arrays import names
from vae_ortho_plugin.dlib import hook, without_tensorflow
from vae_ortho_plugin.dlib.json_values import json_values
from vae_ortho_plugin.errors import InputError, check_whole

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found; `result["mig"]` is the dict that the metric mig returned, None for what is not finite.

    Attributes:
        metrics: results by gin name of the metric.
        errors: messages of the metrics that failed.
        about: what was evaluated, and with which settings.
        notes: a sentence for each value that is saved as another one.
    """

    metrics: dict[str, dict]
    errors: dict[str, str]
    about: dict
    notes: list[str]

    def __getitem__(self, metric: str) -> dict:
        name = names.gin_name(metric)
        if name in self.errors:
            raise KeyError(f"{metric} failed: {self.errors[name]}")
        return self.metrics[name]

    def __hash__(self) -> int:
        return hash(json.dumps(self.as_dict()))

    def __repr__(self) -> str:
        return table([self])

    def as_dict(self) -> dict:
        """Everything but the notes, as `to_json` writes it."""
        errors = {"errors": self.errors} if self.errors else {}
        return {**self.about, "metrics": self.metrics, **errors}

    def numbers(self) -> Iterator[tuple[str, str, float]]:
        """Metric, name and value of each single number of the results."""
        for metric, found in self.metrics.items():
            for name, value in found.items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    yield metric, name, value

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Writes everything but the notes."""
        files.write_text(Path(path), json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n")

    def to_frame(self) -> "pandas.DataFrame":
        """A pandas frame of `numbers`, with the columns metric, name and value; InputError without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise InputError("to_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame(list(self.numbers()), columns=["metric", "name", "value"])


def evaluate(
    means: ArrayLike | str | os.PathLike[str] | None,
    factors: object = None,
    *,
    sigma: ArrayLike | None = None,
    jacobians: ArrayLike | None = None,
    factor_kinds: str | Sequence[str] | None = None,
    factor_names: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    gin_bindings: str | Sequence[str] = (),
) -> Evaluation:
    """dlib's metrics and the plugin's on arrays, of a model in any framework. It needs no TensorFlow.

    Arrays are of NumPy, PyTorch, JAX or TensorFlow, or lists; factors may be a data frame of pandas or polars.
    Training and test points of a metric differ. gin's configuration and NumPy's random numbers are afterwards
    what they were.

    Args:
        means: posterior means [points, latents]; None for measures of Jacobians alone. Or the directory of a
            trained model, whose `metrics` are evaluated as dlib_evaluate does it, with TensorFlow.
        factors: generating factors of the same points, [points, factors] or [points], numbers or strings, or
            what has names for its columns.
        sigma: the posterior's standard deviations [points, latents] at the points of the Jacobians.
        jacobians: of the decoder, [points, outputs, latents], at these or other points. They add dto,
            ima_contrast and precision_gap.
        factor_kinds: "continuous" for numbers on a scale or "categorical", for each factor or one for all. The
            default is continuous for floating-point numbers and categorical for others.
        factor_names: the default is those of the columns, or factor 0, factor 1, ...
        metrics: the default is all that the arrays allow, without those that train further models.
        seed: of each metric, from 0 on.
        gin_bindings: such as "mig.num_train = 5000". The defaults are those of dlib's study, as far as the points
            suffice.

    Raises:
        InputError: an argument is not valid, a metric does not fit the arrays, or a package is missing.
    """
    check_whole("seed", seed)
    seed = int(seed)  # of NumPy, JSON does not know it
    bindings = [gin_bindings] if isinstance(gin_bindings, str) else list(gin_bindings)
    arrays = (factors, sigma, jacobians, factor_kinds, factor_names)
    if isinstance(means, (str, os.PathLike)):
        if any(argument is not None for argument in arrays):
            raise InputError(
                f"means = {str(means)!r} is the directory of a model, which has its own factors and Jacobians: "
                "give only metrics, seed and gin_bindings with it."
            )
        need_model(means)
        from vae_ortho_plugin.arrays import trained_models

        found = trained_models.evaluated(os.fspath(means), metrics, seed, bindings)
    else:
        _need_packages(hook.REQUIRED_FOR_ARRAYS)
        with without_tensorflow.imports():
            from vae_ortho_plugin.arrays import given_arrays

        found = given_arrays.evaluated(means, *arrays, metrics, seed, bindings)
    about, values, errors = found
    about["settings"], _ = json_values(about.get("settings", {}))
    results, notes = json_values(values)
    return Evaluation(results, errors, about, notes)


def need_model(directory: str | os.PathLike[str]) -> None:
    """Raises InputError unless a directory has a model that can be evaluated here."""
    _need_packages(hook.REQUIRED)
    from vae_ortho_plugin.dlib.steps import guards  # starts TensorFlow

    guards.need_module(os.fspath(directory), "model", "what dlib_train or dlib_postprocess wrote")


def _need_packages(modules: Sequence[str]) -> None:
    if message := hook.missing_packages(modules):
        raise InputError(message)


def table(results: Sequence[Evaluation], heads: Sequence[str] = ("value",)) -> str:
    """The numbers of all results as text: a line for each number, and a column with a head for each result."""
    columns = [{found[:2]: found[2] for found in result.numbers()} for result in results]
    rows = [("metric", "name", *heads)]
    for key in dict.fromkeys(key for column in columns for key in column):
        rows.append((*key, *(f"{column[key]:.6g}" if key in column else "" for column in columns)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    for result, head in zip(results, heads, strict=True):
        where = f" ({head})" if len(results) > 1 else ""
        lines += [f"{name}{where} failed: {text}" for name, text in result.errors.items()]
    return "\n".join(lines)

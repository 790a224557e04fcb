# SPDX-License-Identifier: Apache-2.0
"""What the metrics share: their parameters, the evaluated model and its points.

    @evaluated.metric("my_metric", "model_dir", "split", "num_points")
    def my_metric(of: evaluated.Evaluation, my_parameter: int = 1) -> dict:
        with of.open_model() as model:
            means, _ = of.posterior(model)
        return {**evaluated.summary("my_metric", ...), "split": of.split_name}

registers @my_metric with gin, with the named parameters of `SHARED` and those of the function.

dlib calls a metric with the data set and a representation function only. The step that evaluates knows
where the model is, and hands that on by `model_dir_from`.
"""

import contextlib
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.decoder import BATCH_SIZE
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.summaries import summary

if TYPE_CHECKING:
    from vae_ortho_plugin.decoder.trained_model import TrainedModel

__all__ = ["Evaluation", "finite", "metric", "model_dir_from", "summary"]


def _parameters(function: Callable) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


def _of_dlib(
    ground_truth_data: GroundTruthData,
    representation_function: Callable[[np.ndarray], np.ndarray],
    random_state: np.random.RandomState,
    artifact_dir: str | None = None,
): ...


_find_model_dir: ContextVar[Callable[[str], str] | None] = ContextVar(
    "find_model_dir", default=None
)


@contextlib.contextmanager
def model_dir_from(find: Callable[[str], str]) -> Iterator[None]:
    """Within: metrics evaluate the model in the directory that `find` returns for a metric's name.

    Only metrics that need the model call it; it raises InputError where there is none.
    """
    token = _find_model_dir.set(find)
    try:
        yield
    finally:
        _find_model_dir.reset(token)


@dataclasses.dataclass
class Evaluation:
    """What one call of a metric evaluates: its name, dlib's arguments, and the parameters that metrics share.

    Attributes:
        model_dir: directory of the trained model. The default is the evaluated model.
        split: "train", "validation" or "test", for data with splits; other data are sampled.
        num_points: number of points. The default is the whole split, for other data 10,000.
        batch_size: number of Jacobians in memory at a time.
        output: "image" for the Jacobian of the image, "raw" for that of the decoder's output
            before the activation.
    """

    name: str
    data: GroundTruthData
    encode: Callable[[np.ndarray], np.ndarray]
    random_state: np.random.RandomState
    model_dir: str | None = None
    split: str = "test"
    num_points: int | None = None
    batch_size: int = BATCH_SIZE
    output: str = "image"

    @property
    def split_name(self) -> str | None:
        """The split as a result states it: None for data without splits."""
        return self.split if hasattr(self.data, "split") else None

    @property
    def found_model_dir(self) -> str:
        """The directory of the trained model; InputError if there is none, or no step evaluates."""
        if self.model_dir is not None:
            return self.model_dir
        find = _find_model_dir.get()
        if find is None:
            raise InputError(
                f"{self.name} needs the trained model's decoder: set {self.name}.model_dir."
            )
        return find(self.name)

    def open_model(self) -> "TrainedModel":
        """`trained_model.open_model`."""
        from vae_ortho_plugin.decoder.trained_model import open_model  # starts TensorFlow

        return open_model(self.found_model_dir, self.output)

    def points(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches of at most 256 points of the split: observations and factors.

        Raises:
            InputError: the split is unknown, or has no points or fewer than `num_points`.
        """
        if not hasattr(self.data, "split"):
            # Factors on a scale are binned in what dlib's own metrics see.
            sample = getattr(self.data, "sample_unbinned", self.data.sample)
            remaining = 10_000 if self.num_points is None else self.num_points
            while remaining > 0:
                factors, images = sample(min(remaining, BATCH_SIZE), self.random_state)
                remaining -= len(images)
                yield images, factors
            return
        images, factors = self.data.split(self.split)
        if not len(images):
            raise InputError(
                f"The {self.split} split of the data has no points. Bind the metric's parameter `split` to one "
                "that has some, such as dto.split = 'train', or mark other points in `splits`."
            )
        if self.num_points is not None:
            if self.num_points > len(images):
                raise InputError(
                    f"num_points = {self.num_points}, but the {self.split} split has {len(images)} points."
                )
            chosen = self.random_state.choice(len(images), self.num_points, replace=False)
            images, factors = images[chosen], factors[chosen]
        for start in range(0, len(images), BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            yield images[batch], factors[batch]

    def posterior(self, model: "TrainedModel") -> tuple[np.ndarray, np.ndarray]:
        """Means, all finite, and standard deviations of the posterior at the points, [points, latents] each."""
        batches = [model.posterior(images) for images, _ in self.points()]
        means, logvars = (np.concatenate(part) for part in zip(*batches, strict=True))
        return finite(means), np.exp(logvars.astype(np.float64) / 2)

    def means_and_factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Representations, all finite, [points, latents] and factors [points, factors] of the points."""
        batches = [(self.encode(images), factors) for images, factors in self.points()]
        means, factors = (np.concatenate(part) for part in zip(*batches, strict=True))
        return finite(means), factors


GIVEN_BY_DLIB = _parameters(_of_dlib)
# The parameters that metrics share: those fields of an Evaluation that have a default value.
SHARED = {key: one for key, one in _parameters(Evaluation).items() if one.default is not one.empty}


def metric(name: str, *shared: str) -> Callable[[Callable[..., dict]], Callable[..., dict]]:
    """Decorator: makes a function of an Evaluation a metric of dlib and registers it with gin.

    Args:
        name: of the metric, in gin.
        *shared: the parameters of `SHARED` that it has; the others keep their default values.
    """

    def decorate(compute: Callable[..., dict]) -> Callable[..., dict]:
        own = _parameters(compute)
        own.pop(next(iter(own)))
        parameters = {**GIVEN_BY_DLIB, **{key: SHARED[key] for key in shared}, **own}
        signature = inspect.Signature(list(parameters.values()))

        def evaluate(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            for key, value in bound.arguments.items():
                is_number = parameters[key].annotation in (int, int | None)
                if is_number and value is not None and value < 1:
                    raise InputError(f"{key} must be at least 1; got {value}.")
            values = dict(bound.arguments)
            data, encode, random_state, _ = (values.pop(key) for key in GIVEN_BY_DLIB)
            settings = {key: values.pop(key) for key in own}
            return compute(Evaluation(name, data, encode, random_state, **values), **settings)

        # By these gin and the check of bindings know the parameters.
        evaluate.__signature__ = signature
        evaluate.__annotations__ = {key: one.annotation for key, one in parameters.items()}
        for key in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(evaluate, key, getattr(compute, key))
        return gin.configurable(name, denylist=list(GIVEN_BY_DLIB))(evaluate)

    return decorate


def finite(outputs: np.ndarray) -> np.ndarray:
    """Returns a model's outputs unchanged; InputError if a value is not finite."""
    if not np.isfinite(outputs).all():
        raise InputError(
            "The model returns values that are not finite for some observations. Did the training run "
            "diverge? Train again with a smaller learning rate."
        )
    return outputs

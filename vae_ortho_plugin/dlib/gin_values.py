# SPDX-License-Identifier: Apache-2.0
"""The checks of values that gin binds, before a step begins its work.

dlib passes them on: text as a learning rate fails inside TensorFlow, and -5 steps count as a finished training run.
"""

import inspect
import math
import numbers
import types
import typing

import gin

from vae_ortho_plugin.errors import InputError, check_whole
from vae_ortho_plugin.files import gin_files
from vae_ortho_plugin.files.gin_files import Macro, Reference

# Parameters of dlib that are whole numbers, and the least value of each.
_WHOLE = {
    "abstract_reasoning.batch_size": 1,
    "abstract_reasoning.eval_steps_per_iteration": 1,
    "abstract_reasoning.num_iterations": 1,
    "abstract_reasoning.random_seed": 0,
    "abstract_reasoning.training_steps_per_iteration": 0,
    "encoder.num_latent": 1,
    "evaluation.random_seed": 0,
    "model.batch_size": 1,
    # The mean over no batch does not exist, and over all batches (None) never ends.
    "model.eval_steps": 1,
    "model.random_seed": 0,
    "model.training_steps": 0,
    "postprocess.random_seed": 0,
}
# The weights of terms of the loss, which have no least value at a weight below 0.
_WEIGHTS = {"beta", "gamma", "lambda_d_factor", "lambda_od"}
# Parameters of these names are numbers in every model and optimizer of dlib and TensorFlow.
_NUMBERS = {"adam_beta1", "beta1", "beta2", "c_max", "epsilon", "iteration_threshold"}
_NUMBERS |= {"learning_rate", *_WEIGHTS}
# What values an annotation stands for, and what they are called.
_KINDS: dict[type, tuple[type, str]] = {
    bool: (bool, "True or False"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "text in quotes"),
    types.NoneType: (types.NoneType, "None"),
}
# Parameters that hold a model or function, and whether gin calls it.
_REFERENCES = {
    "abstract_reasoning.model": True,
    "decoder.decoder_fn": False,
    "discriminator.discriminator_fn": False,
    "encoder.encoder_fn": False,
    "evaluation.evaluation_fn": False,
    "model.model": True,
    "postprocess.postprocess_fn": False,
    "reconstruction_loss.loss_fn": False,
    "vae_optimizer.optimizer_fn": False,
}


def check() -> None:
    """Makes whole numbers of 3e5 and the like that gin binds now; InputError names a binding that is not valid."""
    _check_finite()
    found = gin_files.parse_bindings(gin.config_str(), "the configuration")
    for binding, value in found.items():
        parameter = binding.rpartition("/")[2]
        if isinstance(value, Macro):
            value = found.get(value.name, value)
        if isinstance(value, Macro):
            continue
        if parameter in _WHOLE:
            check_whole(binding, _made_whole(binding, value), _WHOLE[parameter])
        elif parameter in _REFERENCES:
            _check_reference(binding, value, _REFERENCES[parameter])
        elif kinds := _kinds(parameter):
            _check_kind(binding, value, kinds)
    name = found.get("dataset.name")
    if name is None:
        raise InputError(
            'No data set: dataset.name is not bound. Name one in a gin file or with --gin_bindings="'
            "dataset.name = 'synth_linear'\"; the steps after dlib_train may take 'auto', the model's own."
        )
    if not isinstance(name, (str, Reference, Macro)):
        raise InputError(
            f"dataset.name = {name!r}; it must be the name of a data set in quotes, or a reference such "
            "as @my_data()."
        )


def _check_finite() -> None:
    """Refuses 1e400 and the like, which Python reads as infinity and gin leaves out of what it records."""
    for (scope, selector), values in gin.config._CONFIG.items():
        for parameter, value in values.items():
            if not _is_finite(value):
                name = selector.rpartition(".")[2] + f".{parameter}"
                # A macro has its name as scope.
                binding = scope if selector == "gin.macro" else f"{scope}/{name}".lstrip("/")
                raise InputError(f"{binding} = {value!r}; it must be finite.")


def _is_finite(value: object) -> bool:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple, set)):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _made_whole(binding: str, value: object) -> object:
    """The value, as int where it is a whole number such as 3e5; gin has it so then."""
    if not isinstance(value, float) or not value.is_integer():
        return value
    with gin.unlock_config():
        gin.bind_parameter(binding, int(value))
    return int(value)


def _kinds(parameter: str) -> list[type]:
    """The types that a parameter's value may have; none where they are unknown, as of a user's own."""
    selector, _, name = parameter.rpartition(".")
    configurable = gin.config._REGISTRY.get_match(selector) if selector else None
    if configurable is None:
        return []
    function = configurable.wrapped
    package = (getattr(function, "__module__", None) or "").partition(".")[0]
    if package == "vae_ortho_plugin":
        function = function.__init__ if inspect.isclass(function) else function
        hint = typing.get_type_hints(function).get(name)
        kinds = list(typing.get_args(hint)) if isinstance(hint, types.UnionType) else [hint]
        return kinds if all(kind in _KINDS for kind in kinds) else []
    return [float] if package in ("disentanglement_lib", "tensorflow") and name in _NUMBERS else []


def _check_kind(binding: str, value: object, kinds: list[type]) -> None:
    # A reference may be a schedule.
    if isinstance(value, Reference):
        return
    if int in kinds and float not in kinds:
        value = _made_whole(binding, value)
    is_bool = isinstance(value, bool)  # which Python takes for a number, too
    if not any(isinstance(value, _KINDS[kind][0]) and is_bool == (kind is bool) for kind in kinds):
        expected = " or ".join(_KINDS[kind][1] for kind in kinds)
        raise InputError(f"{binding} = {value!r}; it must be {expected}.")
    if not isinstance(value, numbers.Real):
        return
    if value <= 0 and binding.endswith(".learning_rate"):
        raise InputError(f"{binding} = {value!r}; it must be above 0.")
    if value < 0 and binding.rpartition(".")[2] in _WEIGHTS:
        raise InputError(f"{binding} = {value!r}; it must be 0 or more.")


def _check_reference(binding: str, value: object, called: bool) -> None:
    # Where a function is asked for, another one may return it when gin calls it.
    if isinstance(value, Reference) and (value.called or not called):
        return
    name = value.name if isinstance(value, Reference) else value
    example = f"@{name}" if isinstance(name, str) else "@NAME"
    raise InputError(
        f"{binding} = {value!r}; it must be a reference, {binding} = {example}{'()' if called else ''}."
    )

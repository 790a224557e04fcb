# SPDX-License-Identifier: Apache-2.0
"""The checks of values that gin binds, before a step begins its work.

dlib takes them as they are: text as a learning rate ends in TensorFlow, -5 steps as a finished training.
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
# Parameters of these names are numbers in every model and optimizer of dlib, the plugin and TensorFlow. The
# weights are those of a term of the loss, which has no least value at a weight below 0.
_WEIGHTS = {"beta", "gamma", "lambda_d_factor", "lambda_od"}
_NUMBERS = {
    *_WEIGHTS,
    "adam_beta1",
    "beta1",
    "beta2",
    "c_max",
    "epsilon",
    "iteration_threshold",
    "learning_rate",
}
_WITH_THESE_NUMBERS = ("disentanglement_lib", "tensorflow")
# What a value of a type is called.
_KINDS: dict[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    types.NoneType: "None",
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
    """Checks the values that gin binds now, and makes whole numbers of 3e5 and the like.

    Raises:
        InputError: one of them is not valid; names the binding.
    """
    _check_finite()
    found = gin_files.parse_bindings(gin.config_str(), "the configuration")
    for binding, value in found.items():
        parameter = binding.rpartition("/")[2]
        if isinstance(value, Macro):
            value = found.get(value.name, value)
        if isinstance(value, Macro):
            continue
        if parameter in _WHOLE:
            _check_whole(binding, value, _WHOLE[parameter])
        elif parameter in _REFERENCES:
            _check_reference(binding, value, _REFERENCES[parameter])
        elif kinds := _kinds(parameter):
            _check_kind(binding, value, kinds)
    _check_data_set(found.get("dataset.name"))


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
    if isinstance(value, (list, tuple, set)):
        return all(map(_is_finite, value))
    if isinstance(value, dict):
        return all(map(_is_finite, [*value, *value.values()]))
    return not isinstance(value, float) or math.isfinite(value)


def _check_whole(binding: str, value: object, at_least: int) -> None:
    check_whole(binding, _made_whole(binding, value), at_least)


def _made_whole(binding: str, value: object) -> object:
    """The value, as int where it is a whole number such as 3e5; gin has it so then."""
    if not isinstance(value, float) or not value.is_integer():
        return value
    with gin.unlock_config():
        gin.bind_parameter(binding, int(value))
    return int(value)


def _kinds(parameter: str) -> list[type]:
    """The types that a parameter's value may have; none where they are not known here.

    Those of the plugin's configurables follow from their annotations. What users register themselves may
    mean anything by a name.
    """
    selector, _, name = parameter.rpartition(".")
    configurable = gin.config._REGISTRY.get_match(selector) if selector else None
    if configurable is None:
        return []
    function = configurable.wrapped
    package = (getattr(function, "__module__", None) or "").partition(".")[0]
    if package == "vae_ortho_plugin":
        function = function.__init__ if inspect.isclass(function) else function
        hint = typing.get_type_hints(function).get(name)
        union = isinstance(hint, types.UnionType)
        kinds = list(typing.get_args(hint)) if union else [hint]
        return kinds if all(kind in _KINDS for kind in kinds) else []
    return [float] if package in _WITH_THESE_NUMBERS and name in _NUMBERS else []


def _check_kind(binding: str, value: object, kinds: list[type]) -> None:
    # A reference may be a schedule.
    if isinstance(value, Reference):
        return
    if int in kinds and float not in kinds:
        value = _made_whole(binding, value)
    if not any(_is_of(kind, value) for kind in kinds):
        expected = " or ".join(_KINDS[kind] for kind in kinds)
        raise InputError(f"{binding} = {value!r}; it must be {expected}.")
    if not isinstance(value, numbers.Real):
        return
    if value <= 0 and binding.endswith(".learning_rate"):
        raise InputError(f"{binding} = {value!r}; it must be above 0.")
    if value < 0 and binding.rpartition(".")[2] in _WEIGHTS:
        raise InputError(f"{binding} = {value!r}; it must be 0 or more.")


def _is_of(kind: type, value: object) -> bool:
    number = {int: numbers.Integral, float: numbers.Real}.get(kind)
    if number is not None:
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, kind)


def _check_reference(binding: str, value: object, called: bool) -> None:
    # Where a function is asked for, another one may return it when gin calls it.
    if isinstance(value, Reference) and (value.called or not called):
        return
    name = value.name if isinstance(value, Reference) else value
    example = f"@{name}" if isinstance(name, str) else "@NAME"
    raise InputError(
        f"{binding} = {value!r}; it must be a reference, {binding} = {example}{'()' if called else ''}."
    )


def _check_data_set(name: object) -> None:
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

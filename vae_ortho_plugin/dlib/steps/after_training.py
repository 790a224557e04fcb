# SPDX-License-Identifier: Apache-2.0
"""dlib_postprocess, dlib_evaluate and dlib_reason: the steps that read what a finished step wrote.

dlib opens the TF-Hub module for every metric and every postprocessing. Here the first call of the module's function
opens it: most of the plugin's metrics open the trained model instead, and the mean representation needs neither.
"""

import contextlib
import functools
import json
import os
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import tensorflow.compat.v1 as tf

from vae_ortho_plugin.decoder.trained_model import HubModule, module_signatures
from vae_ortho_plugin.dlib.steps import data_set, guards
from vae_ortho_plugin.dlib.steps.output_directory import written_when_complete
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files


def wrap_postprocess(module: types.ModuleType) -> None:
    """Changes dlib's module postprocessing.postprocess."""

    def around(model_dir: str) -> AbstractContextManager:
        return data_set.of_finished_step_if_auto(model_dir, "train")

    _wrap(module, "postprocess", "--model_dir", around)


def wrap_evaluate(module: types.ModuleType) -> None:
    """Changes dlib's module evaluation.evaluate: it takes trained models too, not only postprocessed ones."""
    # Here, because it registers the metrics, which the other steps do not know.
    from vae_ortho_plugin.decoder.metrics import evaluated

    @contextlib.contextmanager
    def around(model_dir: str) -> Iterator[None]:
        is_postprocessed = gin_files.gin_file(model_dir, "postprocess").exists()
        step = "postprocess" if is_postprocessed else "train"
        with (
            data_set.of_finished_step_if_auto(model_dir, step),
            evaluated.model_dir_from(functools.partial(find_model_dir, model_dir)),
        ):
            yield

    _wrap(module, "evaluate", "--input_dir", around)


def _wrap(
    module: types.ModuleType,
    name: str,
    flag: str,
    around: Callable[[str], AbstractContextManager],
) -> None:
    """Changes a step that reads the TF-Hub module in `model_dir`, the script's `flag`; it runs within `around`."""
    module.hub = types.SimpleNamespace(eval_function_for_module=eval_function_for_module)
    dlib_step, with_gin = getattr(module, name), getattr(module, f"{name}_with_gin")
    step = written_when_complete(dlib_step)

    @functools.wraps(dlib_step)
    def step_within(model_dir, *args, **kwargs):
        with around(model_dir):
            return step(model_dir, *args, **kwargs)

    def prepare(arguments: dict) -> str:
        what = "what dlib_train or dlib_postprocess wrote"
        guards.need_module(arguments["model_dir"], flag, what)
        return guards.need_output(arguments["output_dir"])

    setattr(module, name, step_within)
    setattr(module, f"{name}_with_gin", guards.guarded(with_gin, prepare))


def wrap_reason(module: types.ModuleType) -> None:
    """Changes dlib's module evaluation.abstract_reasoning.reason."""

    def prepare(arguments: dict) -> str:
        # Without --input_dir, dlib trains on the observations.
        if arguments["input_dir"] is not None:
            guards.need_module(arguments["input_dir"], "--input_dir", "what dlib_postprocess wrote")
        return guards.need_output(arguments["output_dir"])

    module.reason = written_when_complete(module.reason)
    module.reason_with_gin = guards.guarded(module.reason_with_gin, prepare)


@contextlib.contextmanager
def eval_function_for_module(path: str, tags: set[str] | None = None) -> Iterator[Callable]:
    """hub.eval_function_for_module for dlib's calls, with the work done at the first call of the function.

    A trained model's representation is its mean.
    """
    with tf.get_default_graph().as_default(), contextlib.ExitStack() as stack:

        @functools.cache
        def opened() -> HubModule:
            module = HubModule(path, tags)
            stack.callback(module.session.close)
            return module

        @functools.cache
        def applied(signature: str) -> tuple[dict, dict]:
            if signature == "representation" and signature not in opened().signatures:
                feeds, outputs = opened().apply("gaussian_encoder")
                return feeds, {"default": outputs["mean"]}
            return opened().apply(signature)

        def evaluate(inputs, signature="default", as_dict=False):
            feeds, outputs = applied(signature)
            fed = {feeds[name]: value for name, value in inputs.items()}
            values = opened().session.run(outputs, fed)
            return values if as_dict else values["default"]

        yield evaluate


def find_model_dir(evaluated_dir: str, metric: str = "dto") -> str:
    """The directory of the trained model behind one that dlib evaluates, in the layout of dlib_reproduce.

    Raises:
        InputError: the model is not where dlib_reproduce puts it; names the metric that asks.
    """
    evaluated_dir = os.path.abspath(evaluated_dir)
    parent = os.path.dirname(evaluated_dir)
    candidates = [evaluated_dir, os.path.join(parent, "model")]
    if os.path.basename(parent) == "postprocessed":
        candidates.append(os.path.join(os.path.dirname(parent), "model"))
    for candidate in candidates:
        signatures = module_signatures(os.path.join(candidate, "tfhub"))
        if {"gaussian_encoder", "decoder"} <= signatures and _same_run(candidate, evaluated_dir):
            return candidate
    raise InputError(
        f"{metric} needs the trained model's decoder, and there is none for {evaluated_dir}. "
        "Evaluate the directory that dlib_train wrote, or keep it under the name 'model' beside the "
        "directory 'postprocessed' (or beside the evaluated one), as dlib_reproduce does, or set "
        f"{metric}.model_dir to it."
    )


def _same_run(model_dir: str, evaluated_dir: str) -> bool:
    """Whether both have the results of one training run; true where either has none."""
    runs = set()
    for directory in (model_dir, evaluated_dir):
        path = Path(directory, "results", "json", "train_results.json")
        if not path.exists():
            return True
        runs.add(json.loads(path.read_text(encoding="utf-8")).get("uuid"))
    return len(runs) == 1

# SPDX-License-Identifier: Apache-2.0
"""What happens around dlib's steps train, visualize, postprocess and evaluate.

Each step writes beside its output directory and renames at the end, so that a directory is complete or
absent and an older one is kept until its successor is finished. Bad input ends in one clear message.
"""

import ast
import contextlib
import difflib
import functools
import os
import re
import shutil
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from unittest import mock

import gin
import numpy as np

from vae_ortho_plugin.errors import InputError, NonFiniteLossError


def wrap_train(module: types.ModuleType) -> None:
    """dlib_train: a default for --model_dir, and the guards of every step."""
    module.train = _writing_beside(module.train, "model_dir")

    def prepare(model_dir, overwrite, gin_config_files, gin_bindings):
        if model_dir is None:
            names = [os.path.splitext(os.path.basename(path))[0] for path in gin_config_files or []]
            model_dir = os.path.join("output", "-".join(names) or "model")
            print(
                f"vae_ortho_plugin: the model goes to {model_dir} (no --model_dir given)",
                file=sys.stderr,
            )
        return (model_dir, overwrite), model_dir

    module.train_with_gin = _step(module.train_with_gin, prepare)


def wrap_postprocess(module: types.ModuleType) -> None:
    """dlib_postprocess: the guards of every step, and the whole of the model's data set for 'auto'."""
    postprocess = _writing_beside(module.postprocess, "output_dir")

    @functools.wraps(module.postprocess)
    def postprocess_same_data(model_dir, *args, **kwargs):
        if _query("dataset.name") == "auto":
            _bind_data_set(_gin_file(model_dir, "train"), module.results)
        return postprocess(model_dir, *args, **kwargs)

    module.postprocess = postprocess_same_data
    module.postprocess_with_gin = _step(module.postprocess_with_gin, _from_model("--model_dir"))


def wrap_evaluate(module: types.ModuleType) -> None:
    """dlib_evaluate: as dlib_postprocess, and trained models too (not only postprocessed ones)."""
    evaluate = _writing_beside(module.evaluate, "output_dir")

    @functools.wraps(module.evaluate)
    def evaluate_model_too(model_dir, *args, **kwargs):
        previous = _gin_file(model_dir, "postprocess")
        is_trained_model = not os.path.exists(previous)
        if is_trained_model:
            previous = _gin_file(model_dir, "train")
        if _query("dataset.name") == "auto":
            _bind_data_set(previous, module.results)
        with contextlib.ExitStack() as stack:
            if is_trained_model:
                stack.enter_context(_mean_as_representation(module.hub))
            return evaluate(model_dir, *args, **kwargs)

    module.evaluate = evaluate_model_too
    module.evaluate_with_gin = _step(module.evaluate_with_gin, _from_model("--input_dir"))


def _gin_file(directory: str, step: str) -> str:
    return os.path.join(directory, "results", "gin", f"{step}.gin")


def _bind_data_set(gin_file: str, results: types.ModuleType) -> None:
    """Binds dataset.name and that data set's own parameters as a previous step had them.

    For dataset.name = 'auto', dlib itself looks for the name alone, and for an evaluation in
    postprocess.gin alone.
    """
    if not os.path.exists(gin_file):
        raise InputError(
            f"dataset.name = 'auto' asks for the data set of the previous step, but {gin_file} is "
            "missing. Bind dataset.name to the data set's name."
        )
    previous = results.gin_dict(gin_file)
    name = ast.literal_eval(previous["dataset.name"])
    with gin.unlock_config():
        gin.bind_parameter("dataset.name", name)
        for parameter, value in previous.items():
            if parameter.startswith(f"{name}.") and _query(parameter) is None:
                gin.bind_parameter(parameter, ast.literal_eval(value))


def wrap_visualize(module: types.ModuleType) -> None:
    """dlib_visualize_model: also for data that are no images or have no discrete factors."""
    dlib_visualize = module.visualize

    @functools.wraps(dlib_visualize)
    def visualize(model_dir, output_dir, overwrite=False, **kwargs):
        _need_directory(model_dir, "--model_dir", "a trained model")
        try:
            _bind_data_set(_gin_file(model_dir, "train"), module.results)
            dataset = module.named_data.get_named_ground_truth_data()
            with _beside(output_dir, overwrite) as temporary, contextlib.ExitStack() as stack:
                if dataset.observation_shape[1:] == [1, 1]:
                    from vae_ortho_plugin.dlib.vector_pictures import visualize_vector_data

                    return visualize_vector_data(model_dir, temporary)
                if getattr(dataset, "factor_kinds", None) == []:
                    # There are no factors to draw interventions on.
                    stack.enter_context(
                        mock.patch.object(module, "vis_all_interventional_effects", lambda *_: None)
                    )
                return dlib_visualize(model_dir, temporary, True, **kwargs)
        finally:
            gin.clear_config()

    module.visualize = visualize


def _from_model(flag: str) -> Callable:
    """Checks the directories of a step that reads one (`flag`) and writes another."""

    def prepare(model_dir, output_dir, overwrite, gin_config_files, gin_bindings):
        _need_directory(model_dir, flag, "what dlib_train or dlib_postprocess wrote")
        if output_dir is None:
            raise InputError("No output directory. Name one with --output_dir=DIRECTORY.")
        return (model_dir, output_dir, overwrite), output_dir

    return prepare


def _need_directory(path: str | None, flag: str, what: str) -> None:
    if path is None:
        raise InputError(f"No directory of {what}. Name it with {flag}=DIRECTORY.")
    if not os.path.isdir(os.path.join(path, "tfhub")):
        raise InputError(f"{flag} = {path} is not {what}: there is no directory tfhub in it.")


def _step(with_gin: Callable, prepare: Callable) -> Callable:
    """dlib's <step>_with_gin, with its input checked first and gin cleared at the end."""
    directories = 1 if "train" in with_gin.__name__ else 2

    @functools.wraps(with_gin)
    def step(*args, **kwargs):
        names = ["model_dir", "output_dir"][:directories] + ["overwrite"]
        names += ["gin_config_files", "gin_bindings"]
        given = {"overwrite": False, "gin_config_files": None, "gin_bindings": None}
        given |= dict(zip(names, args, strict=False)) | kwargs
        files, bindings = list(given["gin_config_files"] or []), list(given["gin_bindings"] or [])
        positional, output = prepare(
            **{**given, "gin_config_files": files, "gin_bindings": bindings}
        )
        _refuse_existing(output, given["overwrite"])
        for path in files:
            if not os.path.exists(path) and not _on_gin_path(path):
                raise InputError(
                    f"There is no gin file {path} (in {os.getcwd()}). {_similar_file(path)}"
                )
        try:
            with _clear_gin_errors(files, bindings):
                return with_gin(*positional, files, bindings)
        finally:
            # A failed step leaves gin's configuration locked for the next one in this process.
            gin.clear_config()

    return step


def _on_gin_path(path: str) -> bool:
    return any(
        os.path.exists(os.path.join(prefix, path)) for prefix in gin.config._LOCATION_PREFIXES
    )


def _similar_file(path: str) -> str:
    directory = os.path.dirname(path) or "."
    if not os.path.isdir(directory):
        return f"There is no directory {directory} either."
    there = [name for name in os.listdir(directory) if name.endswith(".gin")]
    close = difflib.get_close_matches(os.path.basename(path), there, n=1)
    if close:
        return f"Did you mean {os.path.join(directory, close[0])}?"
    return f"In {directory} there are: {', '.join(sorted(there)) or 'no gin files'}."


@contextlib.contextmanager
def _clear_gin_errors(files: Sequence[str], bindings: Sequence[str]) -> Iterator[None]:
    """gin's complaints about a file or binding, as one message with the names that come close."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, RuntimeError, SyntaxError, NameError, AttributeError) as error:
        text = str(error)
        where = (
            f"gin files: {', '.join(files) or 'none'}; bindings: {', '.join(bindings) or 'none'}"
        )
        unknown = re.search(
            r"No configurable matching '([^']+)'|No configurable matching reference @?'?([\w./]+)",
            text,
        )
        parameter = re.search(
            r"(?:has no parameter named|doesn't have a parameter named) '?([\w]+)", text
        )
        missing = re.search(
            r"Required bindings for `([^`]+)` not provided in config: (\[.*?\])", text
        )
        if unknown:
            name = unknown[1] or unknown[2]
            close = difflib.get_close_matches(name, _known_configurables(), n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(close)}?" if close else "Check its spelling."
        elif parameter:
            hint = "Check the spelling of the parameter."
        elif missing:
            hint = (
                f"Bind them in a gin file or with --gin_bindings, as in {missing[1]}.NAME = VALUE."
            )
        elif isinstance(error, SyntaxError):
            hint = "Mend the line."
        else:
            raise
        first = text.strip().splitlines()
        located = [line.strip() for line in first[1:] if line.strip().startswith("In ")]
        message = " ".join([first[0].strip(), *located[:1]])
        raise InputError(f"{message} {hint} ({where})") from error


def _known_configurables() -> list[str]:
    return [selector.rpartition(".")[2] for selector, _ in gin.config._REGISTRY.items()]


def _query(parameter: str) -> object:
    try:
        return gin.query_parameter(parameter)
    except ValueError:
        return None


def _refuse_existing(path: str, overwrite: bool) -> None:
    if os.path.isdir(path) and not overwrite:
        raise InputError(
            f"The output directory {path} exists and was left untouched. Name another one, or replace "
            "it with --overwrite."
        )
    if os.path.exists(path) and not os.path.isdir(path):
        raise InputError(f"The output directory {path} is a file. Name another one.")


def _writing_beside(step: Callable, argument: str) -> Callable:
    """A dlib step that writes to a directory beside `argument` and renames it when it is complete."""

    @functools.wraps(step)
    def complete_or_absent(*args, **kwargs):
        args = list(args)
        position = 0 if argument == "model_dir" else 1
        if len(args) > position:
            path = args.pop(position)
        else:
            path = kwargs.pop(argument)
        if len(args) > position:
            overwrite = args.pop(position)
        else:
            overwrite = kwargs.pop("overwrite", False)
        with _beside(path, overwrite) as temporary:
            return step(*args, **{argument: temporary, "overwrite": True}, **kwargs)

    return complete_or_absent


@contextlib.contextmanager
def _beside(path: str, overwrite: bool) -> Iterator[str]:
    _refuse_existing(path, overwrite)
    path = path.rstrip("/")
    temporary = f"{path}.unfinished"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        yield temporary
    except NonFiniteLossError:
        raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if os.path.isdir(path):
        old = f"{path}.replaced"
        shutil.rmtree(old, ignore_errors=True)  # of a process that was killed in this very place
        os.rename(path, old)
        os.rename(temporary, path)
        shutil.rmtree(old)
    else:
        os.rename(temporary, path)


@contextlib.contextmanager
def _mean_as_representation(hub: types.ModuleType) -> Iterator[None]:
    """Within: a trained model's module answers to the signature 'representation' with its mean."""
    original = hub.eval_function_for_module

    @contextlib.contextmanager
    def eval_function_for_module(path, *args, **kwargs):
        with original(path, *args, **kwargs) as function:

            def evaluate(inputs, signature, as_dict=None):
                if signature != "representation":
                    return function(inputs, signature=signature, as_dict=as_dict)
                mean = function(inputs, signature="gaussian_encoder", as_dict=True)["mean"]
                return {"default": np.array(mean)}

            yield evaluate

    with mock.patch.object(hub, "eval_function_for_module", eval_function_for_module):
        yield


def show_input_errors_alone() -> None:
    """In dlib's scripts, an `InputError` is its message and exit status 1, without a traceback."""
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    if not script.startswith("dlib_"):
        return
    show_traceback = sys.excepthook

    def show(kind, error, traceback):
        if issubclass(kind, InputError):
            message = str(error).partition("\n  In call to configurable")[0]
            print(f"{script}: {message}", file=sys.stderr)
        else:
            show_traceback(kind, error, traceback)

    sys.excepthook = show

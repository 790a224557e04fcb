# SPDX-License-Identifier: Apache-2.0
"""gin's errors about a file or a binding as one message that says what to do."""

import contextlib
import re
from collections.abc import Iterator, Sequence

import gin

from vae_ortho_plugin.arrays.names import METRICS, OF_JACOBIANS
from vae_ortho_plugin.errors import InputError, did_you_mean
from vae_ortho_plugin.files import gin_files


@contextlib.contextmanager
def explained(files: Sequence[str], bindings: Sequence[str]) -> Iterator[None]:
    """Within: gin's errors become an `InputError`, which names the files and bindings; other errors pass."""
    try:
        yield
    except Exception as error:
        message = None if isinstance(error, InputError) else _message(error)
        if message is None:
            raise
        read = f"gin files: {', '.join(files) or 'none'}; bindings: {', '.join(bindings) or 'none'}"
        raise InputError(f"{message} ({read})") from error


def _message(error: Exception) -> str | None:
    """gin's message, where in the file, and what to do; None for an error that is not gin's."""
    text = str(error)
    if isinstance(error, OSError):
        file = re.search(r"Unable to open file: (\S+?)\. Searched config paths", text)
        return f"{gin_files.missing(file[1])}{_location(text)}" if file else None
    if isinstance(error, ImportError) and not _location(text):
        return None  # not of an import in a gin file
    if isinstance(error, SyntaxError):
        return _unreadable(error)
    if macro := re.search(r"No bindings specified for '([^']+)/gin\.macro'", text):
        # gin goes on with the whole configuration.
        return f"The macro %{macro[1]} has no value. Give it one: {macro[1]} = VALUE."
    if loss := re.match(r"Activation not supported\.\s+In call to configurable '(\w+)'", text):
        return (
            f"reconstruction_loss.loss_fn = @{loss[1]} does not have this reconstruction_loss.activation: "
            "bind 'logits' or 'tanh', or take @squared_error, which has 'linear' too."
        )
    hint = _hint(error, text)
    return hint and f"{text.strip().splitlines()[0].strip()}{_location(text)} {hint}"


def _unreadable(error: SyntaxError) -> str:
    """Which line gin, or Python in an imported module, cannot read, why, and what a line of gin is."""
    token = re.search(r"Failed to parse token ('.+')", error.msg)
    reason = f"{token[1]} is no value" if token else error.msg.strip().removesuffix(".")
    line = f", {error.text.strip()}" if error.text and error.text.strip() else ""
    message = f"Line {error.lineno} of {error.filename or 'the bindings'}{line}: {reason}."
    if (error.filename or "").endswith(".py"):
        return message
    return (
        f"{message} A line is NAME.PARAMETER = VALUE; a value is a number, a text in quotes, True, False, "
        "None, a list, tuple or dict of these, @NAME or %MACRO."
    )


def _hint(error: Exception, text: str) -> str | None:
    if ambiguous := re.search(r"Ambiguous selector '[^']+', matches (\[.*?\])", text):
        names = re.findall(r"'([^']+)'", ambiguous[1])
        return f"Write which one you mean, with its module: {' or '.join(names)}."
    if unknown := re.search(r"No configurable matching (?:reference @?)?'?([\w./]+)", text):
        name = unknown[1]
        if name in (*METRICS, *OF_JACOBIANS):
            return f"{name} is a metric, which this step does not use: bind it for dlib_evaluate."
        known = {selector.rpartition(".")[2] for selector, _ in gin.config._REGISTRY.items()}
        return did_you_mean(name, known, cutoff=0.5).strip() or "Check its spelling."
    if re.search(r"(has no|doesn't have a) parameter named", text):
        return "Check the spelling of the parameter."
    if missing := re.search(r"Required bindings for `([^`]+)` not provided", text):
        return f"Bind them in a gin file or with --gin_bindings, as in {missing[1]}.NAME = VALUE."
    if isinstance(error, ImportError):
        return "Modules are looked for beside the gin file, in the current directory and in PYTHONPATH."
    return None


def _location(text: str) -> str:
    """The line of a file that gin names, after a space; empty where it names none."""
    located = (line.strip() for line in text.strip().splitlines()[1:])
    return next((f" {line}" for line in located if line.startswith("In ")), "")

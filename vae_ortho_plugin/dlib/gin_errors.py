# SPDX-License-Identifier: Apache-2.0
"""gin's errors about a file or a binding as one message that says what to do."""

import contextlib
import difflib
import re
from collections.abc import Iterator, Sequence

import gin

from vae_ortho_plugin.arrays.names import METRICS, OF_JACOBIANS
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files

_UNKNOWN_CONFIGURABLE = re.compile(
    r"No configurable matching '([^']+)'|No configurable matching reference @?'?([\w./]+)"
)
_AMBIGUOUS = re.compile(r"Ambiguous selector '([^']+)', matches (\[.*?\])")
_UNKNOWN_PARAMETER = re.compile(
    r"(?:has no parameter named|doesn't have a parameter named) '?([\w]+)"
)
_MISSING_BINDING = re.compile(r"Required bindings for `([^`]+)` not provided in config: (\[.*?\])")
_UNDEFINED_MACRO = re.compile(r"No bindings specified for '([^']+)/gin\.macro'")
_UNSUPPORTED_ACTIVATION = re.compile(
    r"Activation not supported\.\s+In call to configurable '(\w+)'"
)
_NO_VALUE = re.compile(r"Failed to parse token ('.+')")
_MISSING_FILE = re.compile(r"Unable to open file: (\S+?)\. Searched config paths")


@contextlib.contextmanager
def explained(files: Sequence[str], bindings: Sequence[str]) -> Iterator[None]:
    """Within: gin's errors become an `InputError`, which names the files and bindings; other errors pass."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        read = f"gin files: {', '.join(files) or 'none'}; bindings: {', '.join(bindings) or 'none'}"
        raise InputError(f"{message} ({read})") from error


def _message(error: Exception) -> str | None:
    """gin's message, where in the file, and what to do; None for an error that is not gin's."""
    text = str(error)
    if isinstance(error, OSError):
        file = _MISSING_FILE.search(text)
        return f"{gin_files.missing(file[1])}{_location(text)}" if file else None
    if isinstance(error, ImportError) and not _location(text):
        return None  # not of an import in a gin file
    if isinstance(error, SyntaxError):
        return _unreadable(error)
    if macro := _UNDEFINED_MACRO.search(text):
        # gin goes on with the whole configuration.
        return f"The macro %{macro[1]} has no value. Give it one: {macro[1]} = VALUE."
    if loss := _UNSUPPORTED_ACTIVATION.match(text):
        return (
            f"reconstruction_loss.loss_fn = @{loss[1]} does not have this reconstruction_loss.activation: "
            "bind 'logits' or 'tanh', or take @squared_error, which has 'linear' too."
        )
    hint = _hint(error, text)
    return hint and f"{text.strip().splitlines()[0].strip()}{_location(text)} {hint}"


def _unreadable(error: SyntaxError) -> str:
    """Which line gin, or Python in an imported module, cannot read, why, and what a line of gin is."""
    token = _NO_VALUE.search(error.msg)
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
    if ambiguous := _AMBIGUOUS.search(text):
        names = re.findall(r"'([^']+)'", ambiguous[2])
        return f"Write which one you mean, with its module: {' or '.join(names)}."
    if unknown := _UNKNOWN_CONFIGURABLE.search(text):
        name = unknown[1] or unknown[2]
        if name in (*METRICS, *OF_JACOBIANS):
            return f"{name} is a metric, which this step does not use: bind it for dlib_evaluate."
        known = [selector.rpartition(".")[2] for selector, _ in gin.config._REGISTRY.items()]
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        return f"Did you mean {' or '.join(close)}?" if close else "Check its spelling."
    if _UNKNOWN_PARAMETER.search(text):
        return "Check the spelling of the parameter."
    if missing := _MISSING_BINDING.search(text):
        return f"Bind them in a gin file or with --gin_bindings, as in {missing[1]}.NAME = VALUE."
    if isinstance(error, ImportError):
        return "Modules are looked for beside the gin file, in the current directory and in PYTHONPATH."
    return None


def _location(text: str) -> str:
    """The line of a file that gin names, after a space; empty where it names none."""
    located = (line.strip() for line in text.strip().splitlines()[1:])
    return next((f" {line}" for line in located if line.startswith("In ")), "")

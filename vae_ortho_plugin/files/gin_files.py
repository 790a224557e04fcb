# SPDX-License-Identifier: Apache-2.0
"""Where gin files are found, those of a finished step of dlib among them, and their bindings.

gin is imported in the functions, because the study's command line starts without it.
"""

import codecs
import dataclasses
import difflib
import io
import os
import tokenize
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vae_ortho_plugin.errors import InputError

# In a checkout this is a link to the directory gin_configs at the root.
_FOLDER = Path(__file__).resolve().parents[1] / "gin_configs"
# The second one makes `gin_configs/vae.gin` a name of the file, as it is in a checkout.
_OWN_PREFIXES = [str(_FOLDER), str(_FOLDER.parent)]


@dataclasses.dataclass(frozen=True)
class Reference:
    """A gin reference to a configurable: `@name`, or `@name()` where it is called."""

    name: str
    called: bool = False

    def __repr__(self) -> str:
        return f"@{self.name}()" if self.called else f"@{self.name}"


@dataclasses.dataclass(frozen=True)
class Macro:
    """A gin macro, `%name`."""

    name: str

    def __repr__(self) -> str:
        return f"%{self.name}"


# What gin's parser makes of references and macros.
DELEGATE = types.SimpleNamespace(configurable_reference=Reference, macro=Macro)


def gin_config(name: str) -> Path:
    """Path of the plugin's gin file `name`, such as 'datasets/mnist.gin'; InputError where there is none."""
    path = _FOLDER / name
    if not path.is_file():
        raise InputError(f"No gin file {name!r} in {_FOLDER}; it has: {', '.join(_own_names())}.")
    return path


def find(name: str, beside: Sequence[Path] = ()) -> Path | None:
    """The gin file called `name`; None where there is none.

    It is looked for in the current directory, below the paths that the user has added with
    gin.add_config_file_search_path, in the folders `beside`, and at last among the plugin's files.
    """
    from gin import config

    prefixes = [*config._LOCATION_PREFIXES, *beside, *_OWN_PREFIXES]
    # An absolute name replaces the prefix.
    paths = (Path(prefix, name) for prefix in prefixes)
    return next((path for path in paths if path.is_file()), None)


def included(name: str, including: Sequence[Path]) -> Path | None:
    """The gin file that a file includes as `name`, also from beside that file; None where there is none.

    Of the files `including`, which are being read, each includes the next one, and the last one `name`. InputError
    where the file is one of those.
    """
    found = find(name, [including[-1].parent])
    if found is not None and any(found.samefile(path) for path in including):
        circle = " includes ".join(map(str, [*including, found]))
        raise InputError(f"gin files include each other in a circle: {circle}. Take one line out.")
    return found


def read_text(path: Path | str) -> str:
    """The text of a gin file of UTF-8, or UTF-16 with its byte order mark; InputError names the line of another."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if utf16 else "utf-8-sig"
    try:
        text = content.decode(encoding)
        right, zero, _ = text.partition("\0")  # UTF-16 and UTF-32 without their marks have zeros
    except UnicodeDecodeError as error:
        right, zero = content[: error.start].decode(encoding, errors="ignore"), True
    if zero:
        raise InputError(
            f"Line {right.count(chr(10)) + 1} of {path}: a character that is not of UTF-8, as where a file was "
            "saved as Latin-1. Save the file as UTF-8."
        )
    return io.StringIO(text, newline=None).read()


class OpenedText(io.StringIO):
    """A gin file as gin reads it: with its name, and with the text of `read_text`."""

    def __init__(self, path: str):
        super().__init__(read_text(path))
        self.name = path


def missing(name: str) -> str:
    """Error message for a gin file that `find` does not find, with similar names."""
    return f"There is no gin file {name} (in {os.getcwd()}). {_similar(name)}"


def read_bindings(path: Path | str) -> dict[str, object]:
    """The bindings of a gin file and of the files that it includes, without changing gin's own.

    Returns:
        Values by name, such as 'vae.beta', 'scope/vae.beta' or, for a macro, 'epochs'. A later
        binding replaces an earlier one of the same name. Macros are replaced by their values; one
        without a value is a `Macro`. References to configurables are `Reference`s. `repr` gives
        each value as gin reads it.

    Raises:
        InputError: the file or an included one does not exist or is not a gin file.
    """
    if not os.path.isfile(path):
        raise InputError(missing(str(path)))
    return _bindings_of(_statements(read_text(path), str(path), [Path(path)]))


def parse_bindings(text: str, source: str) -> dict[str, object]:
    """As `read_bindings`, for the text of a gin file; `source` is its name for the error message."""
    return _bindings_of(_statements(text, source))


def bindings(path: Path) -> list[str]:
    """`read_bindings` as a list of gin bindings."""
    return [f"{name} = {value!r}" for name, value in read_bindings(path).items()]


def _bindings_of(statements: Iterable[tuple[str, object]]) -> dict[str, object]:
    found = dict(statements)
    return {name: _resolved(value, found) for name, value in found.items()}


def _statements(
    text: str, source: str, including: Sequence[Path] = ()
) -> Iterator[tuple[str, object]]:
    from gin import config_parser

    try:
        for statement in config_parser.ConfigParser(io.StringIO(text), DELEGATE):
            if isinstance(statement, config_parser.BindingStatement):
                scope = f"{statement.scope}/" if statement.scope else ""
                parameter = f".{statement.arg_name}" if statement.arg_name else ""
                yield f"{scope}{statement.selector}{parameter}", statement.value
            elif isinstance(statement, config_parser.IncludeStatement):
                name = statement.filename
                path = included(name, including) if including else find(name)
                if path is None:
                    raise InputError(f"{source} includes it: {missing(name)}")
                yield from _statements(read_text(path), str(path), [*including, path])
    except (SyntaxError, TypeError, tokenize.TokenError) as error:
        raise InputError(f"{source} is not a gin file: {error}. Fix it.") from error


def _resolved(value: object, found: Mapping[str, object], within: frozenset = frozenset()):
    """`value` with the macros in it replaced by their values in `found`."""
    if isinstance(value, Macro) and value.name in found and value not in within:
        return _resolved(found[value.name], found, within | {value})
    if isinstance(value, (list, tuple)):
        return type(value)(_resolved(item, found, within) for item in value)
    if isinstance(value, dict):
        return {
            _resolved(key, found, within): _resolved(item, found, within)
            for key, item in value.items()
        }
    return value


def _own_names() -> list[str]:
    return sorted(str(file.relative_to(_FOLDER)) for file in _FOLDER.glob("**/*.gin"))


def _similar(name: str) -> str:
    """The file that was probably meant, one of the user's first; else all that there are."""
    directory, stem = os.path.dirname(name) or ".", Path(name).stem
    there = {path.stem: path for path in Path(directory).glob("*.gin")}
    for close in difflib.get_close_matches(stem, there, n=1):
        return f"Did you mean {os.path.join(directory, there[close].name)}?"
    own = {path.stem: path.relative_to(_FOLDER) for path in _FOLDER.glob("**/*.gin")}
    for close in difflib.get_close_matches(stem, own, n=1):
        return f"Did you mean {own[close]}, which vae_ortho_plugin has?"
    content = f"There is no directory {directory} either."
    if os.path.isdir(directory):
        names = sorted(path.name for path in there.values())
        content = f"In {directory} there are: {', '.join(names) or 'no gin files'}."
    return f"{content} vae_ortho_plugin has: {', '.join(_own_names())}."


def gin_file(directory: Path | str, step: str) -> Path:
    """Path of the gin file that a step wrote, 'train', 'postprocess' or 'evaluation'; later steps have a copy."""
    return Path(directory, "results", "gin", f"{step}.gin")


def step_config(directory: Path | str, step: str) -> dict[str, object]:
    """The parameters that a finished step ran with; arguments as `gin_file`, results and errors as `read_bindings`."""
    return read_bindings(gin_file(directory, step))

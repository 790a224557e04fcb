# SPDX-License-Identifier: Apache-2.0
"""The gin files that ship with the plugin."""

from pathlib import Path

from vae_ortho_plugin.errors import InputError

# In a checkout a link to the directory of that name at its root.
_FOLDER = Path(__file__).resolve().parent / "gin_configs"


def gin_config(name: str) -> Path:
    """Path of the gin file `name`, such as 'datasets/mnist.gin'.

    Raises:
        InputError: there is no such file.
    """
    path = _FOLDER / name
    if not path.is_file():
        known = sorted(str(file.relative_to(_FOLDER)) for file in _FOLDER.glob("**/*.gin"))
        raise InputError(f"No gin file {name!r} in {_FOLDER}; it has: {', '.join(known)}.")
    return path


def bindings(path: Path) -> list[str]:
    """The bindings of a gin file that has one binding a line, comments removed."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]

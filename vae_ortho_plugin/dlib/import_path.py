# SPDX-License-Identifier: Apache-2.0
"""The modules that a user's gin files import, and where they are found.

`import my_models` in a gin file finds my_models.py beside that file. The gin file of a finished step
has the import, too, and a comment with the folders, so that a later step finds the module again.
"""

import ast
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import gin
from gin import config_parser

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import gin_files

_COMMENT = "# Folders of imported modules: "

_folders: list[str] = []


def begin(files: Iterable[Path]) -> None:
    """Where a step begins: modules beside its gin files and in the current directory can be imported."""
    _folders.clear()
    add(file.parent for file in files)
    add([Path.cwd()])


def add(folders: Iterable[Path]) -> None:
    """Modules in these folders can be imported, such as the folder of a gin file that another one includes.

    The folders come last, so that a file there does not hide an installed module of the same name.
    """
    for folder in map(str, map(Path.absolute, folders)):
        if folder not in _folders:
            _folders.append(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def comment() -> str:
    """The line for a step's gin file; empty where its configuration imports nothing."""
    if not gin.config._IMPORTS:
        return ""
    return f"\n{_COMMENT}{[folder for folder in _folders if os.path.isdir(folder)]!r}\n"


def import_as(gin_file: Path) -> None:
    """Imports what a finished step imported; raises InputError where a module is not found."""
    text = gin_files.read_text(gin_file)
    for line in text.splitlines():
        if line.startswith(_COMMENT):
            add(map(Path, ast.literal_eval(line.removeprefix(_COMMENT))))
    # By gin's delegate, a reference would need the module that is only now imported.
    for statement in config_parser.ConfigParser(io.StringIO(text), gin_files.DELEGATE):
        if not isinstance(statement, config_parser.ImportStatement):
            continue
        try:
            # By gin, which thereby writes it to this step's gin file, too.
            with gin.unlock_config():
                gin.parse_config(statement.format())
        except ModuleNotFoundError as error:
            if error.name not in (statement.module, statement.module.partition(".")[0]):
                raise  # the module is there and imports another one
            raise InputError(
                f"{gin_file} has the line `{statement.format()}`, and there is no such module. Put its "
                "folder into PYTHONPATH, or run the step in that folder."
            ) from error

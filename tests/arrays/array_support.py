# SPDX-License-Identifier: Apache-2.0
"""Arrays in files, and vae_ortho_evaluate on them."""

import itertools
import json

import numpy as np
import pytest

from vae_ortho_plugin.arrays import command

SIZES = (4, 3, 2)
SHORT = ["beta_vae_sklearn.num_train = 300", "beta_vae_sklearn.num_eval = 200"]
SHORT += ["factor_vae_score.num_train = 300", "factor_vae_score.num_eval = 200"]


def grid(repeats=20):
    """All combinations of three discrete factors, repeats times: int64 [24 * repeats, 3]."""
    return np.array(list(itertools.product(*map(range, SIZES))) * repeats)


class Files:
    """Arrays in a folder, and the command on them."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys

    def save(self, **arrays):
        """Saves each array as name.npy."""
        for name, array in arrays.items():
            np.save(self.folder / f"{name}.npy", array)

    def path(self, name):
        return str(self.folder / f"{name}.npy")

    def run(self, *words, latents="z", factors="w"):
        """Exit status, parsed result (None where nothing was printed) and standard error."""
        given = [
            part
            for flag, name in (("--means", latents), ("--factors", factors))
            if name
            for part in (flag, self.path(name))
        ]
        status = command.main([*given, *words])
        printed, errors = self._capsys.readouterr()
        return status, json.loads(printed) if printed else None, errors

    def refusal(self, *words, **names):
        """The one message of a command that is refused."""
        status, result, errors = self.run(*words, **names)
        assert (status, result) == (1, None)
        assert errors.count("\n") == 1 and "Traceback" not in errors
        return errors


@pytest.fixture
def files(tmp_path, capsys):
    return Files(tmp_path, capsys)

# SPDX-License-Identifier: Apache-2.0
"""The cache of what XLA compiles, for training runs of the same graph with other seeds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vae_ortho_plugin.engine import xla_cache
from vae_ortho_plugin.errors import InputError

# Trains seeds on the same graph, writes the weights of the last one and prints how many programs are in the cache.
TRAIN = """
import contextlib, os, sys
from pathlib import Path
from vae_ortho_plugin.engine import xla_cache
cached, folder, *seeds = sys.argv[1:]
with xla_cache.used() if cached == "cached" else contextlib.nullcontext():
    import vae_ortho_plugin
    from disentanglement_lib.methods.unsupervised import train
    import numpy as np, tensorflow.compat.v1 as tf
    from vae_ortho_plugin.files.gin_files import gin_config
    for seed in seeds:
        bindings = ["model.training_steps = 30", "model.eval_steps = 1", "synth_nonlinear.num_points = 200",
                    "training_loop.xla = 'on'", f"model.random_seed = {seed}"]
        files = [str(gin_config("beta_vae_sigma.gin")), str(gin_config("datasets/synth_nonlinear.gin"))]
        train.train_with_gin(f"{folder}/{seed}", False, files, bindings)
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(f"{folder}/{seeds[-1]}/tf_checkpoint"))
    np.savez(f"{folder}/weights.npz", **{name.replace("/", "|"): reader.get_tensor(name)
                                         for name in reader.get_variable_to_shape_map()})
    print("programs:", sum(len(os.listdir(directory)) for directory in xla_cache._directories))
"""


def trained(folder, cached, *seeds):
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, cached, folder, *map(str, seeds)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    weights = np.load(folder / "weights.npz")
    return {name: weights[name] for name in weights.files}, done.stdout.split()[-1]


@pytest.mark.long
def test_a_seed_has_the_weights_of_a_process_of_its_own(tmp_path):
    alone, programs = trained(tmp_path / "alone", "no cache", 3)
    assert programs == "0"
    after_others, programs = trained(tmp_path / "after", "cached", 1, 3)
    assert programs == "1"  # the second training run was not compiled
    assert alone.keys() == after_others.keys()
    for name, value in alone.items():
        np.testing.assert_array_equal(after_others[name], value)


def test_the_directory_is_gone_afterwards_and_the_variable_is_as_before(monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_clustering_debug")
    with xla_cache.used():
        flags = os.environ["TF_XLA_FLAGS"].split()
        directory = Path(flags[1].partition("=")[2])
        assert flags[0] == "--tf_xla_clustering_debug" and directory.is_dir()
    assert not directory.exists()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_clustering_debug"


def test_a_directory_that_the_flag_names_is_used_and_stays(monkeypatch, tmp_path):
    own = f"--tf_xla_persistent_cache_directory={tmp_path}"
    monkeypatch.setenv("TF_XLA_FLAGS", own)
    with xla_cache.used():
        assert os.environ["TF_XLA_FLAGS"] == own and xla_cache._directories == [str(tmp_path)]
    assert tmp_path.is_dir() and not xla_cache._directories


def test_a_full_disk_is_named_and_other_errors_are_not_taken_for_one():
    with xla_cache.used():
        directory = os.environ["TF_XLA_FLAGS"].partition("=")[2]
        xla_cache.check(ValueError("not compilable"))
        with pytest.raises(InputError, match="Make room there"):
            xla_cache.check(OSError(f"{directory}/program: No space left on device"))

# SPDX-License-Identifier: Apache-2.0
"""Gin as people write it: it works as written, or there is one message before the step begins."""

import re

import gin
import pytest
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train as dlib_train
from disentanglement_lib.postprocessing import postprocess
from dlib_support import fresh_gin  # noqa: F401
from processes import run_python

from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.dlib.steps.data_set import bound
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config, step_config
from vae_ortho_plugin.study.run.reproduce import dlib_script

FILE = str(gin_config("beta_vae.gin"))


def check(*bindings, files=(FILE,)):
    """Binds parameters and checks them, without a step."""
    gin.parse_config_files_and_bindings(list(files), list(bindings))
    gin_values.check()


def test_macros_stand_for_any_parameter(tmp_path):
    wrapped = tmp_path / "wrapped.gin"
    wrapped.write_text(
        f"include '{FILE}'\nmodel.batch_size = (\n  %size)\ndata = \\\n  'synth_linear'\n"
    )
    check(
        "dataset.name = %data", "size = 32", "steps = 4e0", "model.training_steps = %steps",
        "width = 3", "encoder.num_latent = %width", "weight = 2.0", "vae.beta = %weight",
        files=[str(wrapped)],
    )  # fmt: skip
    names = ("dataset.name", "model.training_steps", "model.batch_size", "encoder.num_latent")
    assert [bound(name) for name in names] == ["synth_linear", 4, 32, 3]


@pytest.mark.parametrize("module", [dlib_train, postprocess, evaluate])
def test_a_wrong_value_is_refused_before_a_step_writes_anything(tmp_path, module):
    wrong = "model.batch_size = 0"
    gin.parse_config([wrong, "dataset.name = 'synth_linear'"])
    step = getattr(module, module.__name__.rpartition(".")[2])
    with pytest.raises(InputError, match=wrong):
        step(str(tmp_path / "model"), str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


WHOLE, POSITIVE = "a whole number from 0 on", "a whole number from 1 on"


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("model.training_steps = 1.5", WHOLE),
        ("model.training_steps = -5", WHOLE),
        ("model.training_steps = None", WHOLE),
        ("model.training_steps = True", WHOLE),
        ("model.random_seed = 4294967296", r"a whole number from 0 to 2\^32 - 1"),
        ("model.batch_size = 0", POSITIVE),
        ("encoder.num_latent = 'two'", POSITIVE),
        ("model.eval_steps = 2.5", POSITIVE),
        ("vae.beta = 'big'", "a number"),
        ("dip_vae.lambda_od = True", "a number"),
        ("AdamOptimizer.learning_rate = None", "a number"),
        ("AdamOptimizer.learning_rate = 0", "above 0"),
        ("other/full_covariance_vae.beta = -0.0001", "0 or more"),
        ("dip_vae.lambda_od = -2.0", "0 or more"),
        ("training_loop.checkpoint_seconds = '600'", "a number or None"),
        ("training_loop.checkpoint_steps = 'ten'", "a whole number or None"),
        ("training_loop.resume = 'no'", "True or False"),
        ("training_loop.xla = 1", "text in quotes"),
        ("synth_linear.num_points = None", "a whole number"),
        ("polarized_vae.decay = [0.9]", "a number"),
        ("other/dto_while_training.every = 0.5", "a whole number"),
        ("npz.path = 7", "text in quotes"),
        ("vae.beta = -1e400", "finite"),
        ("model.training_steps = 1e400", "finite"),
        ("other/vae.beta = 1e400", "finite"),
        ("mlp_encoder.layers = [1e400, 3]", "finite"),
        ("beta = 1e400\nvae.beta = %beta", "finite"),
    ],
)
def test_a_wrong_value_is_named(binding, expected):
    with pytest.raises(InputError) as error:
        check(*binding.split("\n"))
    name = binding.partition(" = ")[0]
    assert re.fullmatch(f"{name} = .+; it must be {expected}.", str(error.value))


def test_whole_numbers_may_be_written_as_floating_point_numbers_and_optional_ones_as_none():
    optional = ("ima_contrast.beta = None", "training_loop.threads = None")
    whole = ("model.training_steps = 3e0", "model.random_seed = 0", "synth_linear.num_points = 1e4")
    check(*whole, *optional)
    names = ("model.training_steps", "model.random_seed", "synth_linear.num_points")
    assert repr([gin.query_parameter(name) for name in names]) == "[3, 0, 10000]"


def test_the_value_of_a_macro_is_checked_like_any_other():
    with pytest.raises(InputError, match="vae.beta = 'big'; it must be a number"):
        check("weight = 'big'", "vae.beta = %weight")


def test_a_users_own_configurable_may_mean_anything_by_a_name():
    own = ("gamma = 'scale'", "epsilon = None", "learning_rate = 0")
    check(*(f"my_svm_metric.{binding}" for binding in own))


@gin.configurable(module="test_gin_values")
def my_svm_metric(gamma, epsilon, learning_rate):
    """A metric of a user."""


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("model.model = @vae", "model.model = @vae()"),
        ("model.model = 5", "must be a reference"),
        ("model.model = 'vae'", "model.model = @vae()"),
        ("encoder.encoder_fn = 'fc_encoder'", "encoder.encoder_fn = @fc_encoder"),
        ("dataset.name = 5", "dataset.name = 5; it must be the name of a data set in quotes"),
        ("dataset.name = ['mnist']", "must be the name of a data set in quotes"),
        ("dataset.name = None", "dataset.name is not bound"),
    ],
)
def test_what_is_no_reference_and_no_name_is_answered_with_how_to_write_one(binding, expected):
    with pytest.raises(InputError) as error:
        check(binding)
    assert expected in str(error.value)


def test_a_macro_without_a_value_is_named(tmp_path):
    with pytest.raises(InputError, match=r"^The macro %size has no value\. .*: size = VALUE\."):
        dlib_train.train_with_gin(str(tmp_path / "m"), False, [FILE], ["model.batch_size = %size"])


@pytest.mark.long
def test_a_metric_bound_for_a_training_run_is_sent_to_its_step():
    # In a process of its own: the metrics are known after dlib's evaluation has been imported.
    program = (
        "import sys; from disentanglement_lib.methods.unsupervised import train\n"
        "train.train_with_gin('model', False, [], ['mig.num_train = 100'])"
    )
    message = run_python("-c", program).stderr
    assert "mig is a metric, which this step does not use: bind it for dlib_evaluate" in message


@pytest.mark.long
def test_a_configurable_with_one_of_our_names_is_told_apart_by_its_module(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import gin\nfrom disentanglement_lib.methods.unsupervised import vae\n\n\n"
        "@gin.configurable('linearized_vae')\nclass Mine(vae.BetaVAE):\n    pass\n"
    )
    (tmp_path / "mine.gin").write_text(
        f"include '{FILE}'\nimport mine\nmodel.training_steps = 3\nmodel.eval_steps = 2\n"
    )
    command = (dlib_script("dlib_train"), "--gin_config=mine.gin", "--model_dir=model")
    wrong = run_python(*command, "--gin_bindings=model.model = @linearized_vae()", cwd=tmp_path)
    assert wrong.returncode == 1 and "Traceback" not in wrong.stderr
    assert (
        "Write which one you mean, with its module: mine.linearized_vae or "
        "vae_ortho_plugin.models.linearized.linearized_vae." in wrong.stderr
    )
    chosen = "model.model = @mine.linearized_vae()\nmine.linearized_vae.beta = 2.0"
    done = run_python(*command, f"--gin_bindings={chosen}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert step_config(tmp_path / "model", "train")["mine.linearized_vae.beta"] == 2

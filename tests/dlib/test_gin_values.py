# SPDX-License-Identifier: Apache-2.0
"""Gin as people write it: it works as written, or there is one message before the step begins."""

import json
import os
import subprocess
import sys

import gin
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train as dlib_train
from disentanglement_lib.postprocessing import postprocess
from dlib_support import fresh_gin  # noqa: F401

from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config, step_config
from vae_ortho_plugin.study.run.reproduce import dlib_script

FILE = str(gin_config("beta_vae.gin"))
SHORT = [
    *("model.training_steps = 3", "model.eval_steps = 2", "synth_linear.num_points = 100"),
    "training_loop.xla = 'off'",
]


def train(folder, *bindings, files=(FILE,)):
    """The configuration and result of a training run in folder/model."""
    dlib_train.train_with_gin(str(folder / "model"), False, list(files), [*SHORT, *bindings])
    result = folder / "model" / "results" / "json" / "train_results.json"
    return step_config(folder / "model", "train"), json.loads(result.read_text())


def check(*bindings):
    """Binds parameters and checks them, without a step."""
    gin.parse_config_files_and_bindings([FILE], list(bindings))
    gin_values.check()


def test_macros_stand_for_any_parameter_and_later_steps_take_their_data_set(tmp_path):
    wrapped = tmp_path / "files" / "wrapped.gin"
    wrapped.parent.mkdir()
    wrapped.write_text(
        f"include '{FILE}'\nmodel.batch_size = (\n  %size)\ndata = \\\n  'synth_linear'\n"
    )
    config, result = train(
        tmp_path,
        "dataset.name = %data", "size = 32", "steps = 4e0", "model.training_steps = %steps",
        "width = 3", "encoder.num_latent = %width", "seed = 7", "model.random_seed = %seed",
        "weight = 2.0", "vae.beta = %weight", "factor_vae.gamma = 3.0",
        files=[str(wrapped)],
    )  # fmt: skip
    names = ("dataset.name", "model.training_steps", "encoder.num_latent", "model.random_seed")
    assert [config[name] for name in names] == ["synth_linear", 4, 3, 7]
    assert config["model.batch_size"] == 32 and result["loss"] > 0
    model, after = str(tmp_path / "model"), str(tmp_path / "after")
    step = ["which = 'auto'", "dataset.name = %which"]
    mean = ["postprocess.postprocess_fn = @mean_representation", "postprocess.random_seed = 0"]
    postprocess.postprocess_with_gin(model, after, False, [], [*step, *mean])
    metric = [
        "evaluation.evaluation_fn = @unsupervised_metrics", "evaluation.random_seed = 0",
        "unsupervised_metrics.num_train = %points", "points = 50",
        "discretizer.discretizer_fn = @histogram_discretizer", "discretizer.num_bins = 5",
    ]  # fmt: skip
    evaluate.evaluate_with_gin(after, str(tmp_path / "scores"), False, [], [*step, *metric])
    assert step_config(tmp_path / "scores", "evaluation")["dataset.name"] == "synth_linear"


@pytest.mark.parametrize(("written", "steps"), [("3e0", 3), ("0", 0)])
def test_steps_may_be_a_whole_floating_point_number_or_none_at_all(written, steps):
    check(f"model.training_steps = {written}")
    assert repr(gin.query_parameter("model.training_steps")) == str(steps)


@pytest.mark.parametrize("step", ["train", "postprocess", "evaluate"])
def test_a_wrong_value_is_refused_before_a_step_writes_anything(tmp_path, step):
    wrong = "model.batch_size = 0"
    with pytest.raises(InputError, match=wrong):
        if step == "train":
            train(tmp_path, wrong)
        else:
            gin.parse_config([wrong, "dataset.name = 'synth_linear'"])
            module = {"postprocess": postprocess, "evaluate": evaluate}[step]
            getattr(module, step)(str(tmp_path / "model"), str(tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


WHOLE, POSITIVE = "a whole number from 0 on", "a whole number from 1 on"


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("model.training_steps = 1.5", WHOLE),
        ("model.training_steps = -5", WHOLE),
        ("model.training_steps = None", WHOLE),
        ("model.training_steps = True", WHOLE),
        ("model.random_seed = 'one'", WHOLE),
        ("model.random_seed = 4294967296", WHOLE),
        ("model.batch_size = 0", POSITIVE),
        ("encoder.num_latent = 'two'", POSITIVE),
        ("model.eval_steps = 2.5", POSITIVE),
        ("vae.beta = 'big'", "a number"),
        ("vae.beta = [1.0]", "a number"),
        ("dip_vae.lambda_od = True", "a number"),
        ("AdamOptimizer.learning_rate = None", "a number"),
        ("AdamOptimizer.learning_rate = 0", "above 0"),
        ("AdamOptimizer.learning_rate = -0.001", "above 0"),
        ("vae.beta = -1", "0 or more"),
        ("other/full_covariance_vae.beta = -0.0001", "0 or more"),
        ("dip_vae.lambda_od = -2.0", "0 or more"),
        ("training_loop.checkpoint_seconds = '600'", "a number or None"),
        ("training_loop.checkpoint_steps = 'ten'", "a whole number or None"),
        ("training_loop.resume = 'no'", "True or False"),
        ("training_loop.xla = 1", "text in quotes"),
        ("synth_linear.num_points = None", "a whole number"),
        ("polarized_vae.decay = [0.9]", "a number"),
        ("L2Adam.l2 = True", "a number"),
        ("other/dto_while_training.every = 0.5", "a whole number"),
        ("npz.path = 7", "text in quotes"),
    ],
)
def test_a_wrong_value_is_named(binding, expected):
    with pytest.raises(InputError) as error:
        check(binding)
    assert str(error.value) == f"{binding}; it must be {expected}."


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("vae.beta = -1e400", "vae.beta = -inf"),
        ("model.training_steps = 1e400", "model.training_steps = inf"),
        ("other/vae.beta = 1e400", "other/vae.beta = inf"),
        ("mlp_encoder.layers = [1e400, 3]", "mlp_encoder.layers = [inf, 3]"),
        ("beta = 1e400\nvae.beta = %beta", "beta = inf"),
    ],
)
def test_an_infinite_number_is_named(binding, expected):
    with pytest.raises(InputError) as error:
        check(*binding.split("\n"))
    assert str(error.value) == f"{expected}; it must be finite."


def test_settings_of_the_plugin_may_be_whole_floating_point_numbers_and_none():
    check(
        "synth_linear.num_points = 1e4", "ima_contrast.beta = None", "training_loop.threads = None"
    )
    assert repr(gin.query_parameter("synth_linear.num_points")) == "10000"


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
        train(tmp_path, "model.batch_size = %size")


@pytest.mark.long
def test_a_metric_bound_for_a_training_is_sent_to_its_step():
    # In a process of its own: the metrics are known after dlib's evaluation has been imported.
    program = (
        "import sys; from disentanglement_lib.methods.unsupervised import train\n"
        "train.train_with_gin('model', False, [], ['mig.num_train = 100'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "mig is a metric, which this step does not use: bind it for dlib_evaluate" in done.stderr


@pytest.mark.long
def test_a_configurable_with_one_of_our_names_is_told_apart_by_its_module(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import gin\nfrom disentanglement_lib.methods.unsupervised import vae\n\n\n"
        "@gin.configurable('linearized_vae')\nclass Mine(vae.BetaVAE):\n    pass\n"
    )
    (tmp_path / "mine.gin").write_text(
        f"include '{FILE}'\nimport mine\nmodel.training_steps = 3\nmodel.eval_steps = 2\n"
    )
    words = ["--gin_config=mine.gin", "--model_dir=model"]
    message = script(
        tmp_path, "dlib_train", *words, "--gin_bindings=model.model = @linearized_vae()"
    )
    assert (
        "Write which one you mean, with its module: mine.linearized_vae or "
        "vae_ortho_plugin.models.linearized.linearized_vae." in message
    )
    chosen = [
        "--gin_bindings=model.model = @mine.linearized_vae()",
        "--gin_bindings=mine.linearized_vae.beta = 2.0",
    ]
    script(tmp_path, "dlib_train", *words, *chosen, status=0)
    assert step_config(tmp_path / "model", "train")["mine.linearized_vae.beta"] == 2


def script(folder, name, *arguments, status=1):
    """Standard error of a script of dlib, which may have one message and no traceback."""
    done = subprocess.run(
        [sys.executable, dlib_script(name), *arguments],
        capture_output=True, text=True, cwd=folder, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr

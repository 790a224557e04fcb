# SPDX-License-Identifier: Apache-2.0
"""Gin as people write it: it works as written, or there is one message before the training."""

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

from vae_ortho_plugin.dlib import gin_values
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.gin_files import gin_config, step_config
from vae_ortho_plugin.study.run.reproduce import dlib_script

FILE = str(gin_config("beta_vae.gin"))
SHORT = ["model.training_steps = 3", "model.eval_steps = 2", "synth_linear.num_points = 100"]


def train(folder, *bindings, files=(FILE,)):
    """The configuration and result of a training in folder/model."""
    dlib_train.train_with_gin(str(folder / "model"), False, list(files), [*SHORT, *bindings])
    result = folder / "model" / "results" / "json" / "train_results.json"
    return step_config(folder / "model", "train"), json.loads(result.read_text())


def refusal(folder, *bindings, files=(FILE,)):
    with pytest.raises(InputError) as error:
        train(folder, *bindings, files=files)
    gin.clear_config()
    assert list(folder.iterdir()) == []
    return str(error.value)


def test_macros_stand_for_any_parameter_the_data_set_too(tmp_path):
    config, _ = train(
        tmp_path,
        "data = 'synth_linear'", "dataset.name = %data", "size = 32", "model.batch_size = %size",
        "steps = 4", "model.training_steps = %steps", "width = 3", "encoder.num_latent = %width",
        "seed = 7", "model.random_seed = %seed", "weight = 2.0", "vae.beta = %weight",
    )  # fmt: skip
    assert config["dataset.name"] == "synth_linear"
    assert config["model.training_steps"] == 4
    assert config["encoder.num_latent"] == 3
    assert config["model.random_seed"] == 7


def test_later_steps_take_a_data_set_that_a_macro_names(tmp_path):
    model, after = str(tmp_path / "model"), str(tmp_path / "after")
    train(tmp_path, "data = 'synth_linear'", "dataset.name = %data")
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


def test_a_value_may_be_wrapped_over_two_lines(tmp_path):
    wrapped = tmp_path / "files" / "wrapped.gin"
    wrapped.parent.mkdir()
    wrapped.write_text(
        f"include '{FILE}'\ndataset.name = \\\n    'synth_linear'\nmodel.batch_size = (\n  48)\n"
    )
    config, _ = train(tmp_path, files=[str(wrapped)])
    assert config["model.batch_size"] == 48


def test_a_binding_that_no_step_uses_changes_nothing(tmp_path):
    _, result = train(tmp_path, "factor_vae.gamma = 3.0")
    assert result["loss"] > 0


@pytest.mark.parametrize(("written", "steps"), [("3e0", 3), ("0", 0)])
def test_steps_may_be_a_whole_floating_point_number_or_none_at_all(tmp_path, written, steps):
    config, _ = train(tmp_path, f"model.training_steps = {written}")
    assert config["model.training_steps"] == steps


@pytest.mark.parametrize("wrong", ["1.5", "-5", "'ten'", "None", "True"])
def test_wrong_steps_are_named(tmp_path, wrong):
    assert "model.training_steps = " in refusal(tmp_path, f"model.training_steps = {wrong}")


@pytest.mark.parametrize(
    "parameter", ["model.batch_size", "encoder.num_latent", "model.eval_steps"]
)
@pytest.mark.parametrize("wrong", ["0", "-1", "2.5", "'two'", "None"])
def test_a_wrong_size_is_named(tmp_path, parameter, wrong):
    message = refusal(tmp_path, f"{parameter} = {wrong}")
    assert f"{parameter} = {wrong}; it must be a whole number from 1 on." in message


@pytest.mark.parametrize("wrong", ["None", "-1", "'one'", "1.5", "4294967296"])
def test_a_wrong_seed_is_named(tmp_path, wrong):
    message = refusal(tmp_path, f"model.random_seed = {wrong}")
    assert f"model.random_seed = {wrong}; it must be a whole number" in message


@pytest.mark.parametrize(
    "binding",
    [
        "vae.beta = 'big'",
        "vae.beta = None",
        "vae.beta = [1.0]",
        "factor_vae.gamma = 'large'",
        "dip_vae.lambda_od = True",
        "AdamOptimizer.learning_rate = 'fast'",
        "annealed_vae.c_max = '25'",
    ],
)
def test_text_where_a_number_belongs_is_named(tmp_path, binding):
    assert f"{binding}; it must be a number." in refusal(tmp_path, binding)


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("vae.beta = 1e400", "vae.beta = inf"),
        ("vae.beta = -1e400", "vae.beta = -inf"),
        ("AdamOptimizer.learning_rate = 1e400", "AdamOptimizer.learning_rate = inf"),
        ("model.training_steps = 1e400", "model.training_steps = inf"),
        ("other/vae.beta = 1e400", "other/vae.beta = inf"),
        ("mlp_encoder.layers = [1e400, 3]", "mlp_encoder.layers = [inf, 3]"),
        ("beta = 1e400\nvae.beta = %beta", "beta = inf"),
    ],
)
def test_an_infinite_number_is_named(tmp_path, binding, expected):
    assert f"{expected}; it must be finite." in refusal(tmp_path, *binding.split("\n"))


@pytest.fixture
def bound():
    """Binds parameters and checks them, without a step."""

    def bind(*bindings):
        gin.parse_config_files_and_bindings([FILE], list(bindings))
        gin_values.check()

    gin.clear_config()
    yield bind
    gin.clear_config()


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("training_loop.checkpoint_seconds = '600'", "a number or None"),
        ("training_loop.checkpoint_steps = 'ten'", "a whole number or None"),
        ("training_loop.threads = 1.5", "a whole number or None"),
        ("training_loop.resume = 'no'", "True or False"),
        ("training_loop.xla = 1", "text in quotes"),
        ("synth_linear.axis_ratio = 'wide'", "a number"),
        ("synth_linear.num_points = None", "a whole number"),
        ("polarized_vae.decay = [0.9]", "a number"),
        ("L2Adam.l2 = True", "a number"),
        ("dto.solver = 5", "text in quotes"),
        ("ima_contrast.beta = 'own'", "a number or None"),
        ("other/dto_while_training.every = 0.5", "a whole number"),
        ("npz.path = 7", "text in quotes"),
    ],
)
def test_a_setting_of_the_plugin_of_another_type_is_named(bound, binding, expected):
    with pytest.raises(InputError) as error:
        bound(binding)
    assert str(error.value) == f"{binding}; it must be {expected}."


def test_settings_of_the_plugin_may_be_whole_floating_point_numbers_and_none(bound):
    bound(
        "synth_linear.num_points = 1e4", "ima_contrast.beta = None", "training_loop.threads = None"
    )
    assert repr(gin.query_parameter("synth_linear.num_points")) == "10000"


def test_the_value_of_a_macro_is_checked_like_any_other(bound):
    with pytest.raises(InputError, match="vae.beta = 'big'; it must be a number"):
        bound("weight = 'big'", "vae.beta = %weight")


@pytest.mark.parametrize("binding", ["gamma = 'scale'", "epsilon = None", "learning_rate = 0"])
def test_a_users_own_configurable_may_mean_anything_by_a_name(bound, binding):
    bound(f"my_svm_metric.{binding}")


@gin.configurable(module="test_gin_values")
def my_svm_metric(gamma, epsilon, learning_rate):
    """A metric of a user."""


@pytest.mark.parametrize("wrong", ["0", "-0.001"])
def test_a_learning_rate_that_is_not_positive_is_named(tmp_path, wrong):
    binding = f"AdamOptimizer.learning_rate = {wrong}"
    assert f"{binding}; it must be above 0." in refusal(tmp_path, binding)


@pytest.mark.parametrize(
    "binding",
    ["vae.beta = -1", "other/full_covariance_vae.beta = -1e-4", "dip_vae.lambda_od = -2.0"],
)
def test_a_weight_below_0_is_named(tmp_path, binding):
    assert f"{binding.replace('1e-4', '0.0001')}; it must be 0 or more." in refusal(
        tmp_path, binding
    )


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ("model.model = @vae", "model.model = @vae()"),
        ("model.model = 5", "must be a reference"),
        ("model.model = 'vae'", "model.model = @vae()"),
        ("encoder.encoder_fn = 'fc_encoder'", "encoder.encoder_fn = @fc_encoder"),
    ],
)
def test_what_is_no_reference_is_answered_with_how_to_write_one(tmp_path, binding, expected):
    assert expected in refusal(tmp_path, binding)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("5", "dataset.name = 5; it must be the name of a data set in quotes"),
        ("['mnist']", "must be the name of a data set in quotes"),
        ("None", "dataset.name is not bound"),
        ("'synth_linaer'", "Did you mean synth_linear"),
        ("'dsprites'", "Did you mean"),
        ("'MNIST'", "Known: "),
    ],
)
def test_a_name_that_is_no_data_set_is_answered(tmp_path, name, expected):
    assert expected in refusal(tmp_path, f"dataset.name = {name}")


def test_a_macro_without_a_value_is_named(tmp_path):
    message = refusal(tmp_path, "model.batch_size = %size")
    assert message.startswith("The macro %size has no value. Give it one: size = VALUE.")


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
@pytest.mark.parametrize("step", ["dlib_train", "dlib_postprocess", "dlib_evaluate"])
def test_a_step_without_a_data_set_says_so(tmp_path, step):
    train(tmp_path)
    bindings = {
        "dlib_train": ["model.model = @vae()", "model.random_seed = 0", *SHORT[:2]],
        "dlib_postprocess": ["postprocess.postprocess_fn = @mean_representation"],
        "dlib_evaluate": ["evaluation.evaluation_fn = @mig", "evaluation.random_seed = 0"],
    }[step]
    directories = {
        "dlib_train": ["--model_dir=new"],
        "dlib_postprocess": ["--model_dir=model", "--output_dir=new"],
        "dlib_evaluate": ["--input_dir=model", "--output_dir=new"],
    }[step]
    message = script(tmp_path, step, *directories, *(f"--gin_bindings={line}" for line in bindings))
    assert f"{step}: No data set: dataset.name is not bound." in message


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

# SPDX-License-Identifier: Apache-2.0
"""What dlib answers to bad input: one message, of its scripts a non-zero status, nothing left behind."""

import gzip
import math
import os
import re
import struct
import subprocess
import sys

import gin
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.evaluation import evaluate as dlib_evaluate
from disentanglement_lib.methods.unsupervised import train as dlib_train
from disentanglement_lib.postprocessing import postprocess

from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config
from vae_ortho_plugin.study.run.reproduce import dlib_script

IDX = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}


def call(cwd, script, *arguments, **environment):
    return subprocess.run(
        [sys.executable, dlib_script(script), *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def message_of(process, script):
    """The script's one message, after checks that it failed with that alone."""
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    assert process.stderr.count(f"{script}: ") == 1, process.stderr
    return process.stderr.partition(f"{script}: ")[2]


def listing(directory):
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained model of synth_linear."""
    directory = tmp_path_factory.mktemp("trained") / "model"
    bindings = ["model.training_steps = 0", "model.eval_steps = 1", "synth_linear.num_points = 100"]
    dlib_train.train_with_gin(str(directory), False, [str(gin_config("beta_vae.gin"))], bindings)
    return directory


def refused(cwd, monkeypatch, *bindings, config=None):
    """The error of a training run into the directory `model`, after which nothing was left behind."""
    monkeypatch.chdir(cwd)
    files = [str(config or gin_config("beta_vae.gin"))]
    return refused_step(cwd, dlib_train.train_with_gin, "model", False, files, list(bindings))


def refused_step(cwd, step, *arguments):
    before = listing(cwd)
    with pytest.raises(InputError) as error:
        step(*arguments)
    gin.clear_config()
    assert listing(cwd) == before
    return str(error.value)


def test_a_script_shows_what_was_to_be_trained_and_the_error_alone(tmp_path):
    process = call(
        tmp_path, "dlib_train", "--gin_config=linearized_vae.gin",
        "--gin_bindings=linearized_vae.beta = 0", "--model_dir=model",
    )  # fmt: skip
    assert message_of(process, "dlib_train").startswith("linearized_vae.beta = 0")
    first, _ = process.stderr.splitlines()
    assert first.endswith(
        "training linearized_vae on synth_linear for 375,000 steps of 64 points, seed 0"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, meant", [("synth_linaer", "synth_linear"), ("MNIST", "")])
def test_an_unknown_data_set_is_answered_with_the_known_ones(tmp_path, monkeypatch, name, meant):
    message = refused(tmp_path, monkeypatch, f"dataset.name = '{name}'")
    assert f"no data set named '{name}' (gin binding dataset.name)." in message
    assert (f" Did you mean {meant}" in message) == bool(meant)
    known = re.search(r"Known: (.*)\.", message.splitlines()[0])[1].split(", ")
    assert {"dsprites_full", "cars3d", "dummy_data", "mnist", "synth_nonlinear"} <= set(known)
    assert known == sorted(known) and all(name.isidentifier() for name in known)


@pytest.mark.parametrize("name", ["[beta=4]", "beta\\4", "beta*", "beta?"])
def test_a_path_that_tensorflow_takes_for_a_pattern_is_refused_before_a_step(
    tmp_path, monkeypatch, name
):
    path, files = str(tmp_path / name), [str(gin_config("beta_vae.gin"))]
    assert f"The path {path} contains" in refused_step(
        tmp_path, dlib_train.train_with_gin, path, False, files, []
    )
    assert f"The path {path} contains" in refused_step(
        tmp_path, postprocess.postprocess_with_gin, path, str(tmp_path / "mean"), False, [], []
    )
    with pytest.raises(InputError, match="for a pattern of paths"):
        open_model(path)
    (tmp_path / name).mkdir()
    assert f"{name}/model contains" in refused(tmp_path / name, monkeypatch)


@pytest.mark.parametrize(
    "binding, shown",
    [
        ("vaee.beta = 1.0", r"vaee.* Did you mean .*\bvae\b"),
        ("vae.betta = 1.0", "betta.* spelling of the parameter"),
        (
            "reconstruction_loss.loss_fn = @l2_loss",
            "loss_fn = @l2_loss does not have this .*or take",
        ),
    ],
)
def test_what_gin_or_a_loss_of_dlib_does_not_have_is_named(tmp_path, monkeypatch, binding, shown):
    assert re.search(shown, refused(tmp_path, monkeypatch, binding))


def test_a_missing_gin_file_is_answered_with_the_one_meant(tmp_path, monkeypatch):
    (tmp_path / "mine.gin").write_text("")
    message = refused(tmp_path, monkeypatch, config="mien.gin")
    assert "no gin file mien.gin" in message and str(tmp_path) in message
    assert "Did you mean ./mine.gin?" in message


def test_a_missing_binding_is_named(tmp_path, monkeypatch):
    (tmp_path / "mine.gin").write_text("dataset.name = 'synth_linear'\n")
    message = refused(tmp_path, monkeypatch, config="mine.gin")
    assert "Required bindings for `model`" in message and "batch_size" in message
    assert "--gin_bindings" in message


@pytest.mark.parametrize(
    "line, shown",
    [
        ("vae.beta = = 3", ", vae.beta = = 3: Unable to parse value."),
        ("vae.beta = float('nan')", ", vae.beta = float('nan'): 'float' is no value."),
        ("vae.beta = [1, x]", ", vae.beta = [1, x]: 'x' is no value."),
        ("vae beta = 1", ", vae beta = 1: Couldn't parse statement"),
    ],
)
def test_a_broken_line_is_named_with_the_file_or_the_bindings(tmp_path, monkeypatch, line, shown):
    (tmp_path / "mine.gin").write_text(f"dataset.name = 'synth_linear'\n{line}\n")
    message = refused(tmp_path, monkeypatch, config="mine.gin")
    assert f"Line 2 of mine.gin{shown}" in message and "0x" not in message
    assert f"Line 2 of the bindings{shown}" in refused(tmp_path, monkeypatch, "vae.beta = 1", line)
    assert "A line is NAME.PARAMETER = VALUE" in message


def test_a_broken_line_of_an_imported_module_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "my_networks.py").write_text("import os\nlayers = 3 +\n")
    (tmp_path / "mine.gin").write_text("import my_networks\n")
    message = refused(tmp_path, monkeypatch, config="mine.gin")
    assert "my_networks.py, layers = 3 +: invalid syntax." in message
    assert "NAME.PARAMETER" not in message


def test_a_missing_included_file_is_named_with_the_line_that_includes_it(tmp_path, monkeypatch):
    (tmp_path / "mine.gin").write_text("dataset.name = 'synth_linear'\ninclude 'vea.gin'\n")
    message = refused(tmp_path, monkeypatch, config="mine.gin")
    assert "no gin file vea.gin" in message and "mine.gin" in message and "line 2" in message
    assert "Did you mean vae.gin" in message


def test_a_gin_file_that_includes_itself_is_named(tmp_path, monkeypatch):
    (tmp_path / "mine.gin").write_text("include 'mine.gin'\n")
    message = refused(tmp_path, monkeypatch, config="mine.gin")
    assert "circle: mine.gin includes mine.gin" in message


def test_gin_files_with_a_byte_order_mark_include_files_and_modules_beside_them(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/mine.gin").write_text("include 'deep/beside.gin'\n", encoding="utf-8-sig")
    (tmp_path / "sub/deep").mkdir()
    text = "import module_beside_an_included_file\nvae.betta = 1.0  # für\n"
    (tmp_path / "sub/deep/beside.gin").write_text(text, encoding="utf-16")
    (tmp_path / "sub/deep/module_beside_an_included_file.py").write_text("")
    message = refused(tmp_path, monkeypatch, config="sub/mine.gin")
    assert "beside.gin" in message and "line 2" in message and "betta" in message


def test_a_truncated_data_file_is_named_with_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / "data/mnist").mkdir(parents=True)
    for name in IDX:
        (tmp_path / "data/mnist" / name).write_bytes(b"\0\0\x08\x03\0\0\xea\x60")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    message = refused(tmp_path, monkeypatch, "dataset.name = 'mnist'")
    assert str(tmp_path / "data/mnist") in message and "truncated" in message
    assert "vae_ortho_download_data mnist" in message


def test_a_directory_name_that_is_too_long_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [str(gin_config("beta_vae.gin"))]
    message = refused_step(tmp_path, dlib_train.train_with_gin, "n" * 245, False, files)
    assert "n cannot be written: [Errno 36] File name too long" in message
    assert message.endswith("Take a shorter name.")


def test_a_directory_without_a_model_is_no_input(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    message = evaluate(empty, tmp_path, "dto")
    assert f"--input_dir = {empty}" in message and "tfhub" in message


def evaluate(model, cwd, metric, *bindings):
    """Message of the error of an evaluation of the model, after which nothing was left behind."""
    files = [str(gin_config(f"metrics/{metric}.gin"))]
    output = str(cwd / "scores")
    step = dlib_evaluate.evaluate_with_gin
    return refused_step(cwd, step, str(model), output, False, files, list(bindings))


def test_data_without_factors_have_no_disentanglement_score(tmp_path, model):
    (tmp_path / "mnist").mkdir()
    for name, shape in IDX.items():
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        content = gzip.compress(header + bytes(math.prod(shape)), 1)
        (tmp_path / "mnist" / f"{name}.gz").write_bytes(content)
    message = evaluate(
        model,
        tmp_path,
        "disentanglement_score",
        "dataset.name = 'mnist'",
        f"mnist.root = '{tmp_path}'",
    )
    assert "MNIST has no generating factors" in message and "`dto`" in message


@pytest.mark.long
def test_abstract_reasoning_leaves_an_existing_directory_untouched(tmp_path):
    (tmp_path / "scores").mkdir()
    process = call(tmp_path, "dlib_reason", "--output_dir=scores")
    assert "output directory scores exists" in message_of(process, "dlib_reason")
    process = call(tmp_path, "dlib_reason", "--output_dir=other", "--input_dir=scores")
    assert "--input_dir = scores is not what dlib_postprocess wrote" in message_of(
        process, "dlib_reason"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]


def test_dto_without_a_decoder_says_where_it_was_looked_for(tmp_path, model):
    postprocess.postprocess_with_gin(
        str(model), str(tmp_path / "post"), False, [str(gin_config("postprocess/mean.gin"))]
    )
    message = evaluate(tmp_path / "post", tmp_path, "dto")
    assert "none for " + str(tmp_path / "post") in message and "set dto.model_dir" in message

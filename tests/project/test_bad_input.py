# SPDX-License-Identifier: Apache-2.0
"""What dlib answers to bad input: one message, of its scripts a non-zero status, nothing left behind."""

import re
import sys

import gin
import pytest
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.evaluation.abstract_reasoning import reason
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess
from processes import run_python

from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.run.reproduce import dlib_script


def refused(folder, step, *arguments):
    """The message of a step in this folder that fails; it has left nothing behind."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(InputError) as error:
        patch.chdir(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setattr(sys, "path", [*sys.path])
        step(*arguments)
    gin.clear_config()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return str(error.value)


def refused_training(folder, *bindings, config="beta_vae.gin", model="model"):
    return refused(folder, train.train_with_gin, model, False, [config], list(bindings))


def test_a_script_shows_what_was_to_be_trained_and_the_error_alone(tmp_path):
    wrong = ("--gin_config=linearized_vae.gin", "--gin_bindings=linearized_vae.beta = 0")
    done = run_python(dlib_script("dlib_train"), *wrong, "--model_dir=model", cwd=tmp_path)
    first, message, *more = done.stderr.splitlines()
    trained = "linearized_vae on synth_linear for 375,000 steps of 64 points, seed 0"
    assert first == f"vae_ortho_plugin: training {trained}"
    assert message.startswith("dlib_train: linearized_vae.beta = 0")
    assert (done.returncode, more) == (1, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, meant", [("synth_linaer", "synth_linear"), ("MNIST", "")])
def test_an_unknown_data_set_is_answered_with_the_known_ones(tmp_path, name, meant):
    # The directories that it made are gone, too.
    message = refused_training(tmp_path, f"dataset.name = '{name}'", model="a/b/model")
    assert f"no data set named '{name}' (gin binding dataset.name)." in message
    assert (f" Did you mean {meant}" in message) == bool(meant)
    known = re.search(r"Known: (.*)\.", message.splitlines()[0])[1].split(", ")
    assert {"dsprites_full", "cars3d", "dummy_data", "mnist", "synth_nonlinear"} <= set(known)
    assert known == sorted(known) and all(name.isidentifier() for name in known)


@pytest.mark.parametrize("name", ["[beta=4]", "beta*"])
def test_a_path_that_tensorflow_takes_for_a_pattern_is_refused_before_a_step(tmp_path, name):
    path = str(tmp_path / name)
    post = (postprocess.postprocess_with_gin, path, str(tmp_path / "mean"), False, [], [])
    for message in (refused(tmp_path, *post), refused_training(tmp_path, model=path)):
        assert f"The path {path} contains" in message
    with pytest.raises(InputError, match="for a pattern of paths"):
        open_model(path)
    (tmp_path / name).mkdir()
    assert f"{name}/model contains" in refused_training(tmp_path / name)


@pytest.mark.parametrize(
    "binding, shown",
    [
        ("vaee.beta = 1.0", r"vaee.* Did you mean .*\bvae\b"),
        ("vae.betta = 1.0", "betta.* spelling of the parameter"),
        ("reconstruction_loss.loss_fn = @l2_loss", "@l2_loss does not have this .*or take"),
    ],
)
def test_what_gin_or_a_loss_of_dlib_does_not_have_is_named(tmp_path, binding, shown):
    assert re.search(shown, refused_training(tmp_path, binding))


def test_a_missing_gin_file_is_answered_with_the_one_meant(tmp_path):
    (tmp_path / "mine.gin").write_text("")
    message = refused_training(tmp_path, config="mien.gin")
    assert f"no gin file mien.gin (in {tmp_path}). Did you mean ./mine.gin?" in message


@pytest.mark.parametrize(
    "text, shown",
    [
        ("dataset.name = 'synth_linear'", "Required bindings for `model`.*batch_size.*--gin_bind"),
        ("a = 1\ninclude 'vea.gin'", "no gin file vea.gin.*Did you mean vae.gin.*mine.gin.*line 2"),
        ("include 'mine.gin'", "circle: mine.gin includes mine.gin"),
        (
            "import broken_module",
            "broken_module.py, layers = 3 \\+: invalid syntax.(?!.*NAME.PARAM)",
        ),
    ],
)
def test_what_a_gin_file_lacks_is_named(tmp_path, text, shown):
    (tmp_path / "broken_module.py").write_text("import os\nlayers = 3 +\n")
    (tmp_path / "mine.gin").write_text(f"{text}\n")
    assert re.search(shown, refused_training(tmp_path, config="mine.gin"), re.DOTALL)


@pytest.mark.parametrize(
    "line, shown",
    [
        ("vae.beta = = 3", ", vae.beta = = 3: Unable to parse value."),
        ("vae.beta = float('nan')", ", vae.beta = float('nan'): 'float' is no value."),
        ("vae beta = 1", ", vae beta = 1: Couldn't parse statement"),
    ],
)
def test_a_broken_line_is_named_with_the_file_or_the_bindings(tmp_path, line, shown):
    (tmp_path / "mine.gin").write_text(f"dataset.name = 'synth_linear'\n{line}\n")
    message = refused_training(tmp_path, config="mine.gin")
    assert f"Line 2 of mine.gin{shown}" in message and "0x" not in message
    assert f"Line 2 of the bindings{shown}" in refused_training(tmp_path, "vae.beta = 1", line)
    assert "A line is NAME.PARAMETER = VALUE" in message


def test_gin_files_with_a_byte_order_mark_include_files_and_modules_beside_them(tmp_path):
    (tmp_path / "sub/deep").mkdir(parents=True)
    (tmp_path / "sub/mine.gin").write_text("include 'deep/beside.gin'\n", encoding="utf-8-sig")
    text = "import module_beside_an_included_file\nvae.betta = 1.0  # für\n"
    (tmp_path / "sub/deep/beside.gin").write_text(text, encoding="utf-16")
    (tmp_path / "sub/deep/module_beside_an_included_file.py").write_text("")
    message = refused_training(tmp_path, config="sub/mine.gin")
    assert "beside.gin" in message and "line 2" in message and "betta" in message


def test_a_directory_name_that_is_too_long_is_named(tmp_path):
    message = refused_training(tmp_path, model="n" * 245)
    assert "n cannot be written: [Errno 36] File name too long" in message
    assert message.endswith("Take a shorter name.")


def test_a_directory_without_a_model_is_no_input(tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = ("empty", "scores", False, ["metrics/dto.gin"])
    message = refused(tmp_path, evaluate.evaluate_with_gin, *arguments)
    assert re.search("--input_dir = empty .*tfhub", message)


def test_abstract_reasoning_leaves_an_existing_directory_untouched(tmp_path):
    (tmp_path / "scores").mkdir()
    step = reason.reason_with_gin
    assert "output directory scores exists" in refused(tmp_path, step, None, "scores")
    message = refused(tmp_path, step, "scores", "other")
    assert "--input_dir = scores is not what dlib_postprocess wrote" in message


@pytest.mark.long
def test_dlib_reason_shows_its_error_alone(tmp_path):
    done = run_python(dlib_script("dlib_reason"), f"--output_dir={tmp_path}", cwd=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"dlib_reason: The output directory {tmp_path} exists" in done.stderr

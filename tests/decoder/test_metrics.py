# SPDX-License-Identifier: Apache-2.0
import shutil

import numpy as np
import pytest
from metrics_support import (  # noqa: F401
    IMAGE_OF_RAW,
    SHAPE,
    TwoFactors,
    export,
    export_model,
    finite_differences,
    model_dir,
    numpy_decoder,
    random_weights,
    run,
)

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub
from disentanglement_lib.data.ground_truth import dummy_data

from vae_ortho_plugin.decoder.metrics.of_factors import mcc
from vae_ortho_plugin.decoder.metrics.of_jacobians import dto
from vae_ortho_plugin.dlib.steps.after_training import find_model_dir
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.measures.dto import distance_to_orthogonality


def export_representation(directory):
    """A directory as dlib_postprocess leaves it."""

    def module_fn():
        images = tf.placeholder(tf.float32, [None, *SHAPE])
        hub.add_signature("representation", {"images": images}, {"default": images})

    return export(directory, module_fn)


def run_dto(directory, data=None, **settings):
    return run(dto, directory, data or TwoFactors(), **settings)


def test_dto_metric_is_that_of_finite_differences_on_the_test_split(model_dir):
    images, _ = TwoFactors().split("test")
    means = images.reshape(len(images), -1)[:, :3].astype(np.float64)
    weights = random_weights()
    image = lambda z: IMAGE_OF_RAW["logits"](numpy_decoder(z, weights))
    expected = distance_to_orthogonality(finite_differences(image, means))
    result = run_dto(model_dir)
    found = [result[name] for name in ("dto", "dto_std", "dto_stderr")]
    assert found == pytest.approx([expected.mean, expected.std, expected.stderr], abs=1e-4)
    assert result["num_points"] == 100
    assert (result["output"], result["solver"], result["split"]) == ("image", "assignment", "test")
    assert run_dto(model_dir, num_points=30)["num_points"] == 30
    assert run_dto(model_dir, split="train")["num_points"] == 800
    # The first mean is the class 0, 1 or 2, the others are uniform in [0, 1].
    assert (result["active_latents"], result["num_active_latents"]) == ([0], 1)
    assert result["dto_active"] == 0


def test_dto_metric_among_active_latents_is_that_of_their_columns(tmp_path):
    spread = np.eye(np.prod(SHAPE), 3) * [1, 10, 10]
    result = run_dto(export_model(tmp_path, random_weights(), spread))
    assert result["active_latents"] == [0, 1, 2]
    # Columns that are picked lie in another order in memory, so that sums may differ in the last bit.
    assert result["dto_active"] == pytest.approx(result["dto"], rel=1e-12)
    passive = run_dto(export_model(tmp_path / "passive", random_weights(), spread * [1, 1, 0.01]))
    assert passive["active_latents"] == [0, 1]
    assert 0 < passive["dto_active"] <= np.sqrt(4)
    assert result["dto_note"] is None and "1 of 3 latents are passive" in passive["dto_note"]
    assert (next(iter(result)), next(iter(passive))) == ("dto", "dto_active")
    none = run_dto(export_model(tmp_path / "none", random_weights(), spread * 0.01))
    assert (none["active_latents"], none["dto_active"], none["dto_active_std"]) == ([], None, None)


def test_raw_output_is_that_of_a_linear_activation_and_needs_no_train_gin(tmp_path):
    linear = export_model(tmp_path / "linear", random_weights(), activation="'linear'")
    expected = run_dto(linear)["dto"]
    unknown = export_model(tmp_path / "unknown", random_weights(), activation="'relu'")
    unknown_activation = "activation = 'relu', known are 'linear'.*output = 'raw'"
    with pytest.raises(InputError, match=unknown_activation):
        run_dto(unknown)
    assert run_dto(unknown, output="raw")["dto"] == expected
    (unknown / "results" / "gin" / "train.gin").unlink()
    with pytest.raises(InputError, match=r"train.gin is missing.*output = 'raw'"):
        run_dto(unknown)
    assert run_dto(unknown, output="raw")["dto"] == expected
    assert run_dto(export_model(tmp_path / "logits", random_weights()))["dto"] != expected


def test_the_decoder_is_found_where_dlib_reproduce_puts_it(model_dir, tmp_path):
    run = tmp_path / "run"
    model = shutil.copytree(model_dir, run / "model")
    representation = export_representation(run / "postprocessed" / "mean")
    beside = export_representation(run / "mean")
    for directory in (model, representation, beside):
        assert find_model_dir(str(directory)) == str(model)


def test_dto_without_a_decoder_names_the_three_ways_to_give_one(model_dir, tmp_path):
    # A model of another training run beside it is not taken.
    export_model(tmp_path / "model", random_weights(), uuid="another run")
    representation = export_representation(tmp_path / "postprocessed" / "mean")
    ways = "Evaluate the directory that dlib_train wrote.*'model' beside.*or set dto.model_dir"
    with pytest.raises(InputError, match=ways):
        run_dto(representation)
    expected = run_dto(model_dir)["dto"]
    assert run_dto(representation, model_dir=str(model_dir))["dto"] == expected


def test_a_metric_outside_of_a_step_asks_for_the_model_directory(model_dir):
    with pytest.raises(InputError, match="decoder: set dto.model_dir"):
        dto(TwoFactors(), None, np.random.RandomState(0))
    result = dto(TwoFactors(), None, np.random.RandomState(0), model_dir=str(model_dir))
    assert result["dto"] == run_dto(model_dir)["dto"]


def test_a_model_dir_without_a_model_is_named(model_dir, tmp_path):
    with pytest.raises(InputError, match="no TF-Hub module in .*nowhere"):
        run_dto(model_dir, model_dir=str(tmp_path / "nowhere"))
    representation = export_representation(tmp_path / "mean")
    with pytest.raises(InputError, match="no signature 'gaussian_encoder'.*has representation"):
        run_dto(model_dir, model_dir=str(representation), output="raw")


def test_bad_settings_of_dto_are_refused(model_dir):
    other_shape = r"shape \[4, 3, 1\]; the data set has \[64, 64, 1\]. Set dataset.name"
    for settings, message in (
        ({"output": "pixels"}, "output = 'pixels' is unknown; take one of image, raw"),
        ({"solver": "simplex"}, "solver = 'simplex' is unknown"),
        ({"split": "dev"}, "'dev'"),
        ({"num_points": 0}, "num_points must be at least 1; got 0"),
        ({"num_points": 101}, "num_points = 101, but the test split has 100 points"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"data": dummy_data.DummyData()}, other_shape),
    ):
        with pytest.raises(InputError, match=message):
            run_dto(model_dir, **settings)


def test_a_decoder_that_overflows_is_refused_with_the_point(tmp_path):
    # 10 * 3e38 * sech^2(10 z) overflows at z = 0 alone: where the first factor is 0, not 1 or 2.
    weights = np.diag([10.0, 1.0]), np.full((2, np.prod(SHAPE)), 3e38)
    directory = export_model(tmp_path, weights, activation="'linear'")
    _, factors = TwoFactors().split("test")
    point = int(np.argmax(factors[:, 0] == 0))
    assert point > 0
    with pytest.raises(InputError, match=f"The Jacobian at point {point} is not finite"):
        run_dto(directory, batch_size=1)


def test_means_that_are_not_finite_are_refused(tmp_path):
    diverged = np.full((np.prod(SHAPE), 3), np.nan)
    with pytest.raises(InputError, match="not finite for some observations"):
        run_dto(export_model(tmp_path, random_weights(), diverged))
    with pytest.raises(InputError, match="not finite for some observations"):
        mcc(TwoFactors(), lambda images: images[:, 0, 0] * np.inf, np.random.RandomState(0))

# SPDX-License-Identifier: Apache-2.0
import functools
import json
from pathlib import Path

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from disentanglement_lib.data.ground_truth import dummy_data
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train

# isort: split
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.decoder.metrics.evaluated import model_dir_from
from vae_ortho_plugin.decoder.metrics.loss_decomposition import loss_decomposition
from vae_ortho_plugin.decoder.metrics.pca_alignment import pca_alignment
from vae_ortho_plugin.decoder.metrics.precision_gap import precision_gap
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir
from vae_ortho_plugin.errors import InputError

METRICS = {
    "loss_decomposition": loss_decomposition,
    "pca_alignment": pca_alignment,
    "precision_gap": precision_gap,
}
ROOT = Path(__file__).parents[2]
TF114 = Path(__file__).parents[1] / "fixtures" / "tf114_model" / "model"

# Eq. 24, and Sec. 4.2: M2 = M1 R45ᵀ.
M1 = np.array([[4.0, 1], [-3, 1], [5, -1]])
M2 = M1 @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)


class Gaussian(SplitGroundTruthData):
    """1,000 points of R^3, the variances along the axes 9, 4, 1."""

    def __init__(self, scale=(3, 2, 1)):
        points = np.random.default_rng(0).normal(size=(1000, 3)) * scale
        super().__init__(points.astype(np.float32)[:, :, None, None])


def export_linear_model(
    directory, encoder, decoder, scale, activation="linear", loss="squared_error"
):
    """A trained model's directory: mean = encoder x, posterior covariance scale scaleᵀ, Dec = decoder z.

    No scale stands for an autoencoder.
    """
    latents = len(encoder)

    def module_fn():
        images = tf.placeholder(tf.float32, [None, 3, 1, 1])
        mean = tf.matmul(tf.reshape(images, [-1, 3]), np.transpose(encoder).astype("f"))
        variances = np.sum(np.square(scale), axis=1) if scale is not None else np.exp(-80.0)
        logvar = tf.zeros_like(mean) + np.log(variances).astype("f")
        hub.add_signature("gaussian_encoder", {"images": images}, {"mean": mean, "logvar": logvar})
        # A variable, whose initial value is another draw of normal numbers.
        factor = tf.get_variable("factor", [], initializer=tf.random_normal_initializer())
        matrix = tf.stop_gradient(factor) * 0 + np.transpose(decoder).astype("f")

        def decode(latents):
            return tf.reshape(tf.matmul(latents, matrix), [-1, 3, 1, 1])

        sample = mean
        if scale is not None:
            noise = tf.random_normal(tf.shape(mean))
            sample += tf.matmul(noise, np.transpose(scale).astype("f"))
        hub.add_signature("reconstructions", {"images": images}, {"images": decode(sample)})
        feed = tf.placeholder(tf.float32, [None, latents])
        hub.add_signature("decoder", {"latent_vectors": feed}, {"images": decode(feed)})

    with tf.Graph().as_default(), tf.Session() as session:
        module = hub.Module(hub.create_module_spec(module_fn))
        session.run(tf.global_variables_initializer())
        module.export(str(directory / "tfhub"), session)
    (directory / "results" / "gin").mkdir(parents=True)
    (directory / "results" / "gin" / "train.gin").write_text(
        f"reconstruction_loss.activation = '{activation}'\nreconstruction_loss.loss_fn = @{loss}\n"
    )
    return directory


def run(metric, directory, data=None, **settings):
    """The metric as the step that evaluates `directory` calls it."""
    with model_dir_from(functools.partial(find_model_dir, str(directory))):
        return METRICS[metric](data or Gaussian(), None, np.random.RandomState(0), **settings)


def test_precision_gap_of_m1_and_m2_is_known(tmp_path):
    encoder, sigma = np.eye(2, 3), np.array([0.2, 0.5])
    for name, decoder in (("m1", M1), ("m2", M2)):
        directory = export_linear_model(tmp_path / name, encoder, decoder, np.diag(sigma))
        result = run("precision_gap", directory)
        costs = sigma**2 * np.sum(decoder**2, axis=0)
        columns = np.log(np.prod(np.linalg.norm(decoder, axis=0)) / np.sqrt(134))
        assert result["precision_gap_columns"] == pytest.approx(columns, rel=1e-5)
        assert result["precision_gap_sigma"] == pytest.approx(
            np.log(costs.mean()) - np.log(costs).mean(), rel=1e-5
        )
        assert result["precision_gap"] == pytest.approx(
            result["precision_gap_sigma"] + result["precision_gap_columns"]
        )
        assert result["precision_gap_std"] == pytest.approx(0, abs=1e-6)
        assert (result["num_points"], result["split"], result["output"]) == (100, "test", "image")
        # Columns that are picked lie in another order in memory: up to 4e-15 in the gap.
        assert result["precision_gap_active"] == pytest.approx(result["precision_gap"], rel=1e-12)


def test_precision_gap_is_zero_for_orthogonal_columns_with_noise_inverse_to_their_length(tmp_path):
    decoder = np.eye(3, 2) * [4, 0.5]
    directory = export_linear_model(tmp_path, np.eye(2, 3), decoder, np.diag([0.1, 0.8]))
    assert run("precision_gap", directory)["precision_gap"] == pytest.approx(0, abs=1e-6)


def test_precision_gap_among_active_latents_is_that_of_their_columns(tmp_path):
    encoder = np.diag([1, 1, 0.1])  # the third latent's standard deviation is 0.1
    decoder = np.column_stack([M1, [1.0, 2, 3]])
    directory = export_linear_model(tmp_path, encoder, decoder, np.diag([0.2, 0.5, 1]))
    two = export_linear_model(tmp_path / "2", encoder[:2], M1, np.diag([0.2, 0.5]))
    result, expected = run("precision_gap", directory), run("precision_gap", two)
    assert result["active_latents"] == [0, 1]
    for part in ("", "_sigma", "_columns"):
        found = result[f"precision_gap{part}_active"]
        assert found == pytest.approx(expected[f"precision_gap{part}"], rel=1e-5)
    assert result["precision_gap"] > expected["precision_gap"] + 0.1


def test_precision_gap_of_more_latents_than_outputs_is_none_but_for_the_active_ones(tmp_path):
    encoder, decoder = np.eye(4, 3), np.column_stack([M1, M2])
    result = run("precision_gap", export_linear_model(tmp_path, encoder, decoder, np.eye(4)))
    assert (result["precision_gap"], result["precision_gap_columns_std"]) == (None, None)
    assert result["precision_gap_sigma"] is not None
    assert result["active_latents"] == [0, 1, 2]
    assert result["precision_gap_active"] > 0


def test_loss_decomposition_of_a_linear_model_is_known(tmp_path):
    encoder, sigma = np.eye(2, 3), np.array([0.2, 0.5])
    directory = export_linear_model(tmp_path, encoder, M1, np.diag(sigma))
    result = run("loss_decomposition", directory)
    images = Gaussian().split("test")[0].reshape(-1, 3)
    deterministic = np.sum((images @ encoder.T @ M1.T - images) ** 2, axis=1)
    linearized = 50 * 0.2**2 + 3 * 0.5**2
    assert result["deterministic_loss"] == pytest.approx(deterministic.mean(), rel=1e-5)
    assert result["deterministic_loss_std"] == pytest.approx(deterministic.std(), rel=1e-5)
    assert result["linearized_loss"] == pytest.approx(linearized, rel=1e-5)
    assert result["linearized_loss_std"] == pytest.approx(0, abs=1e-5)
    for error in ("linearization_error", "decomposition_error"):
        assert abs(result[error]) < 4 * result[f"{error}_stderr"]
    assert result["stochastic_loss"] - result["linearized_loss"] == pytest.approx(
        result["linearization_error"]
    )
    assert result["total_loss"] == pytest.approx(
        result["deterministic_loss"] + result["stochastic_loss"] + result["decomposition_error"]
    )
    assert (result["loss"], result["num_points"], result["num_samples"]) == (
        "squared_error",
        100,
        10,
    )


def test_loss_decomposition_samples_from_a_full_covariance(tmp_path):
    scale = np.array([[1.0, 0.0], [-1.0, 0.1]])  # both latents vary, their sum hardly
    decoder = np.array([[1.0, 1], [0, 0], [0, 0]])
    directory = export_linear_model(tmp_path, np.eye(2, 3), decoder, scale)
    result = run("loss_decomposition", directory)
    assert result["linearized_loss"] == pytest.approx(0.01, rel=1e-4)
    assert result["stochastic_loss"] == pytest.approx(0.01, rel=0.2)
    with open_model(str(directory)) as model:
        images = Gaussian().split("test")[0][:4]
        jacobians = model.noise_jacobians(images)
        logvars = model.posterior(images)[1]
    assert jacobians == pytest.approx(np.broadcast_to(decoder @ scale, (4, 3, 2)))
    assert np.exp(logvars[0]) == pytest.approx([1, 1.01])


def test_loss_decomposition_is_of_the_image(tmp_path):
    directory = export_linear_model(tmp_path, np.eye(2, 3), M1, np.eye(2) / 10, "logits")
    images = Gaussian().split("test")[0].reshape(-1, 3)
    decoded = 1 / (1 + np.exp(-images[:, :2] @ M1.T))
    expected = np.sum((decoded - images) ** 2, axis=1).mean()
    result = run("loss_decomposition", directory)
    assert result["deterministic_loss"] == pytest.approx(expected, rel=1e-5)
    jacobians = (decoded * (1 - decoded))[:, :, None] * M1
    assert result["linearized_loss"] == pytest.approx(
        0.01 * np.sum(jacobians**2, axis=(1, 2)).mean(), rel=1e-4
    )


def test_loss_decomposition_draws_the_same_numbers_for_the_same_seed(tmp_path):
    directory = export_linear_model(tmp_path, np.eye(2, 3), M1, np.eye(2))
    first = run("loss_decomposition", directory, num_samples=2)
    assert run("loss_decomposition", directory, num_samples=2) == first
    assert run("loss_decomposition", directory, num_samples=3)["total_loss"] != first["total_loss"]


def test_noise_jacobians_of_a_diagonal_posterior_are_its_columns_times_sigma():
    """Of a model that dlib trained and exported under TensorFlow 1.14."""
    images = np.random.RandomState(0).random_sample((3, 64, 64, 1))
    with open_model(str(TF114)) as model:
        means, logvars = model.posterior(images)
        (jacobians,) = model.jacobians(means)
        found = model.noise_jacobians(images)
        mean_images = model.reconstruct(images, np.zeros((3, model.num_latents)))
        assert mean_images == pytest.approx(model.decode(means), abs=1e-6)
    assert found == pytest.approx(jacobians * np.exp(logvars / 2)[:, None, :], abs=1e-6)
    assert np.abs(found).max() > 1e-4


def test_pca_alignment_of_a_turned_model_is_the_turn(tmp_path):
    angle = np.radians(25)
    rows = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0]])
    directory = export_linear_model(tmp_path, rows, np.eye(3, 2) * [-2, 7], np.eye(2))
    # 800 points have principal directions within some degrees of the axes.
    result = run("pca_alignment", directory)
    assert result["decoder_angle"] == pytest.approx(0, abs=6)
    assert result["encoder_angle"] == pytest.approx(25, abs=6)
    assert result["encoder_angles"] == pytest.approx([25, 25], abs=6)
    assert result["decoder_latents"] == result["encoder_latents"] == [0, 1]
    assert result["explained_variance"] == pytest.approx([9 / 14, 4 / 14], rel=0.1)
    assert (result["num_directions"], result["active_latents"]) == (2, [0, 1])


def test_pca_alignment_is_zero_for_the_principal_components_themselves(tmp_path):
    data = Gaussian().split("train")[0].reshape(-1, 3)
    directions = np.linalg.eigh(np.cov(data.T))[1].T[::-1]
    directory = export_linear_model(tmp_path, directions[[1, 0]], directions[[1, 0]].T, np.eye(2))
    result = run("pca_alignment", directory)
    assert result["decoder_angles"] == pytest.approx([0, 0], abs=1e-4)
    assert result["encoder_angles"] == pytest.approx([0, 0], abs=1e-4)
    assert result["decoder_latents"] == result["encoder_latents"] == [1, 0]


def test_pca_alignment_takes_active_latents_or_as_many_directions_as_asked_for(tmp_path):
    directory = export_linear_model(tmp_path, np.diag([1, 0.1, 1]), np.eye(3), np.eye(3))
    result = run("pca_alignment", directory)
    assert (result["num_directions"], result["active_latents"]) == (2, [0, 2])
    assert set(result["decoder_latents"]) == {0, 2}
    result = run("pca_alignment", directory, num_directions=3)
    assert result["decoder_latents"] == result["encoder_latents"] == [0, 1, 2]
    assert result["decoder_angle"] < 6
    flat = run("pca_alignment", directory, data=Gaussian((3, 0, 2)))
    assert flat["num_directions"] == 2 and flat["active_latents"] == [0, 2]
    none = run("pca_alignment", directory, data=Gaussian((0.1, 0.1, 0.1)))
    assert (none["num_directions"], none["decoder_angle"], none["encoder_angles"]) == (0, None, [])


@pytest.mark.parametrize(
    ("metric", "settings", "message"),
    [
        ("loss_decomposition", {"num_samples": 0}, "num_samples must be at least 1; got 0"),
        ("loss_decomposition", {"split": "dev"}, "'dev'"),
        ("loss_decomposition", {"data": dummy_data.DummyData()}, "trained on observations of"),
        ("precision_gap", {"num_points": 101}, "the test split has 100 points"),
        ("precision_gap", {"output": "pixels"}, "Unknown decoder output 'pixels'"),
        ("precision_gap", {"batch_size": 0}, "batch_size must be at least 1"),
        ("pca_alignment", {"num_directions": 3}, "num_directions = 3, but the model has 2 latents"),
        ("pca_alignment", {"num_directions": 0}, "num_directions must be at least 1"),
        ("pca_alignment", {"data": Gaussian((0, 0, 0))}, "All observations are the same"),
        (
            "pca_alignment",
            {"num_points": 2, "num_directions": 2},
            "2 points do not determine the encoder",
        ),
    ],
)
def test_bad_settings_are_refused(tmp_path, metric, settings, message):
    directory = export_linear_model(tmp_path, np.eye(2, 3), M1, np.eye(2))
    with pytest.raises(InputError, match=message):
        run(metric, directory, **settings)


def test_a_posterior_that_is_a_point_has_no_noise_to_measure(tmp_path):
    directory = export_linear_model(tmp_path, np.eye(2, 3), M1, None)
    with pytest.raises(InputError, match="samples nothing.*autoencoder's posterior is a point"):
        run("loss_decomposition", directory)
    with pytest.raises(InputError, match="is a point .no sigma above 4e-18.*autoencoder"):
        run("precision_gap", directory)
    assert run("pca_alignment", directory)["num_points"] == 100


def test_a_directory_without_a_decoder_is_refused_with_the_metric_to_configure(tmp_path):
    for metric in ("loss_decomposition", "precision_gap", "pca_alignment"):
        with pytest.raises(InputError, match=f"^{metric} needs.*set {metric}.model_dir"):
            run(metric, tmp_path)


SMALL = ["synth_linear.num_points = 1000", "model.training_steps = 200", "model.eval_steps = 2"]


def trained(directory, model):
    config = str(ROOT / "gin_configs" / f"{model}.gin")
    train.train_with_gin(str(directory), gin_config_files=[config], gin_bindings=SMALL)
    return directory


def evaluated(metric, directory, output):
    evaluate.evaluate_with_gin(
        str(directory),
        str(output),
        gin_config_files=[str(ROOT / "gin_configs" / "metrics" / f"{metric}.gin")],
    )
    return json.loads((output / "results" / "json" / "evaluation_results.json").read_text())


def test_the_metrics_of_a_beta_vae_through_dlib(tmp_path):
    model = trained(tmp_path / "model", "beta_vae")
    loss = evaluated("loss_decomposition", model, tmp_path / "loss")
    assert loss["num_points"] == 100
    # The model is linear, so that Eq. 17 is exact.
    assert abs(loss["linearization_error"]) < 5 * loss["linearization_error_stderr"]
    gap = evaluated("precision_gap", model, tmp_path / "gap")
    assert gap["precision_gap"] > gap["precision_gap_columns"] > 0
    pca = evaluated("pca_alignment", model, tmp_path / "pca")
    assert pca["num_directions"] == pca["num_active_latents"]


def test_the_noise_of_a_full_covariance_vae_is_its_own(tmp_path):
    model = trained(tmp_path / "model", "beta_vae_sigma")
    loss = evaluated("loss_decomposition", model, tmp_path / "loss")
    assert abs(loss["linearization_error"]) < 5 * loss["linearization_error_stderr"]
    with open_model(str(model)) as opened:
        images = np.random.default_rng(0).normal(size=(2, 3, 1, 1))
        means, logvars = opened.posterior(images)
        (jacobians,) = opened.jacobians(means)
        factors = np.linalg.pinv(jacobians) @ opened.noise_jacobians(images)
    covariances = factors @ factors.swapaxes(1, 2)
    assert np.diagonal(covariances, axis1=1, axis2=2) == pytest.approx(np.exp(logvars), rel=1e-3)
    assert (np.abs(covariances[:, 0, 1]) > 1e-6).all()


def test_an_autoencoder_through_dlib_is_refused_and_leaves_nothing(tmp_path):
    model = trained(tmp_path / "model", "autoencoder")
    for metric in ("loss_decomposition", "precision_gap"):
        with pytest.raises(InputError, match="is a point"):
            evaluated(metric, model, tmp_path / metric)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]

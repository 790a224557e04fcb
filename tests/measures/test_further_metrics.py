# SPDX-License-Identifier: Apache-2.0
"""mcc, infomec, pca_score and self_consistency as metrics of dlib."""

import functools
import json

import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only, and TensorFlow Hub after dlib.
# isort: split
from test_metrics_mechanism import M1, Gaussian, export_linear_model

from vae_ortho_plugin import measures
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.decoder.metrics.evaluated import model_dir_from, points
from vae_ortho_plugin.decoder.metrics.infomec import infomec
from vae_ortho_plugin.decoder.metrics.mcc import mcc
from vae_ortho_plugin.decoder.metrics.pca_score import pca_score
from vae_ortho_plugin.decoder.metrics.self_consistency import self_consistency
from vae_ortho_plugin.dlib.steps.model_directory import find_model_dir
from vae_ortho_plugin.errors import InputError

BETA = 0.5
BEST = np.diag(1 / np.sqrt(1 + 2 / BETA * (M1**2).sum(axis=0)))


class TwoFactors(SplitGroundTruthData):
    """1,000 points whose observations are their factors, a class and a number."""

    def __init__(self, kinds=("categorical", "continuous")):
        self.factor_names, self.factor_kinds = ["shape", "size"], list(kinds)
        rng = np.random.default_rng(0)
        factors = np.stack([rng.integers(3, size=1000), rng.uniform(size=1000)], axis=1)
        super().__init__(factors.astype(np.float32)[:, :, None, None], factors)


def encode(images):
    return images[:, ::-1, 0, 0]


def consistency(directory, **settings):
    with model_dir_from(functools.partial(find_model_dir, str(directory))):
        return self_consistency(Gaussian(), None, np.random.RandomState(0), **settings)


def test_an_encoder_that_inverts_the_decoder_with_the_best_noise_is_consistent(tmp_path):
    model = export_linear_model(tmp_path, np.linalg.pinv(M1) * 10, M1 / 10, BEST)
    found = consistency(model, beta=BETA / 100)
    assert found["self_consistency"] == pytest.approx(1, rel=1e-5)
    assert found["self_consistency_active"] == pytest.approx(1, rel=1e-5)
    assert found["inversion_error"] == pytest.approx(0, abs=1e-8)
    assert (found["num_points"], found["num_active_latents"]) == (100, 2)


def test_the_ratio_and_the_error_of_another_encoder_are_known(tmp_path):
    encoder = np.eye(2, 3) * 0.1
    found = consistency(export_linear_model(tmp_path, encoder, M1, BEST * [3, 1]), beta=BETA)
    assert found["self_consistency"] == pytest.approx((9 + 1) / 2, rel=1e-5)
    assert (found["self_consistency_active"], found["active_latents"]) == (None, [])
    images, _ = next(points(Gaussian(), "test", None, np.random.RandomState(0)))
    means = images.reshape(-1, 3) @ encoder.T
    errors = ((means @ M1.T @ encoder.T - means) ** 2).sum(axis=1)
    assert found["inversion_error"] == pytest.approx(errors.mean(), rel=1e-4)


def test_the_noise_of_a_bernoulli_model_is_compared_by_its_curvature(tmp_path):
    encoder = np.eye(2, 3) * 0.1
    model = export_linear_model(tmp_path, encoder, M1, np.eye(2), "logits", "bernoulli_loss")
    images, _ = next(points(Gaussian(), "test", None, np.random.RandomState(0)))
    p = 1 / (1 + np.exp(-images.reshape(-1, 3) @ encoder.T @ M1.T))
    # The Hessian of the cross-entropy by the latents is M1' diag(p (1 - p)) M1.
    ratios = 1 + (p * (1 - p)) @ M1**2 / BETA
    assert consistency(model, beta=BETA)["self_consistency"] == pytest.approx(
        ratios.mean(), rel=1e-4
    )


@pytest.mark.parametrize("loss, beta", [("mine.l2_loss", BETA), ("squared_error", None)])
def test_without_beta_or_a_known_curvature_only_the_inversion_is_known(tmp_path, loss, beta):
    model = export_linear_model(tmp_path, np.eye(2, 3), M1, BEST, "linear", loss)
    found = consistency(model, beta=beta)
    assert found["self_consistency"] is found["self_consistency_active"] is None
    assert found["inversion_error"] > 0
    assert (found["loss_note"] is None) == (loss == "squared_error")


def test_the_metrics_of_factors_are_the_functions_on_the_test_split():
    data = TwoFactors()
    images, factors = data.split("test")
    found = mcc(data, encode, np.random.RandomState(0), correlation="spearman")
    expected = measures.mcc(encode(images), factors[:, 1:], "spearman")
    assert (found["mcc"], found["matched_latents"]) == (expected.mean, [0])
    assert (found["factor_names"], found["num_points"]) == (["size"], 100)
    found = infomec(data, encode, np.random.RandomState(0))
    expected = measures.infomec(encode(images), factors, data.factor_kinds)
    assert found["infoe"] == pytest.approx(expected.infoe)
    assert found["infom"] == pytest.approx(expected.infom, abs=0.02)  # the noise's seed
    assert (found["kept_latents"], found["factor_names"]) == ([0, 1], ["shape", "size"])


def test_the_pca_score_is_that_of_the_observations_of_the_test_split():
    data = TwoFactors()
    images, factors = data.split("test")
    found = pca_score(data, None, np.random.RandomState(0), num_neighbors=3, local_neighbors=9)
    seed = np.random.RandomState(0).randint(2**31)
    kinds = data.factor_kinds
    expected = measures.pca_score(images, factors, kinds, seed, 3, local_neighbors=9)
    assert found["pca_score"] == expected.pca_score and found["num_points"] == 100
    assert found["factor_angles"] == [None, expected.factor_angle]
    assert found["local_agreement"] is None  # one continuous factor
    json.dumps(found)
    one = TwoFactors(["continuous"])
    one.factor_names = ["size"]
    with pytest.raises(InputError, match="1 generating factor, and the PCA score needs at least 2"):
        pca_score(one, None, np.random.RandomState(0))


def test_what_a_metric_of_factors_cannot_know_is_none_or_refused():
    one_latent = infomec(TwoFactors(), lambda x: encode(x)[:, :1], np.random.RandomState(0))
    assert one_latent["infoc"] is None and one_latent["infom"] > 0
    names = TwoFactors(["categorical"] * 2)
    with pytest.raises(InputError, match="no continuous factors"):
        mcc(names, encode, np.random.RandomState(0))
    none = TwoFactors([])
    none.factor_names = []
    with pytest.raises(InputError, match="no generating factors, so there is no InfoMEC"):
        infomec(none, encode, np.random.RandomState(0))

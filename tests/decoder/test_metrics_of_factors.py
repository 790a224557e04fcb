# SPDX-License-Identifier: Apache-2.0
"""disentanglement_score, mcc, infomec and pca_score as metrics of dlib."""

import json

import numpy as np
import pytest
from metrics_support import TwoFactors

# isort: split
from disentanglement_lib.data.ground_truth import dummy_data
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import measures
from vae_ortho_plugin.decoder.metrics.of_factors import (
    disentanglement_score,
    infomec,
    mcc,
    pca_score,
)
from vae_ortho_plugin.errors import InputError


def encode(images):
    return images.reshape(len(images), -1)[:, 1::-1]


def run_score(data, encode, **settings):
    return disentanglement_score(data, encode, np.random.RandomState(0), **settings)


def test_score_metric_is_near_one_for_the_factors_themselves():
    result = run_score(TwoFactors(), lambda images: images.reshape(len(images), -1)[:, :5])
    assert result["disentanglement_score"] > 0.8
    assert np.argmax(result["score_matrix"], axis=0).tolist() == [0, 1]
    assert np.shape(result["score_matrix"]) == (5, 2)
    assert result["factor_names"] == ["shape", "size"]
    assert result["factor_kinds"] == ["categorical", "continuous"]
    assert result["num_points"] == 100
    json.dumps(result)


def test_data_without_splits_is_sampled():
    images_seen = []

    def encode(images):
        images_seen.append(len(images))
        return images.reshape(len(images), -1)[:, :2]

    result = run_score(dummy_data.DummyData(), encode, num_points=600)
    assert result["num_points"] == sum(images_seen) == 600
    assert result["disentanglement_score"] < 0.1


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
    assert found["pca_score"] == expected.score and found["num_points"] == 100
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
    with pytest.raises(InputError, match="no generating factors, so there is no InfoMEC"):
        infomec(TwoFactors([]), encode, np.random.RandomState(0))

    class OwnData(GroundTruthData):
        num_factors = 2

    with pytest.raises(InputError, match="OwnData.*attributes factor_names and factor_kinds"):
        disentanglement_score(OwnData(), None, np.random.RandomState(0))

# SPDX-License-Identifier: Apache-2.0
"""dlib's metrics on data with too few generating factors, or with one that does not vary."""

from typing import ClassVar

import gin
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.evaluation.metrics import mig
from disentanglement_lib.utils import resources
from dlib_support import fresh_gin  # noqa: F401

from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.decoder.metrics import evaluated
from vae_ortho_plugin.dlib.patches import metrics
from vae_ortho_plugin.errors import InputError

CONFIGS = "config/tests/evaluation/evaluate_test_configs"
IMAGES = np.random.RandomState(0).random_sample((500, 3, 1, 1)).astype(np.float32)


class OneFactor(SplitGroundTruthData):
    factor_names: ClassVar = ["width"]
    factor_kinds: ClassVar = ["categorical"]
    factors_num_values: ClassVar = [5]

    def __init__(self):
        super().__init__(IMAGES, (IMAGES[:, 0, 0] * 5).astype(int))


def encode(images):
    return images.reshape(len(images), -1)[:, :2]


def metric_of(config):
    """The metric that a gin file of dlib's own tests configures."""
    assert evaluate  # its import registers the metrics
    gin.parse_config_file(resources.get_file(f"{CONFIGS}/{config}.gin"))
    return gin.query_parameter("evaluation.evaluation_fn").scoped_configurable_fn


def call(metric, data):
    return metric(data, encode, random_state=np.random.RandomState(0), artifact_dir=None)


WITH_CONFIG = {
    name: f"{name}_boosted_trees" if name == "downstream_task" else name
    for name in metrics.PATCHES
    if name not in ("strong_downstream_task", "unified_scores")
}


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_a_metric_of_factors_refuses_data_without_factors(name):
    metric = metric_of(WITH_CONFIG[name])
    with pytest.raises(InputError, match=f"has no generating factors, so there is no {name}"):
        call(metric, SplitGroundTruthData(IMAGES))


@pytest.mark.parametrize("name", ["strong_downstream_task", "unified_scores"])
def test_metrics_without_a_test_config_refuse_data_without_factors(name):
    metric = gin.get_configurable(name)
    with pytest.raises(InputError, match=f"no {name}; use data with known factors"):
        metric(
            SplitGroundTruthData(IMAGES),
            encode,
            random_state=np.random.RandomState(0),
            num_train=[10] if name == "strong_downstream_task" else 10,
            num_test=10,
            **({"n_experiment": 1} if name == "strong_downstream_task" else {"matrix_fns": []}),
        )


@pytest.mark.parametrize("name", ["beta_vae", "fairness"])
def test_a_metric_that_tells_factors_apart_refuses_a_single_factor(name):
    with pytest.raises(InputError, match=f"has 1 generating factor, and {name} needs at least 2"):
        call(metric_of(name), OneFactor())


class OneVaries(SplitGroundTruthData):
    factor_names: ClassVar = ["width", "height"]
    factor_kinds: ClassVar = ["categorical", "categorical"]
    factors_num_values: ClassVar = [5, 5]

    def __init__(self):
        super().__init__(IMAGES, np.stack([np.arange(500) % 5, np.zeros(500, int)], axis=1))


@pytest.mark.parametrize("name", sorted(WITH_CONFIG.keys() - metrics.OF_ANY_FACTORS))
def test_a_factor_that_does_not_vary_is_named(name):
    with pytest.raises(InputError, match=f"'height' of .* same value .* so that {name} is not def"):
        call(metric_of(WITH_CONFIG[name]), OneVaries())


def test_a_data_set_without_points_in_a_split_is_answered_with_what_to_bind():
    @evaluated.metric("points_of_a_batch", "split")
    def points_of_a_batch(of):
        return len(next(of.points())[0])

    data = SplitGroundTruthData(IMAGES, sizes=(500, 0, 0))
    assert points_of_a_batch(data, None, None, split="train") == 256
    with pytest.raises(InputError, match="The test split of the data has no points. Bind"):
        points_of_a_batch(data, None, None)


def test_a_metric_of_one_factor_is_what_it_is_without_the_plugin():
    gin.parse_config_file(resources.get_file(f"{CONFIGS}/mig.gin"))
    found = call(mig.compute_mig, OneFactor())["discrete_mig"]
    # The first latent is the factor's own scale: 10 of its bins make a class exact.
    assert 0.6 < found <= 1
    assert gin.operative_config_str().count("mig.num_train") == 1
    by_position = mig.compute_mig(OneFactor(), encode, np.random.RandomState(0), None, 200)
    assert 0 <= by_position["discrete_mig"] <= 1

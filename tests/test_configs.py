# SPDX-License-Identifier: Apache-2.0
import gin
import pytest
from disentanglement_lib.evaluation import evaluate  # noqa: F401, registers the metrics
from disentanglement_lib.methods.unsupervised import train  # noqa: F401, registers the models
from disentanglement_lib.postprocessing import postprocess  # noqa: F401

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.gin_files import bindings, gin_config

MODELS = (*("beta_vae", "vae", "autoencoder", "beta_vae_sigma", "polarized_vae", "random_decoder"),)
# data set file -> beta, steps: epochs x training points / batch size
DATA_SETS = {
    "synth_linear": (1e-4, 600 * 40_000 / 64),
    "synth_nonlinear": (1e-3, 600 * 40_000 / 64),
    "mnist": (1.0, 400 * 56_000 / 64),
    "fashion_mnist": (1.0, 500 * 56_000 / 64),
    "dsprites": (4.0, 50 * 589_824 / 64),
}


@pytest.fixture
def configure():
    """Parses gin files and bindings as dlib's scripts do."""

    def configure(*names, extra=()):
        files = [str(gin_config(f"{name}.gin")) for name in names]
        gin.parse_config_files_and_bindings(files, list(extra))
        return gin.get_bindings("model")

    gin.clear_config()
    yield configure
    gin.clear_config()


@pytest.mark.parametrize("model", MODELS)
def test_a_model_file_alone_is_synth_linear(model, configure):
    from_model = set(bindings(gin_config(f"{model}.gin")))
    from_data = set(bindings(gin_config("datasets/synth_linear.gin")))
    own = {"model.model", "model.random_seed", "model.training_steps", "standard/vae.beta"}
    assert {line for line in from_model - from_data if line.split(" = ")[0] not in own} == set()
    assert configure(model)["training_steps"] == (0 if model == "random_decoder" else 375_000)


@pytest.mark.parametrize("data_set", DATA_SETS)
@pytest.mark.parametrize("model", MODELS)
def test_a_data_set_file_sets_steps_and_beta_of_whichever_model(model, data_set, configure):
    beta, steps = DATA_SETS[data_set]
    parameters = configure(model, f"datasets/{data_set}")
    assert parameters["training_steps"] == (0 if model == "random_decoder" else steps)
    assert getattr(parameters["model"], "beta", None) == {"vae": 1.0, "autoencoder": None}.get(
        model, beta
    )


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_data_set_files_set_the_same_things_so_that_the_last_one_wins(data_set):
    def keys(name):
        lines = bindings(gin_config(f"datasets/{name}.gin"))
        return {line.split(" = ")[0] for line in lines}

    networks = ("mlp_", "AdamOptimizer.", "AdagradOptimizer.")
    assert {key for key in keys(data_set) if not key.startswith(networks)} == {
        key for key in keys("synth_linear") if not key.startswith(networks)
    }


def test_bindings_outrank_both_files(configure):
    parameters = configure(
        "beta_vae", "datasets/mnist", extra=["model.training_steps = 1000", "vae.beta = 2.5"]
    )
    assert parameters["training_steps"] == 1000
    assert parameters["model"].beta == 2.5


@pytest.mark.parametrize(
    "name", ["postprocess/mean", "metrics/dto", "metrics/disentanglement_score"]
)
def test_postprocessing_and_metrics_take_the_data_set_from_the_model(name, configure):
    configure(name)
    assert gin.query_parameter("dataset.name") == "auto"


def test_a_gin_file_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(InputError, match=r"'vea.gin'.*beta_vae.gin.*datasets/mnist.gin"):
        gin_config("vea.gin")

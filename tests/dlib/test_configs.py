# SPDX-License-Identifier: Apache-2.0
import gin
import pytest
from disentanglement_lib.evaluation import evaluate  # noqa: F401, registers the metrics
from disentanglement_lib.methods.unsupervised import train  # noqa: F401, registers the models
from disentanglement_lib.postprocessing import postprocess  # noqa: F401
from processes import run_python

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import Reference, gin_config, read_bindings

MODELS = (
    *("beta_vae", "vae", "autoencoder", "beta_vae_sigma", "polarized_vae", "random_decoder"),
    "linearized_vae",
)
# data set file -> beta, epochs, training points, batch size
DATA_SETS = {
    "synth_linear": (1e-4, 600, 40_000, 16),
    "synth_nonlinear": (1e-3, 600, 40_000, 16),
    "mnist": (1.0, 400, 56_000, 64),
    "fashion_mnist": (1.0, 500, 56_000, 64),
    "dsprites": (4.0, 50, 589_824, 64),
    "celeba": (4.0, 50, 162_079, 64),
}


@pytest.fixture
def configure():
    """Parses gin files as dlib's scripts do."""

    def configure(*names):
        gin.parse_config_files_and_bindings([str(gin_config(f"{name}.gin")) for name in names], [])
        return gin.get_bindings("model")

    gin.clear_config()
    yield configure
    gin.clear_config()


def of_data_set(name):
    return read_bindings(gin_config(f"datasets/{name}.gin"))


@pytest.mark.parametrize("model", MODELS)
def test_a_model_file_alone_is_synth_linear(model, configure):
    from_model = read_bindings(gin_config(f"{model}.gin"))
    from_data = read_bindings(gin_config("datasets/synth_linear.gin"))
    if model == "linearized_vae":
        for protocol in ("synthetic_batch_64", "dial_synth_linear"):
            from_data |= read_bindings(gin_config(f"protocols/{protocol}.gin"))
    own = {"model.model", "model.random_seed", "model.training_steps", "standard/vae.beta"}
    own.add("linearized_vae.orthogonality")
    assert {name: value for name, value in from_model.items() if name not in own} == from_data
    steps = {"random_decoder": 0, "linearized_vae": 375_000}.get(model, 1_500_000)
    assert configure(model)["training_steps"] == steps


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_a_data_set_file_sets_steps_and_beta_of_whichever_model(data_set, configure):
    beta, epochs, points, batch = DATA_SETS[data_set]
    steps = epochs * points // batch
    betas = {**dict.fromkeys(MODELS, beta), "vae": 1.0, "autoencoder": None}
    for model in MODELS:
        gin.clear_config()
        parameters = configure(model, f"datasets/{data_set}")
        assert parameters["training_steps"] == (0 if model == "random_decoder" else steps)
        assert getattr(parameters["model"], "beta", None) == betas[model]
    values = of_data_set(data_set)
    names = ("training_steps", "epochs", "model.batch_size")
    assert [values[name] for name in names] == [steps, epochs, batch]


@pytest.mark.parametrize("data_set", DATA_SETS)
def test_a_data_set_file_replaces_every_parameter_of_what_it_uses_in_any_file_before_it(data_set):
    own = of_data_set(data_set)
    used = {value.name for value in own.values() if isinstance(value, Reference)}
    used |= {name.partition(".")[0] for name in own}
    replaced = {*own, "model.model", "model.random_seed", "model.training_steps"}
    replaced.add("linearized_vae.orthogonality")
    if own.get("mlp_encoder.layers") == own.get("mlp_decoder.layers") == []:
        replaced |= {"mlp_encoder.activation", "mlp_decoder.activation"}  # of no layer
    place = gin_config("vae.gin").parent
    files = [
        path for folder in (".", "datasets", "protocols") for path in place.glob(f"{folder}/*.gin")
    ]
    assert len(files) > 20
    left = {file.name: read_bindings(file).keys() - replaced for file in files}
    assert {
        (file, name) for file in left for name in left[file] if name.partition(".")[0] in used
    } == set()


@pytest.mark.parametrize("folder", ["postprocess", "metrics"])
def test_postprocessing_and_metrics_take_the_data_set_from_the_model(folder):
    files = list(gin_config("vae.gin").parent.glob(f"{folder}/*.gin"))
    assert files and {read_bindings(file)["dataset.name"] for file in files} == {"auto"}


def test_a_gin_file_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(InputError, match=r"'vea.gin'.*beta_vae.gin.*datasets/mnist.gin"):
        gin_config("vea.gin")


def test_a_gin_file_of_the_plugin_is_found_from_anywhere_after_the_users_own(
    configure, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gin.config, "_LOCATION_PREFIXES", list(gin.config._LOCATION_PREFIXES))

    def name_in(file):
        gin.clear_config()
        gin.parse_config_file(file)
        return gin.query_parameter("dataset.name")

    assert name_in("vae.gin") == name_in("gin_configs/vae.gin") == "synth_linear"
    assert name_in("gin_configs/metrics/dto.gin") == "auto"
    (tmp_path / "own").mkdir()
    (tmp_path / "own/vae.gin").write_text("dataset.name = 'added'\n")
    gin.add_config_file_search_path(str(tmp_path / "own"))
    assert name_in("vae.gin") == "added"
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/synth_linear.gin").write_text("dataset.name = 'mine'\n")
    assert name_in("beta_vae.gin") == "mine"
    assert read_bindings(gin_config("beta_vae.gin"))["dataset.name"] == "mine"


def test_gin_files_are_read_without_tensorflow_and_numpy():
    program = (
        "import sys\nfrom vae_ortho_plugin.files.gin_files import gin_config, read_bindings\n"
        "assert read_bindings(gin_config('vae.gin'))['epochs'] == 600\n"
        "assert not {'tensorflow', 'numpy'} & set(sys.modules)"
    )
    assert run_python("-c", program).stderr == ""


PROTOCOLS = {
    "synthetic_batch_8": ("synth_linear", "model.batch_size", 8),
    "synthetic_batch_32": ("synth_linear", "model.batch_size", 32),
    "synthetic_batch_64": ("synth_nonlinear", "model.batch_size", 64),
    "dial_synth_linear": ("synth_linear", "AdamOptimizer.beta1", 0.99),
    "dial_synth_nonlinear": ("synth_nonlinear", "AdamOptimizer.learning_rate", 0.0003),
    "linear_output_map": ("synth_nonlinear", "synth_nonlinear.tanh", "hidden"),
    "per_tensor_adam": ("synth_nonlinear", "PerTensorAdam.learning_rate", 0.001),
    "per_tensor_adagrad": ("fashion_mnist", "PerTensorAdagrad.learning_rate", 0.01),
    "l2": ("synth_linear", "L2Adam.l2", 0.01),
    "squared_error": ("mnist", "reconstruction_loss.activation", "linear"),
}


@pytest.mark.parametrize(
    "protocol", sorted(path.stem for path in gin_config("vae.gin").parent.glob("protocols/*.gin"))
)
def test_a_protocol_file_changes_one_respect_of_a_data_set_file(protocol, configure):
    data_set, parameter, value = PROTOCOLS[protocol]
    configure("beta_vae", f"datasets/{data_set}", f"protocols/{protocol}")
    assert gin.query_parameter(parameter) == value
    own = read_bindings(gin_config(f"protocols/{protocol}.gin"))
    assert len(own) <= 3
    if "training_steps" in own:
        assert own["training_steps"] * own["model.batch_size"] == 600 * 40_000
    if "vae_optimizer.optimizer_fn" in own:
        assert own["vae_optimizer.optimizer_fn"].name in parameter

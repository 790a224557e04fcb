# SPDX-License-Identifier: Apache-2.0

import subprocess
import sys

import numpy as np
import pytest
from data_own_support import BETA_VAE, QUICK, folder, fresh, through_every_step  # noqa: F401
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.utils import results
from disentanglement_lib.visualize import visualize_dataset

from vae_ortho_plugin import data
from vae_ortho_plugin.data.sampling.binning import NUM_STEPS, Binning
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.gin_files import gin_config
from vae_ortho_plugin.study.run.reproduce import dlib_script


class Halves(GroundTruthData):
    """Images [4, 4, 1] with two halves, whose brightnesses are the factors."""

    factor_names = ("upper", "lower")
    factor_kinds = ("continuous", "continuous")
    num_factors = 2
    observation_shape = (4, 4, 1)

    def sample_factors(self, num, random_state):
        return random_state.random_sample((num, 2)) * 0.8 + 0.1

    def sample_observations_from_factors(self, factors, random_state):
        return np.repeat(factors, 8, axis=1).reshape(-1, 4, 4, 1).astype(float)


class Steps(Halves):
    """The same with class numbers for factors."""

    factor_kinds = ("categorical", "continuous")
    factors_num_values = (5, 5)

    def sample_factors(self, num, random_state):
        return random_state.randint(5, size=(num, 2))


@pytest.mark.parametrize("made", [Halves, pytest.param(Steps, marks=pytest.mark.long)])
def test_a_registered_data_set_goes_through_every_step(made, tmp_path):
    data.register("mine", made)
    mig, _, score = through_every_step(tmp_path, "dataset.name = 'mine'")
    assert np.isfinite(mig["discrete_mig"])
    assert score["factor_kinds"] == list(made.factor_kinds)
    visualize_dataset.visualize_dataset("mine", str(tmp_path / "factors"), 1, num_frames=3)
    assert (tmp_path / "factors/mine/variations_of_factor0.png").is_file()


def test_factors_on_a_scale_are_steps_to_dlib_and_numbers_to_the_plugin():
    data.register("mine", Halves)
    mine = named_data.get_named_ground_truth_data("mine")
    factors, images = mine.sample(1000, np.random.RandomState(0))
    assert factors.dtype == np.int64 and mine.factors_num_values == [NUM_STEPS] * 2
    assert set(np.unique(factors)) == set(range(NUM_STEPS))
    exact, again = mine.sample_unbinned(1000, np.random.RandomState(0))
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(images[:, 0, 0, 0], exact[:, 0])
    drawn = mine.sample_observations_from_factors(factors, np.random.RandomState(1))
    assert np.abs(drawn[:, 0, 0, 0] - exact[:, 0]).max() < 0.8 / NUM_STEPS * 1.01


def test_few_values_keep_their_classes():
    binning = Binning(np.array([[0.5, 3], [1.5, 4], [0.5, 4]]), [False, True])
    assert binning.num_values == [2, 2]
    classes = binning.classes(np.array([[1.5, 3], [0.5, 4]]))
    np.testing.assert_array_equal(classes, [[1, 0], [0, 1]])
    drawn = binning.draw(classes, np.random.RandomState(0))
    np.testing.assert_array_equal(drawn, [[1.5, 3], [0.5, 4]])


@pytest.mark.parametrize("name", ["mnist", "cars3d", "auto", "two words", 3])
def test_a_name_that_is_taken_or_no_name_is_refused(name):
    with pytest.raises(InputError, match="belongs to another data set|is no name for a data set"):
        data.register(name, Halves)


def test_what_is_no_data_set_is_answered_with_what_it_lacks():
    data.register("mine", dict)
    with pytest.raises(InputError, match="mine is a dict without num_factors, observation_shape"):
        named_data.get_named_ground_truth_data("mine")


MODULE = """
import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

@gin.configurable
class Mine{number}(GroundTruthData):
    factor_names, factor_kinds, num_factors = ["upper", "lower"], ["continuous"] * 2, 2
    def __init__(self, side=4):
        self._side = side
    @property
    def observation_shape(self):
        return [self._side, self._side, 1]
    def sample_factors(self, num, random_state):
        return random_state.random_sample((num, 2))
    def sample_observations_from_factors(self, factors, random_state):
        half = self._side ** 2 // 2
        return np.repeat(factors, half, axis=1).reshape(-1, *self.observation_shape).astype(float)
"""


def project(folder, number, reference):
    """A gin file that imports the module beside it."""
    folder.mkdir()
    (folder / f"my_data{number}.py").write_text(MODULE.format(number=number))
    text = f"import my_data{number}\ninclude '{BETA_VAE}'\ndataset.name = {reference}\n"
    (folder / "mine.gin").write_text(f"{text}Mine{number}.side = 6\n")
    return str(folder / "mine.gin")


@pytest.mark.parametrize(
    "number, reference", [(1, "@Mine1()"), pytest.param(2, "@Mine2", marks=pytest.mark.long)]
)
def test_a_reference_to_a_module_beside_the_gin_file_works_through_every_step(
    number, reference, tmp_path
):
    config = project(tmp_path / "project", number, reference)
    _, _, score = through_every_step(tmp_path, config=config)
    assert score["factor_names"] == ["upper", "lower"]
    config = results.gin_dict(str(tmp_path / "score/results/gin/evaluation.gin"))
    assert config["dataset.name"] == reference and config[f"Mine{number}.side"] == "6"


@pytest.mark.long
def test_a_later_script_elsewhere_finds_the_module_again(tmp_path):
    config = project(tmp_path / "project", 3, "@Mine3()")
    (tmp_path / "elsewhere").mkdir()
    model, bindings = tmp_path / "model", [f"--gin_bindings={line}" for line in QUICK]
    for script, *arguments in (
        ("dlib_train", f"--gin_config={config}", f"--model_dir={model}", *bindings),
        (
            "dlib_evaluate",
            f"--gin_config={gin_config('metrics/disentanglement_score.gin')}",
            f"--input_dir={model}",
            f"--output_dir={tmp_path / 'score'}",
        ),
    ):
        command = [sys.executable, dlib_script(script), *arguments]
        subprocess.run(command, check=True, cwd=tmp_path / "elsewhere")
    assert (tmp_path / "score/results").is_dir()


def test_a_module_that_is_not_there_is_answered_with_where_it_was_looked_for(tmp_path):
    (tmp_path / "mine.gin").write_text(f"import no_such_module\ninclude '{BETA_VAE}'\n")
    with pytest.raises(InputError, match="no_such_module.*beside the gin file"):
        train.train_with_gin(str(tmp_path / "model"), False, [str(tmp_path / "mine.gin")], [])

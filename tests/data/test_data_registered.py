# SPDX-License-Identifier: Apache-2.0
"""A user's own data set: registered by a name, or a gin reference to a module."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from disentanglement_lib.data.ground_truth import named_data
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from disentanglement_lib.postprocessing import postprocess
from disentanglement_lib.utils import results
from disentanglement_lib.visualize import visualize_dataset, visualize_model

from vae_ortho_plugin import data, evaluate
from vae_ortho_plugin.data.correlated import CorrelatedData
from vae_ortho_plugin.data.sampling.binning import NUM_STEPS, Binning
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.data.sampling.split_data import SplitGroundTruthData
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config
from vae_ortho_plugin.study.run.reproduce import dlib_script

named = named_data.get_named_ground_truth_data
LOGITS = "reconstruction_loss.activation = 'logits'"


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(data, "_registered", {})


def random_state(seed=0):
    return np.random.RandomState(seed)


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

    factors_num_values = (5, 5)

    def sample_factors(self, num, random_state):
        return random_state.randint(5, size=(num, 2))


def test_a_registered_data_set_goes_through_every_step(tmp_path, train_briefly, evaluated):
    data.register("mine", Halves)
    model = train_briefly("dataset.name = 'mine'", LOGITS)
    visualize_model.visualize(model, str(tmp_path / "pictures"), num_animations=1, num_frames=2)
    assert list((tmp_path / "pictures").rglob("*.png"))
    post, mean = str(tmp_path / "post"), str(gin_config("postprocess/mean.gin"))
    postprocess.postprocess_with_gin(model, post, False, [mean])
    found = evaluate(post, metrics="mig", gin_bindings="mig.num_train = 500")
    assert 0 <= found["mig"]["discrete_mig"] <= 1
    assert evaluated(model, "dto")["dto"] >= 0
    score = evaluated(model, "disentanglement_score")
    assert score["factor_kinds"] == ["continuous"] * 2
    visualize_dataset.visualize_dataset("mine", str(tmp_path / "factors"), 1, num_frames=2)
    assert (tmp_path / "factors/mine/variations_of_factor0.png").is_file()


def test_class_numbers_stay_as_they_are_and_sizes_are_lists_as_dlib_needs_them():
    data.register("mine", Steps)
    mine = named("mine")
    assert mine.factors_num_values == [5, 5] and mine.observation_shape == [4, 4, 1]
    expected = Steps().sample(10, random_state())
    np.testing.assert_array_equal(mine.sample(10, random_state())[0], expected[0])


def test_factors_on_a_scale_are_steps_to_dlib_and_numbers_to_the_plugin():
    data.register("mine", Halves)
    mine = named("mine")
    factors, images = mine.sample(1000, random_state())
    assert factors.dtype == np.int64 and mine.factors_num_values == [NUM_STEPS] * 2
    assert set(np.unique(factors)) == set(range(NUM_STEPS))
    exact, again = mine.sample_unbinned(1000, random_state())
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(images[:, 0, 0, 0], exact[:, 0])
    drawn = mine.sample_observations_from_factors(factors, random_state(1))
    assert np.abs(drawn[:, 0, 0, 0] - exact[:, 0]).max() < 0.8 / NUM_STEPS * 1.01


def test_few_values_have_classes_of_their_own():
    binning = Binning(np.array([[0.5, 3], [1.5, 4], [0.5, 4]]).T, ["continuous", "categorical"])
    assert binning.num_values == [2, 2]
    classes = binning.classes(np.array([[1.5, 3], [0.5, 4]]).T)
    np.testing.assert_array_equal(classes, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(binning.draw(classes, random_state()), [[1.5, 3], [0.5, 4]])
    names, dates = np.arange(100, 130).astype(str), np.arange(30).astype("M8[D]")
    binning = Binning([names, dates], ["continuous"] * 2)
    assert binning.num_values == [30, 30]
    drawn = binning.draw(np.array([[1, 2]]), random_state())
    assert drawn.tolist() == [["101", dates[2].item()]]


@pytest.mark.parametrize(
    "least, largest, dtype",
    [
        (-90, 90, np.int8),
        (-(2**62), 2**62, np.int64),
        (2**62, 2**62 + 400, np.int64),  # one number in float64
        (0, 2**64 - 2**12, np.uint64),
        (-60_000, 60_000, np.float16),
        (-1e150, 1e150, np.float64),
    ],
)
def test_factors_of_every_type_have_steps_of_equal_width(least, largest, dtype):
    middles = [least + (largest - least) * (2 * k + 1) // (2 * NUM_STEPS) for k in range(NUM_STEPS)]
    column = np.array([least, *middles, largest], dtype)
    binning = Binning([column], ["continuous"])
    classes = binning.classes([column])
    np.testing.assert_array_equal(classes[:, 0], [0, *range(NUM_STEPS), NUM_STEPS - 1])
    drawn = binning.draw(classes, random_state())
    assert drawn.min() >= float(least) and drawn.max() <= float(largest)


def spoilt(spoil):
    """Halves whose factors go through `spoil`."""

    class Spoilt(Halves):
        def sample_factors(self, num, random_state):
            return spoil(super().sample_factors(num, random_state))

    return Spoilt


def with_value(value, dtype=float):
    def spoil(factors):
        factors = factors.astype(dtype)
        factors[-1, 1] = value
        return factors

    return spoil


@pytest.mark.parametrize(
    "spoil, message",
    [
        (with_value(np.nan, object), r"factors\[:, 1\]\[9999\] is nan, which is not finite"),
        (with_value("far", object), r"factors\[:, 1\] has strings and 0\.\d+"),
        (with_value(None, object), "of the type object"),
        (lambda factors: np.full(factors.shape, "NaT", "M8[s]"), r"factors\[:, 0\]\[0\] is NaT"),
        (
            lambda factors: np.rec.fromarrays(factors.T, names="upper,lower"),
            r"have the shape \(10000,\).*asks for an array of the shape \[points, 2\]",
        ),
    ],
)
def test_factors_that_are_no_finite_values_are_refused(spoil, message):
    data.register("mine", spoilt(spoil))
    with pytest.raises(InputError, match=f"data set mine: .*{message}"):
        named("mine")


@pytest.mark.parametrize("method", ["sample", "sample_factors", "sample_unbinned"])
def test_a_factor_that_is_missing_later_is_refused_when_it_is_drawn(method):
    data.register("mine", spoilt(lambda f: f if len(f) > 100 else with_value(np.nan)(f)))
    mine = named("mine")
    with pytest.raises(InputError, match=r"factors\[:, 1\]\[99\] is nan"):
        getattr(mine, method)(100, random_state())


def test_a_data_set_with_splits_needs_ten_points_and_finite_factors():
    class Mine(SplitGroundTruthData):
        pass

    with pytest.raises(InputError, match=r"Mine: factors\[:, 0\]\[3\] is inf"):
        Mine(np.zeros((20, 4, 4, 1)), np.where(np.arange(20) == 3, np.inf, 0)[:, np.newaxis])
    with pytest.raises(InputError, match="9 points cannot be split"):
        Mine(np.zeros((9, 4, 4, 1)))


def test_a_name_that_is_taken_or_no_name_is_refused():
    for name in ("mnist", "cars3d", "abstract_dsprites", "auto"):
        with pytest.raises(InputError, match="belongs to another data set"):
            data.register(name, Halves)
    for name in ("two words", 3):
        with pytest.raises(InputError, match="is no name for a data set"):
            data.register(name, Halves)


@pytest.mark.parametrize(
    "base, changed, message",
    [
        (dict, {}, "is a Mine without num_factors, observation_shape"),
        (GroundTruthData, {"num_factors": 0}, "without observation_shape"),
        (Halves, {"factor_kinds": ["continuous"]}, "has 2 factors, .* a kind for each"),
        (Halves, {"factor_names": ["x", "x"]}, "has 2 factors, .* a name of its own"),
        (spoilt(lambda factors: [[1], [2, 3]]), {}, "factors cannot be converted"),
    ],
)
def test_what_is_no_data_set_is_answered_with_what_it_lacks(base, changed, message):
    data.register("mine", type("Mine", (base,), changed))
    with pytest.raises(InputError, match=f"(?i)data set mine.* {message}"):
        named("mine")


def test_kinds_that_are_unknown_are_asked_for_with_the_users_class():
    data.register("mine", type("Mine", (Halves,), {"factor_kinds": property()}))
    with pytest.raises(InputError, match="Which factors of the data set Mine are"):
        named_kinds(named("mine"))


def test_factors_are_correlated_by_the_numbers_of_their_values():
    unknown = {"factors_num_values": GroundTruthData.factors_num_values}
    data.register("mine", type("Mine", (Steps,), unknown))
    with pytest.raises(InputError, match="must say how many values each of its 2 factors has"):
        CorrelatedData("mine", ["upper", "lower"])


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
    text = f"import my_data{number}\ninclude {str(gin_config('beta_vae.gin'))!r}\n"
    text += f"dataset.name = {reference}\nMine{number}.side = 6\n{LOGITS}\n"
    (folder / "mine.gin").write_text(text)
    return str(folder / "mine.gin")


@pytest.mark.parametrize(
    "number, reference", [(1, "@Mine1()"), pytest.param(2, "@Mine2", marks=pytest.mark.long)]
)
def test_a_later_step_finds_the_data_set_of_a_module_beside_the_gin_file(
    number, reference, tmp_path, train_briefly, evaluated
):
    model = train_briefly(configs=[project(tmp_path / "project", number, reference)])
    score = evaluated(model, "disentanglement_score")
    assert score["factor_names"] == ["upper", "lower"]
    written = tmp_path / "disentanglement_score/results/gin/evaluation.gin"
    config = results.gin_dict(str(written))
    assert config["dataset.name"] == reference and config[f"Mine{number}.side"] == "6"


@pytest.mark.long
def test_a_later_script_elsewhere_finds_the_module_again(tmp_path):
    config = project(tmp_path / "project", 3, "@Mine3()")
    score = gin_config("metrics/disentanglement_score.gin")
    (tmp_path / "elsewhere").mkdir()
    for script, *arguments in (
        ("dlib_train", f"--gin_config={config}", "--gin_bindings=model.training_steps = 3"),
        ("dlib_evaluate", f"--gin_config={score}", "--output_dir=score"),
    ):
        folder = "--input_dir" if script == "dlib_evaluate" else "--model_dir"
        command = [sys.executable, dlib_script(script), *arguments, f"{folder}=model"]
        subprocess.run(command, check=True, cwd=tmp_path / "elsewhere")
    assert Path(tmp_path / "elsewhere/score/results").is_dir()


def test_a_module_that_is_not_there_is_answered_with_where_it_was_looked_for(
    tmp_path, train_briefly
):
    path = tmp_path / "mine.gin"
    path.write_text("import no_such_module\n")
    with pytest.raises(InputError, match="no_such_module.*beside the gin file"):
        train_briefly(configs=["beta_vae.gin", str(path)])

# SPDX-License-Identifier: Apache-2.0
"""A user's own files: a npz file, and a folder of images."""

from pathlib import Path

import numpy as np
import pytest
from disentanglement_lib.visualize import visualize_model
from PIL import Image

from vae_ortho_plugin.data.image_folder import ImageFolder
from vae_ortho_plugin.data.npz_data import NpzData
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.data.sampling.split_data import SPLITS
from vae_ortho_plugin.errors import InputError

BERNOULLI = (
    "reconstruction_loss.loss_fn = @bernoulli_loss",
    "reconstruction_loss.activation = 'logits'",
)


@pytest.fixture
def save(tmp_path):
    """Saves arrays as a npz file and returns its path, which has characters of patterns."""

    def run(save_as=np.savez, **arrays):
        path = tmp_path / "[my] data?/mine.npz"
        path.parent.mkdir(exist_ok=True)
        save_as(path, **arrays)
        return str(path)

    return run


def pictures(number=60):
    """Images whose first pixel is their number."""
    images = np.random.RandomState(0).randint(256, size=(number, 8, 8, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(number)
    return images


def numbers_of(data, *splits):
    return np.concatenate([np.rint(data.split(s)[0][:, 0, 0, 0] * 255) for s in splits])


def records(number, **changed):
    """What the to_records() of a data frame gives."""
    columns = {"shape": np.arange(number) % 3, "place": np.linspace(0, 1, number), **changed}
    return np.rec.fromarrays(list(columns.values()), names=list(columns))


def test_images_with_factors_are_trained_and_scored(save, train_briefly, evaluated):
    factors = np.random.RandomState(0).randint(3, size=(300, 2))
    path = save(
        images=np.repeat(factors * 100, 32, axis=1).astype(np.uint8).reshape(300, 8, 8),
        factors=factors,
        factor_names=["shape", "place"],
        factor_kinds=["categorical", "continuous"],
    )
    model = train_briefly("dataset.name = 'npz'", f"npz.path = {path!r}", *BERNOULLI)
    score = evaluated(model, "disentanglement_score")
    assert score["factor_names"] == ["shape", "place"]
    assert score["factor_kinds"] == ["categorical", "continuous"]


def test_vectors_without_factors_are_trained_visualized_and_have_a_dto(
    save, tmp_path, train_briefly, evaluated
):
    # The only array of a file may have any name.
    path = save(z=np.random.RandomState(0).standard_normal((100, 5)))
    model = train_briefly("dataset.name = 'npz'", f"npz.path = {path!r}")
    visualize_model.visualize(model, str(tmp_path / "pictures"))
    assert (tmp_path / "pictures/reconstructions.png").is_file()
    assert evaluated(model, "dto")["dto"] >= 0


@pytest.mark.parametrize("value, shown", [(-0.1, "-0.1 and 1"), (1.5, "0 and 1.5")])
def test_images_outside_of_the_range_of_the_bernoulli_loss_are_refused(
    save, tmp_path, train_briefly, value, shown
):
    images = np.linspace(0, 1, 20 * 64).reshape(20, 8, 8)
    images[3, 0, 0] = value
    path = save(images=images, splits=["train"] * 20)
    with pytest.raises(InputError, match=f"images of npz lie between {shown}, and"):
        train_briefly("dataset.name = 'npz'", f"npz.path = {path!r}", *BERNOULLI)
    assert not list(tmp_path.glob("model*"))


def test_uint8_images_stay_bytes_and_are_split_by_a_seed(save):
    path = save(images=pictures())
    mine = NpzData(path)
    assert [len(mine.split(name)[0]) for name in SPLITS] == [48, 6, 6]
    numbers = numbers_of(mine, *SPLITS)
    np.testing.assert_array_equal(np.sort(numbers), np.arange(60))
    assert not np.array_equal(numbers, np.arange(60))
    observations, scale = resident_observations(mine)
    assert observations.dtype == np.uint8 and scale == 1 / 255
    assert np.shares_memory(observations, resident_observations(NpzData(path))[0])
    assert not np.array_equal(numbers_of(NpzData(path, seed=1), *SPLITS), numbers)
    assert mine.num_factors == 0 and mine.factor_kinds == []


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
def test_arrays_of_other_shapes_and_types_are_taken(save, save_as):
    for images, shape, dtype in (
        (np.ones((20, 4, 6)), [4, 6, 1], np.float32),
        (np.ones((20, 7), np.float16), [7, 1, 1], np.float32),
        (np.ones((20, 4, 6, 2), bool), [4, 6, 2], np.uint8),
        (np.asfortranarray(np.ones((20, 4, 6, 3))), [4, 6, 3], np.float32),
    ):
        mine = NpzData(save(save_as, observations=images))
        assert mine.observation_shape == shape
        observations, scale = mine.resident_observations()
        assert observations.dtype == dtype
        assert (observations * scale == 1).all()


@pytest.mark.parametrize("splits", [["test"] * 5 + ["train"] * 15, [2] * 5 + [0] * 15])
def test_given_splits_are_taken(save, splits):
    mine = NpzData(save(images=pictures(20), splits=splits))
    np.testing.assert_array_equal(numbers_of(mine, "test"), np.arange(5))
    assert len(mine.split("train")[0]) == 15 and len(mine.split("validation")[0]) == 0


def test_the_fields_of_a_structured_array_are_factors_and_names_are_class_numbers(save):
    factors = records(60, shape=np.array(["cat", "dog"] * 30), size=2**53 + np.arange(60) % 3)
    mine = NpzData(save(images=pictures(), factors=factors))
    assert mine.factor_names == ["shape", "place", "size"]
    assert mine.factor_kinds == ["categorical", "continuous", "categorical"]
    assert mine.factors_num_values == [2, 20, 3]
    shapes = mine.split("train")[1][:, 0]
    np.testing.assert_array_equal(shapes, numbers_of(mine, "train") % 2)


def test_observations_of_factors_are_training_points_that_have_them(save):
    factors = np.stack([np.arange(60) % 3, np.arange(60) // 3 % 2], axis=1)
    mine = NpzData(save(images=pictures(), factors=factors))
    wanted, _ = mine.sample(200, np.random.RandomState(0))
    drawn = mine.sample_observations_from_factors(wanted, np.random.RandomState(1))
    numbers = np.rint(drawn[:, 0, 0, 0] * 255).astype(int)
    np.testing.assert_array_equal(factors[numbers], wanted)
    assert len(np.unique(numbers)) > 40


def test_fifteen_factors_with_more_combinations_than_numbers_are_told_apart(save):
    factors = np.random.RandomState(0).random_sample((60, 15))
    mine = NpzData(save(images=pictures(), factors=factors))
    classes, images = mine.sample(5, np.random.RandomState(0))
    assert mine.factors_num_values == [20] * 15
    again = mine.sample_observations_from_factors(classes, np.random.RandomState(1))
    np.testing.assert_array_equal(again, images)
    classes[:, 3] = (classes[:, 3] + 1) % 20
    with pytest.raises(InputError, match="No training point has .* of the factors factor 0, fact"):
        mine.sample_observations_from_factors(classes, np.random.RandomState(1))


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"images": np.zeros((20, 3), int)}, "images is int64; save it as uint8"),
        ({"images": np.zeros(20)}, "expected images of shape"),
        ({"factor_names": np.array(["a"], object)}, "Python objects.*factor_names.astype"),
        (
            {"images": np.full((20, 3), np.nan)},
            "mine.npz: an observation has a value that is not finite",
        ),
        ({"images": None, "pixels": np.zeros(3), "m": 0}, "needs an array 'images'.*pixels, m"),
        ({"factors": records(20, shape=np.full(20, np.nan))}, r"factors\['shape'\]\[0\] is nan"),
        ({"factors": records(20, index=np.arange(20))}, "the field 'index' of factors counts"),
        ({"splits": ["dev"] * 20}, "mine.npz: splits must name one of train"),
        ({"splits": ["test"] * 20}, "splits has no training points"),
    ],
)
def test_arrays_that_do_not_fit_are_named_with_the_file(save, arrays, message):
    arrays = {"images": np.zeros((20, 3)), **arrays}
    path = save(**{key: value for key, value in arrays.items() if value is not None})
    with pytest.raises(InputError, match=message) as error:
        NpzData(path)
    assert path in str(error.value)


def test_a_missing_file_is_named_with_what_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", images=pictures())
    with pytest.raises(InputError, match=f"there is no {tmp_path}/mien.npz.* holds mine.npz"):
        NpzData("mien.npz")
    assert NpzData("mine.npz").num_factors == 0
    with pytest.raises(InputError, match="npz.path = 5: cannot be read"):
        NpzData(5)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    (path / "more").mkdir(parents=True)
    for number in range(20):
        place = path / "more" / f"{number}.png" if number % 2 else path / f"{number}.jpg"
        Image.new("RGB", (12, 10), (number, 100, 200)).save(place)
    (path / "notes.txt").write_text("not an image")
    return path


def all_images(path, **arguments):
    mine = ImageFolder(str(path), **arguments)
    return np.concatenate([mine.split(name)[0] for name in SPLITS])


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ({}, (20, 10, 12, 3)),
        ({"size": 16}, (20, 16, 16, 3)),
        ({"size": (8, 6), "grey": True}, (20, 8, 6, 1)),
    ],
)
def test_images_of_a_folder_are_read_in_the_asked_size_and_colours(folder, arguments, shape):
    images = all_images(folder, **arguments)
    assert images.shape == shape and 0 < images.mean() < 1 and images.dtype == np.float32


def test_a_model_of_faces_in_an_image_folder_trains(folder, train_briefly):
    bindings = "model.batch_size = 4", f"image_folder.path = {str(folder)!r}"
    model = train_briefly(*bindings, configs=["beta_vae.gin", "datasets/celeba.gin"])
    assert Path(model, "tfhub").is_dir()


def test_images_of_different_sizes_need_a_size(folder):
    Image.new("RGB", (5, 5)).save(folder / "small.png")
    with pytest.raises(InputError, match="small.png has 5 x 5 pixels, .*; set image_folder.size"):
        ImageFolder(str(folder))
    assert ImageFolder(str(folder), size=4).observation_shape == [4, 4, 3]


def test_links_are_followed_and_hidden_and_double_files_left_out(folder, tmp_path, capsys):
    """What was taken and left is said once, when the images are read."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for number in range(12):
        Image.new("RGB", (12, 10), (0, number, 0)).save(elsewhere / f"{number}.JFIF", "JPEG")
    (folder / "linked class").symlink_to(elsewhere)
    (folder / "circle").symlink_to(folder)
    (folder / "again.jpg").symlink_to(folder / "0.jpg")
    (folder / "same.jpg").hardlink_to(folder / "2.jpg")
    for hidden in (".ipynb_checkpoints", "@eaDir"):
        (folder / hidden).mkdir()
        Image.new("RGB", (12, 10)).save(folder / hidden / "0-checkpoint.jpg")
    (folder / "._00.png").write_bytes(b"no image")
    (folder / "folder.png").mkdir()
    assert len(all_images(folder)) == 32
    ImageFolder(str(folder))
    assert capsys.readouterr().err == (
        f"vae_ortho_plugin: 32 images of {folder}: 12 .jfif, 10 .jpg, 10 .png; "
        "left out: 3 hidden, 2 there twice, 1 .txt\n"
    )


def test_images_of_16_bits_are_float32_and_not_mixed_with_bytes(tmp_path, capsys):
    for number in range(10):
        pixels = np.full((3, 4), number * 455, np.uint16)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    numbers = all_images(tmp_path, grey=True)[:, 0, 0, 0]
    expected = np.float32(np.arange(10) * 455) / np.float32(65535)
    np.testing.assert_array_equal(np.sort(numbers), expected)
    assert "more than 8 bits; values from 0 to 0.06249, where" in capsys.readouterr().err
    Image.new("L", (4, 3)).save(tmp_path / "mask.png")
    with pytest.raises(InputError, match="png has more than 8 bits .*/mask.png has 8"):
        ImageFolder(str(tmp_path), grey=True)


@pytest.mark.parametrize(
    "argument",
    [
        *({"background": colour} for colour in ("whit", "#ffffff80", 255)),
        {"grey": "False"},
        {"size": (1, 2, 3)},
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_name(folder, argument):
    (name,) = argument
    with pytest.raises(InputError, match=f"image_folder.{name} = "):
        ImageFolder(str(folder), **argument)


def test_what_is_no_image_is_named(folder, tmp_path):
    (folder / "broken.png").write_text("text")
    with pytest.raises(InputError, match="broken.png: damaged"):
        ImageFolder(str(folder))
    (folder / "class").symlink_to(folder / "gone")
    with pytest.raises(InputError, match=r"photos/class: a link to .*gone \(No such file"):
        ImageFolder(str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there are no images.*empty is empty"):
        ImageFolder(str(tmp_path / "empty"))

# SPDX-License-Identifier: Apache-2.0
"""A user's own data: a npz file, a folder of images, a registered function, a gin reference."""

import numpy as np
import pytest
from data_own_support import BETA_VAE, IMAGES, QUICK, folder, fresh, pictures, through_every_step  # noqa: F401
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.visualize import visualize_model
from PIL import Image

from vae_ortho_plugin.data.image_folder import ImageFolder
from vae_ortho_plugin.data.npz_data import NpzData
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.data.sampling.split_data import SPLITS
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files.gin_files import gin_config


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def records(number, **changed):
    """What the to_records() of a data frame gives."""
    columns = {"shape": np.arange(number) % 3, "place": np.linspace(0, 1, number), **changed}
    return np.rec.fromarrays(list(columns.values()), names=list(columns))


def test_images_with_factors_go_through_every_step(tmp_path):
    rng = np.random.RandomState(0)
    factors = np.stack([rng.randint(3, size=300), rng.random_sample(300)], axis=1)
    images = np.zeros((300, 8, 8, 1), np.uint8)
    images[:, :4] = (factors[:, 0] * 100).astype(np.uint8)[:, None, None, None]
    images[:, 4:] = (factors[:, 1] * 255).astype(np.uint8)[:, None, None, None]
    path = save(
        tmp_path / "mine.npz",
        images=images,
        factors=factors,
        factor_names=["shape", "place"],
        factor_kinds=["categorical", "continuous"],
    )
    mig, dto, score = through_every_step(
        tmp_path,
        "dataset.name = 'npz'",
        f"npz.path = {path!r}",
        "reconstruction_loss.loss_fn = @bernoulli_loss",
    )
    assert 0 <= mig["discrete_mig"] <= 1
    assert dto["dto"] >= 0
    assert score["factor_names"] == ["shape", "place"]
    assert score["factor_kinds"] == ["categorical", "continuous"]


def test_vectors_without_factors_are_trained_visualized_and_have_a_dto(tmp_path):
    # The only array of a file may have any name.
    (tmp_path / "[my] data?").mkdir()
    path = save(
        tmp_path / "[my] data?/mine.npz", z=np.random.RandomState(0).standard_normal((100, 5))
    )
    bindings = ["dataset.name = 'npz'", f"npz.path = {path!r}"]
    model = tmp_path / "model"
    train.train_with_gin(str(model), False, [BETA_VAE], [*QUICK, *bindings])
    visualize_model.visualize(str(model), str(tmp_path / "pictures"))
    assert (tmp_path / "pictures/reconstructions.png").is_file()
    evaluate.evaluate_with_gin(
        str(model), str(tmp_path / "dto"), False, [str(gin_config("metrics/dto.gin"))]
    )
    assert (tmp_path / "dto/results").is_dir()


@pytest.mark.parametrize("value, shown", [(-0.1, "-0.1 and 1"), (1.5, "0 and 1.5")])
def test_images_outside_of_the_range_of_the_bernoulli_loss_are_refused(tmp_path, value, shown):
    images = np.linspace(0, 1, 20 * 64).reshape(20, 8, 8)
    images[3, 0, 0] = value
    path = save(tmp_path / "mine.npz", images=images, splits=["train"] * 20)
    bindings = ["dataset.name = 'npz'", f"npz.path = {path!r}", *IMAGES]
    bindings += ["reconstruction_loss.loss_fn = @bernoulli_loss"]
    with pytest.raises(InputError, match=f"images of npz lie between {shown}, and"):
        train.train_with_gin(str(tmp_path / "model"), False, [BETA_VAE], [*QUICK, *bindings])
    assert not list(tmp_path.glob("model*"))


def test_uint8_images_are_kept_as_bytes_and_split_by_a_seed(tmp_path):
    images = pictures()
    path = save(tmp_path / "mine.npz", images=images)
    mine = NpzData(path)
    assert [len(mine.split(name)[0]) for name in ("train", "validation", "test")] == [48, 6, 6]
    numbers = np.concatenate(
        [np.rint(mine.split(s)[0][:, 0, 0, 0] * 255) for s in ("train", "validation", "test")]
    )
    np.testing.assert_array_equal(np.sort(numbers), np.arange(60))
    assert not np.array_equal(numbers, np.arange(60))
    observations, scale = resident_observations(mine)
    assert observations.dtype == np.uint8 and scale == 1 / 255
    assert np.shares_memory(observations, resident_observations(NpzData(path))[0])
    assert not np.array_equal(NpzData(path, seed=1).split("train")[0], mine.split("train")[0])
    assert mine.num_factors == 0 and mine.factor_kinds == []


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "images, shape, dtype",
    [
        (np.ones((20, 4, 6)), [4, 6, 1], np.float32),
        (np.ones((20, 7), np.float16), [7, 1, 1], np.float32),
        (np.ones((20, 4, 6, 2), bool), [4, 6, 2], np.uint8),
        (np.asfortranarray(np.ones((20, 4, 6, 3))), [4, 6, 3], np.float32),
    ],
)
def test_arrays_of_other_shapes_and_types_are_taken(tmp_path, save_as, images, shape, dtype):
    save_as(tmp_path / "mine.npz", observations=images)
    mine = NpzData(str(tmp_path / "mine.npz"))
    assert mine.observation_shape == shape
    observations, scale = mine.resident_observations()
    assert observations.dtype == dtype
    assert (observations * scale == 1).all()


@pytest.mark.parametrize("splits", [["test"] * 5 + ["train"] * 15, [2] * 5 + [0] * 15])
def test_given_splits_are_kept(tmp_path, splits):
    path = save(tmp_path / "mine.npz", images=pictures(20), splits=splits)
    mine = NpzData(path)
    numbers = np.rint(mine.split("test")[0][:, 0, 0, 0] * 255)
    np.testing.assert_array_equal(numbers, np.arange(5))
    assert len(mine.split("train")[0]) == 15 and len(mine.split("validation")[0]) == 0


def test_names_as_factors_become_class_numbers(tmp_path):
    kinds = np.array([["cat", "dog"][k % 2] for k in range(20)])
    mine = NpzData(save(tmp_path / "mine.npz", images=pictures(20), factors=kinds))
    assert mine.factor_kinds == ["categorical"] and mine.factors_num_values == [2]
    images, factors = mine.split("train")
    numbers = np.rint(images[:, 0, 0, 0] * 255)
    np.testing.assert_array_equal(factors[:, 0], numbers % 2)


def test_the_fields_of_a_structured_array_are_factors(tmp_path):
    factors = records(1000, shape=2**53 + np.arange(1000) % 3)
    mine = NpzData(save(tmp_path / "mine.npz", images=np.zeros((1000, 3)), factors=factors))
    assert mine.factor_names == ["shape", "place"]
    assert mine.factor_kinds == ["categorical", "continuous"]
    assert mine.factors_num_values == [3, 20]


def test_observations_of_factors_are_training_points_that_have_them(tmp_path):
    factors = np.stack([np.arange(60) % 3, np.arange(60) // 3 % 2], axis=1)
    mine = NpzData(save(tmp_path / "mine.npz", images=pictures(), factors=factors))
    wanted, _ = mine.sample(200, np.random.RandomState(0))
    drawn = mine.sample_observations_from_factors(wanted, np.random.RandomState(1))
    numbers = np.rint(drawn[:, 0, 0, 0] * 255).astype(int)
    np.testing.assert_array_equal(factors[numbers], wanted)
    assert len(np.unique(numbers)) > 40


def test_fifteen_factors_with_more_combinations_than_numbers_are_told_apart(tmp_path):
    factors = np.random.RandomState(0).random_sample((60, 15))
    mine = NpzData(save(tmp_path / "mine.npz", images=pictures(), factors=factors))
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
        ({"images": np.array([{}] * 20)}, "npz: images is an array of Python objects.*Save it as"),
        (
            {"images": np.zeros((20, 3)), "factor_names": np.array(["a"], object)},
            "npz: factor_names is an array of Python objects.*factor_names.astype",
        ),
        ({"images": np.full((20, 3), np.nan)}, "images: a value of it is not finite"),
        ({"images": np.zeros((5, 3))}, "5 points cannot be split"),
        ({"pixels": np.zeros((20, 3)), "more": np.zeros(3)}, "needs an array 'images'.*pixels, m"),
        ({"images": np.zeros((20, 3)), "factors": np.zeros((19, 2))}, r"expected factors of shape"),
        (
            {"images": np.zeros((20, 3)), "factors": np.full((20, 2), np.inf)},
            r"factors\[:, 0\]\[0\] is inf, which is not finite",
        ),
        (
            {"images": np.zeros((20, 3)), "factors": records(20, shape=np.full(20, np.nan))},
            r"factors\['shape'\]\[0\] is nan",
        ),
        (
            {"images": np.zeros((20, 3)), "factors": records(20, index=np.arange(20))},
            "the field 'index' of factors counts the points",
        ),
        (
            {"images": np.zeros((20, 3)), "factors": np.zeros((20, 2)), "factor_names": ["a"]},
            "factor_names has 1 entries for 2 factors",
        ),
        (
            {"images": np.zeros((20, 3)), "factors": np.zeros(20), "factor_kinds": ["real"]},
            "factor_kinds has 'real'; known are continuous, categorical",
        ),
        ({"images": np.zeros((20, 3)), "splits": ["dev"] * 20}, "splits must name one of train"),
        ({"images": np.zeros((20, 3)), "splits": ["test"] * 20}, "splits has no training points"),
    ],
)
def test_arrays_that_do_not_fit_are_named_with_the_file(tmp_path, arrays, message):
    path = save(tmp_path / "mine.npz", **arrays)
    with pytest.raises(InputError, match=message) as error:
        NpzData(path)
    assert path in str(error.value) or "points cannot be split" in str(error.value)


def test_a_missing_file_is_named_with_what_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "mine.npz", images=pictures())
    with pytest.raises(InputError, match=f"there is no {tmp_path}/mien.npz.* holds mine.npz"):
        NpzData("mien.npz")
    assert NpzData("mine.npz").num_factors == 0


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ({}, [10, 12, 3]),
        ({"size": 16}, [16, 16, 3]),
        ({"size": (8, 6), "grey": True}, [8, 6, 1]),
    ],
)
def test_images_of_a_folder_are_read_in_the_asked_size_and_colours(folder, arguments, shape):
    mine = ImageFolder(str(folder), **arguments)
    assert mine.observation_shape == shape
    images = np.concatenate([mine.split(s)[0] for s in ("train", "validation", "test")])
    assert len(images) == 20 and 0 < images.mean() < 1 and images.dtype == np.float32


def test_a_model_of_faces_in_an_image_folder_trains_and_is_visualized(folder, tmp_path):
    files = [BETA_VAE, str(gin_config("datasets/celeba.gin"))]
    bindings = [
        *("model.training_steps = 3", "model.eval_steps = 1", "model.batch_size = 4"),
        *("training_loop.xla = 'off'", f"image_folder.path = {str(folder)!r}"),
    ]
    train.train_with_gin(str(tmp_path / "model"), False, files, bindings)
    visualize_model.visualize(
        str(tmp_path / "model"), str(tmp_path / "pictures"), num_animations=1, num_frames=2
    )
    assert {"latents_by_sigma.png", "traversals"} <= {
        p.name for p in (tmp_path / "pictures").iterdir()
    }


def test_images_of_different_sizes_need_a_size(folder):
    Image.new("RGB", (5, 5)).save(folder / "small.png")
    with pytest.raises(InputError, match="small.png has 5 x 5 pixels|10 x 12.*image_folder.size"):
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
    assert sum(len(ImageFolder(str(folder)).split(s)[0]) for s in SPLITS) == 32
    ImageFolder(str(folder))
    assert capsys.readouterr().err == (
        f"vae_ortho_plugin: 32 images of {folder}: 12 .jfif, 10 .jpg, 10 .png; "
        "left out: 3 hidden, 2 there twice, 1 .txt\n"
    )


def test_a_link_that_leads_nowhere_is_named(folder):
    (folder / "class").symlink_to(folder / "gone")
    with pytest.raises(InputError, match=r"photos/class: a link to .*gone \(No such file"):
        ImageFolder(str(folder))


def test_images_of_16_bits_are_kept_as_float32_and_not_mixed_with_bytes(tmp_path, capsys):
    for number in range(10):
        pixels = np.full((3, 4), number * 455, np.uint16)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    mine = ImageFolder(str(tmp_path), grey=True)
    numbers = np.concatenate([mine.split(s)[0][:, 0, 0, 0] for s in SPLITS])
    np.testing.assert_array_equal(
        np.sort(numbers), np.float32(np.arange(10) * 455) / np.float32(65535)
    )
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


def test_a_damaged_image_and_a_folder_without_images_are_named(folder, tmp_path):
    (folder / "broken.png").write_text("text")
    with pytest.raises(InputError, match="broken.png: damaged"):
        ImageFolder(str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there are no images.*empty is empty"):
        ImageFolder(str(tmp_path / "empty"))

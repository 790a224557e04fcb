# SPDX-License-Identifier: Apache-2.0
"""dlib_visualize_model for images of any kind, one latent and one factor."""

import imageio
import numpy as np
import pytest

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.visualize import visualize_model, visualize_util
from dlib_support import fresh_gin  # noqa: F401
from parameters_support import long_but
from PIL import Image

from vae_ortho_plugin.dlib.steps import latents_by_sigma

FOLDERS = {"animated_traversals", "reconstructions", "sampled", "traversals"}
LOSSES = {"logits": "@bernoulli_loss", "tanh": "@l2_loss", "linear": "@squared_error"}


def pictures(directory, shape, factors, latents, activation="logits"):
    """Trains on images of one brightness each and returns the folder of pictures."""
    rng = np.random.RandomState(0)
    classes = rng.randint(3, size=(60, max(1, factors)))
    images = np.zeros((60, *shape), np.uint8)
    images += (classes[:, 0] * 120).astype(np.uint8)[:, None, None, None]
    arrays = {"images": images}
    if factors:
        arrays |= {"factors": classes, "factor_kinds": ["categorical"] * factors}
    np.savez(directory / "data.npz", **arrays)
    bindings = [
        *("model.training_steps = 2", "model.eval_steps = 1", "training_loop.xla = 'off'"),
        "dataset.name = 'npz'",
        f"npz.path = {str(directory / 'data.npz')!r}",
        f"encoder.num_latent = {latents}",
        f"reconstruction_loss.loss_fn = {LOSSES[activation]}",
        f"reconstruction_loss.activation = '{activation}'",
    ]
    train.train_with_gin(str(directory / "model"), False, ["beta_vae.gin"], bindings)
    small = {"num_animations": 1, "num_frames": 2, "num_points_irs": 100}
    visualize_model.visualize(str(directory / "model"), str(directory / "pictures"), **small)
    return directory / "pictures"


OF_ANY_KIND = ((6, 10, 2), "tanh", 1, 1), ((8, 8, 4), "logits", 0, 2)


@pytest.mark.parametrize(
    ("shape", "activation", "factors", "latents"),
    long_but(OF_ANY_KIND, [*OF_ANY_KIND, ((8, 8, 1), "linear", 2, 2), ((8, 8, 3), "tanh", 2, 1)]),
)
def test_images_of_any_kind_and_any_numbers_of_factors_and_latents_are_visualized(
    tmp_path, shape, activation, factors, latents
):
    found = pictures(tmp_path, shape, factors, latents, activation)
    expected = FOLDERS | ({"interventional_effects"} if factors else set())
    assert {path.name for path in found.iterdir() if path.is_dir()} == expected
    assert len(list((found / "traversals").iterdir())) == latents
    with Image.open(found / "latents_by_sigma.png") as image:
        assert image.width == 960
    # 64 pairs of an image and its reconstruction, 8 in a row.
    with Image.open(found / "reconstructions/reconstructions.jpg") as image:
        assert image.size == (8 * 2 * shape[1], 8 * shape[0])
    (frame, *_) = imageio.mimread(found / "animated_traversals/std_gaussian_cycle0.gif")
    assert frame.shape[2] in (3, 4)


def test_a_picture_is_cut_to_what_can_be_shown(tmp_path):
    image = np.array([[[-0.5], [0.5], [1.5]]])
    visualize_util.save_image(image, str(tmp_path / "image.png"))
    with Image.open(tmp_path / "image.png") as shown:
        assert np.array(shown)[0, :, 0].tolist() == [0, 127, 255]
    assert image.ravel().tolist() == [-0.5, 0.5, 1.5]
    visualize_util.save_image(np.ones((1, 1, 2)), str(tmp_path / "two.png"))
    with Image.open(tmp_path / "two.png") as shown:
        assert np.array(shown).tolist() == [[[255, 255, 0]]]


class LinearModel:
    """Latents of which each moves one pixel, by the length of its column."""

    def __init__(self, columns, means, sigma):
        self.columns, self.means = np.diag(columns), np.array(means)
        self.logvars = np.tile(2 * np.log(sigma), (len(means), 1))

    def posterior(self, images):
        return self.means, self.logvars

    def decode(self, latents):
        return (latents @ self.columns).reshape(len(latents), 1, -1, 1)


def test_latents_are_ordered_by_sigma_with_what_the_reconstruction_loses_without_them():
    model = LinearModel([1.0, 3.0, 2.0], [[2.0, 1.0, 0.1], [0.0, -1.0, -0.1]], [0.4, 0.1, 0.9])
    images = model.decode(model.means)
    images[:, :, 2] += 1.0  # an error that no latent explains, and that varies no image
    found = latents_by_sigma.by_sigma(images, model.means, np.exp(model.logvars / 2), model.decode)
    assert [latent.index for latent in found] == [1, 0, 2]
    assert [latent.sigma for latent in found] == pytest.approx([0.1, 0.4, 0.9])
    assert [latent.share for latent in found] == pytest.approx([9 / 10.04, 1 / 10.04, 0.04 / 10.04])
    assert [latent.passive for latent in found] == [False, False, True]
    assert str(found[2]) == "latent 3, passive\nσ 0.900, 0.4 %"


def test_latents_without_noise_are_ordered_by_their_share_and_never_passive():
    means = 0.1 * np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    model = LinearModel([1.0, 3.0], means, [4e-18, 4e-18])
    of_autoencoder = np.exp(model.logvars / 2)
    images = model.decode(means)
    found = latents_by_sigma.by_sigma(images, means, of_autoencoder, model.decode)
    assert [latent.index for latent in found] == [1, 0]
    assert [latent.share for latent in found] == pytest.approx([0.9, 0.1])
    assert not any(latent.passive for latent in found)
    found = latents_by_sigma.by_sigma(images[:1], means[:1], of_autoencoder[:1], model.decode)
    assert [latent.share for latent in found] == [0.0, 0.0]  # of images that do not vary


def test_ten_rows_are_traversed_around_the_first_image_and_later_latents_are_named_below():
    sigma = np.linspace(0.9, 0.1, 12)
    means = np.stack([np.full(12, 0.25), np.full(12, -2.0)])
    model = LinearModel(np.full(12, 0.1), means, sigma)
    figure = latents_by_sigma.draw(model, model.decode(means))
    (axes,) = figure.axes
    labels = [label.get_text().partition("\n")[0] for label in axes.get_yticklabels()]
    assert labels == [f"latent {number}" for number in range(12, 2, -1)]
    assert [label.get_text() for label in axes.get_xticklabels()][::5] == ["−2.5", "0", "+2.5"]
    # A picture is 12 pixels and a gap. In the first row, pixel 12 goes from 0.1 x (0.25 - 2.5), drawn as 0, to
    # 0.1 x (0.25 + 2.5).
    row = np.asarray(axes.get_images()[0].get_array())[0]
    assert row[[11, 5 * 13 + 11, 10 * 13 + 11], 0] == pytest.approx([0, 0.025, 0.275])
    (text,) = (text.get_text() for text in figure.texts)
    assert "Not drawn: latent 2, σ 0.827, 8.3 %; latent 1, σ 0.900" in text.replace("\u00a0", " ")

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
from PIL import Image

FOLDERS = {"animated_traversals", "reconstructions", "sampled", "traversals"}
LOSSES = {"logits": "@bernoulli_loss", "tanh": "@l2_loss", "linear": "@squared_error"}


def pictures(directory, shape, factors, latents, activation="logits"):
    """Trains on images of one brightness each and returns the folder of pictures."""
    rng = np.random.RandomState(0)
    classes = rng.randint(3, size=(60, max(1, factors)))
    images = (
        np.full((60, *shape), 0, np.uint8)
        + (classes[:, 0] * 120).astype(np.uint8)[:, None, None, None]
    )
    arrays = {"images": images}
    if factors:
        arrays |= {"factors": classes, "factor_kinds": ["categorical"] * factors}
    np.savez(directory / "data.npz", **arrays)
    bindings = [
        "model.training_steps = 5",
        "model.eval_steps = 2",
        "training_loop.xla = 'off'",
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


@pytest.mark.parametrize(
    ("shape", "activation", "factors", "latents"),
    [
        ((8, 8, 1), "tanh", 2, 2),
        ((8, 8, 3), "logits", 1, 2),
        ((6, 10, 1), "linear", 2, 1),
        ((8, 8, 2), "logits", 1, 1),
        ((8, 8, 4), "tanh", 0, 1),
    ],
)
def test_images_of_any_kind_and_any_numbers_of_factors_and_latents_are_visualized(
    tmp_path, shape, activation, factors, latents
):
    found = pictures(tmp_path, shape, factors, latents, activation)
    expected = FOLDERS | ({"interventional_effects"} if factors else set())
    assert {path.name for path in found.iterdir() if path.is_dir()} == expected
    assert len(list((found / "traversals").iterdir())) == latents
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

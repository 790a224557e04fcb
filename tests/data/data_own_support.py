# SPDX-License-Identifier: Apache-2.0
"""What test_data_own and test_data_registered share."""

import json

import gin
import numpy as np
import pytest
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.methods.unsupervised import train
from disentanglement_lib.postprocessing import postprocess
from disentanglement_lib.visualize import visualize_model
from PIL import Image

from vae_ortho_plugin import data
from vae_ortho_plugin.files.gin_files import gin_config

BETA_VAE = str(gin_config("beta_vae.gin"))


QUICK = [
    "model.training_steps = 20",
    "model.eval_steps = 2",
    "training_loop.xla = 'off'",
    "encoder.num_latent = 2",
]


IMAGES = ["reconstruction_loss.activation = 'logits'"]


MIG = [
    "evaluation.evaluation_fn = @mig",
    "mig.num_train = 500",
    "evaluation.random_seed = 0",
    "dataset.name = 'auto'",
    "discretizer.discretizer_fn = @histogram_discretizer",
    "discretizer.num_bins = 20",
]


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    gin.clear_config()
    monkeypatch.setattr(data, "_registered", {})
    yield
    gin.clear_config()


def pictures(number=60, side=8):
    """Images whose first pixel is their number."""
    images = np.random.RandomState(0).randint(256, size=(number, side, side, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(number)
    return images


def through_every_step(directory, *bindings, config=BETA_VAE):
    """MIG, DtO and the disentanglement score of a short training; pictures of the model."""
    model, post = directory / "model", directory / "post"
    train.train_with_gin(str(model), False, [config], [*QUICK, *IMAGES, *bindings])
    visualize_model.visualize(str(model), str(directory / "pictures"), num_animations=1)
    postprocess.postprocess_with_gin(
        str(model), str(post), False, [str(gin_config("postprocess/mean.gin"))]
    )
    scores = directory / "mig", directory / "dto", directory / "score"
    evaluate.evaluate_with_gin(str(post), str(scores[0]), False, [], MIG)
    for name, output in (("dto", scores[1]), ("disentanglement_score", scores[2])):
        file = str(gin_config(f"metrics/{name}.gin"))
        evaluate.evaluate_with_gin(str(model), str(output), False, [file])
    assert list((directory / "pictures").rglob("*.png"))
    return [
        json.loads((path / "results/json/evaluation_results.json").read_text()) for path in scores
    ]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    (path / "more").mkdir(parents=True)
    for number in range(20):
        place = path / "more" / f"{number}.png" if number % 2 else path / f"{number}.jpg"
        Image.new("RGB", (12, 10), (number, 100, 200)).save(place)
    (path / "notes.txt").write_text("not an image")
    return path

# SPDX-License-Identifier: Apache-2.0
"""disent's BetaVae under Lightning's Trainer, with the network of in_torch.py and in the same environment."""

from importlib.metadata import version

import answers
import lightning
import numpy as np
import torch
from disent.dataset import DisentDataset
from disent.dataset.data import ArrayDataset
from disent.dataset.sampling import SingleSampler
from disent.frameworks.vae import BetaVae
from disent.model import AutoEncoder, DisentDecoder, DisentEncoder
from in_torch import OPTIONS, VAE, evaluated


def autoencoder(vae, shape, latents):
    """disent's, with the layers of a VAE."""

    class Encoder(DisentEncoder):
        def __init__(self):
            super().__init__(x_shape=shape, z_size=latents, z_multiplier=2)
            self.model, self.mean, self.log_var = vae.encoder, vae.mean, vae.log_var

        def encode(self, x):
            hidden = self.model(x.flatten(1))
            return torch.cat([self.mean(hidden), self.log_var(hidden)], 1)

    class Decoder(DisentDecoder):
        def __init__(self):
            super().__init__(x_shape=shape, z_size=latents)
            self.model = vae.decoder

        def decode(self, z):
            return self.model(z).reshape(-1, *shape)

    return AutoEncoder(Encoder(), Decoder())


def train(network, points, scale, batch_size, seed=0, **_):
    torch.manual_seed(seed)
    images = np.moveaxis(np.load(points, mmap_mode="c"), -1, 1)
    shape, latents = images.shape[1:], network["latents"]
    vae = VAE(int(np.prod(shape)), network)

    optimizer = network["optimizer"]
    model = BetaVae(
        model=autoencoder(vae, shape, latents),
        cfg=BetaVae.cfg(
            optimizer=optimizer.removesuffix("Optimizer").lower(),
            optimizer_kwargs={"lr": network["learning_rate"], **OPTIONS[optimizer]},
            recon_loss="mse" if vae.squared else "bce",
            loss_reduction="mean_sum",
            beta=network["beta"],
        ),
    )

    class Data(ArrayDataset):
        pass

    def to_tensor(image):
        return torch.from_numpy(image).float() * scale

    dataset = DisentDataset(Data(images), sampler=SingleSampler(), transform=to_tensor)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size, shuffle=True, num_workers=1, persistent_workers=True
    )

    def run(steps):
        trainer = lightning.Trainer(
            max_steps=steps,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, loader)

    def draw():
        rows = np.random.default_rng().integers(len(images), size=batch_size)
        batch = torch.from_numpy(images[rows]).float().flatten(1) * scale
        return batch, torch.randn(batch_size, latents)

    run.check = lambda steps: run(steps) or evaluated(vae, draw)
    return run


if __name__ == "__main__":
    answers.serve({"train": train}, {"disent": version("disent")})

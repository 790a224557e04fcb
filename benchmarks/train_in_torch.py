# SPDX-License-Identifier: Apache-2.0
"""Trains the VAE of a benchmark in PyTorch, or in disent on top of it. Runs in an environment of its own (environment_torch.py).

    python train_in_torch.py MODE POINTS.npy SCALE BATCH_SIZE ARCHITECTURE

Data in memory, fused optimizers, gradients set to None: as a good user would write it.
"""

import functools
import itertools
import json
import math
import sys

import numpy as np
import torch
from answers_in_torch import answer
from torch import nn

# TensorFlow's AdaGrad starts at 0.1; from PyTorch's 0, dSprites' network in disent diverges within some steps.
ADAGRAD_OPTIONS = {"initial_accumulator_value": 0.1}
OPTIMIZERS = {
    "AdamOptimizer": torch.optim.Adam,
    "AdagradOptimizer": lambda weights, rate, **options: torch.optim.Adagrad(
        weights, rate, **ADAGRAD_OPTIONS, **options
    ),
}
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}


def layers(widths, activation):
    for inputs, outputs in itertools.pairwise(widths):
        yield nn.Linear(inputs, outputs)
        yield ACTIVATIONS[activation]()


class VAE(nn.Module):
    """Gives the loss of a batch."""

    def __init__(self, points, architecture):
        super().__init__()
        self.latents, self.beta = architecture["latents"], architecture["beta"]
        self.squared = architecture["loss"] == "squared"
        encoder, decoder = architecture["encoder"], architecture["decoder"]
        activation = architecture["encoder_activation"]
        self.encoder = nn.Sequential(*layers([points, *encoder], activation))
        self.mean = nn.Linear(([points, *encoder])[-1], self.latents)
        self.log_var = nn.Linear(([points, *encoder])[-1], self.latents)
        activation = architecture["decoder_activation"]
        self.decoder = nn.Sequential(
            *layers([self.latents, *decoder], activation),
            nn.Linear(([self.latents, *decoder])[-1], points),
        )

    def forward(self, batch, noise):
        hidden = self.encoder(batch)
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        kl = 0.5 * torch.sum(mean.square() + log_var.exp() - log_var - 1)
        output = self.decoder(mean + torch.exp(log_var / 2) * noise)
        if self.squared:
            errors = torch.sum((output - batch).square())
        else:
            errors = nn.functional.binary_cross_entropy_with_logits(output, batch, reduction="sum")
        return (errors + self.beta * kl) / len(batch)


class Trained:
    """Trains by a plain loop; call it with a number of steps."""

    def __init__(self, points, scale, batch_size, architecture, compiled):
        self._data, self._scale = torch.from_numpy(points.reshape(len(points), -1)), scale
        self._batch_size, self._latents = batch_size, architecture["latents"]
        model = VAE(self._data.shape[1], architecture)
        name, rate = architecture["optimizer"]
        self._optimizer = OPTIMIZERS[name](model.parameters(), rate, fused=True)
        self._loss = torch.compile(model) if compiled else model

    def __call__(self, steps):
        size = self._batch_size
        for _ in range(steps):
            rows = torch.randint(len(self._data), (size,))
            batch = self._data[rows].float() * self._scale
            self._optimizer.zero_grad(set_to_none=True)
            self._loss(batch, torch.randn(size, self._latents)).backward()
            self._optimizer.step()


class TrainedByDisent:
    """Trains by disent's BetaVae and Lightning's Trainer; call it with a number of steps."""

    def __init__(self, points, scale, batch_size, architecture):
        import lightning
        from disent.dataset import DisentDataset
        from disent.dataset.data import ArrayDataset
        from disent.dataset.sampling import SingleSampler
        from disent.frameworks.vae import BetaVae
        from disent.model import AutoEncoder, DisentDecoder, DisentEncoder

        self._lightning = lightning
        shape, latents = points.shape[1:][::-1], architecture["latents"]
        vae = VAE(math.prod(shape), architecture)

        class Encoder(DisentEncoder):
            def __init__(self):
                super().__init__(x_shape=shape, z_size=latents, z_multiplier=2)
                self.model = vae.encoder
                self.out = nn.Linear(vae.mean.in_features, 2 * latents)

            def encode(self, x):
                return self.out(self.model(x.flatten(1)))

        class Decoder(DisentDecoder):
            def __init__(self):
                super().__init__(x_shape=shape, z_size=latents)
                self.model = vae.decoder

            def decode(self, z):
                return self.model(z).reshape(-1, *shape)

        class Data(ArrayDataset):
            pass

        optimizers = {
            "AdamOptimizer": ("adam", {}),
            "AdagradOptimizer": ("adagrad", ADAGRAD_OPTIONS),
        }
        name, rate = architecture["optimizer"]
        optimizer, options = optimizers[name]
        self._model = BetaVae(
            model=AutoEncoder(Encoder(), Decoder()),
            cfg=BetaVae.cfg(
                optimizer=optimizer,
                optimizer_kwargs={"lr": rate, **options},
                recon_loss="mse" if vae.squared else "bce",
                loss_reduction="mean_sum",
                beta=architecture["beta"],
            ),
        )
        images = np.moveaxis(points, -1, 1)

        def to_tensor(image):
            return torch.from_numpy(image).float() * scale

        dataset = DisentDataset(Data(images), sampler=SingleSampler(), transform=to_tensor)
        self._loader = torch.utils.data.DataLoader(
            dataset, batch_size, shuffle=True, num_workers=1, persistent_workers=True
        )

    def __call__(self, steps):
        trainer = self._lightning.Trainer(
            max_steps=steps,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(self._model, self._loader)


def main():
    mode, points, scale, batch_size, architecture = sys.argv[1:]
    # Mapped, so that several of these processes hold the data once.
    arguments = (
        np.load(points, mmap_mode="c"),
        float(scale),
        int(batch_size),
        json.loads(architecture),
    )
    if mode == "disent":
        train = TrainedByDisent(*arguments)
    else:
        train = Trained(*arguments, compiled=mode == "compiled")
    answer(lambda steps: functools.partial(train, steps))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""PyTorch as a good user writes it: data in memory, fused optimizers, gradients set to None, eager or torch.compile.

Runs in an environment of its own, `pip install torch disent scipy threadpoolctl`, whose Python (3.12 or later, for
disent) is given as --python-torch. torch.compile needs g++.
"""

import functools
import itertools
import sys
from pathlib import Path

import answers
import numpy as np
import torch
from torch import nn

# TensorFlow's AdaGrad starts at 0.1; from PyTorch's 0, dSprites' network diverges within some steps.
OPTIONS = {"AdamOptimizer": {}, "AdagradOptimizer": {"initial_accumulator_value": 0.1}}
OPTIMIZERS = {"AdamOptimizer": torch.optim.Adam, "AdagradOptimizer": torch.optim.Adagrad}
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def hidden_layers(widths, activation):
    for inputs, outputs in itertools.pairwise(widths):
        yield nn.Linear(inputs, outputs)
        yield ACTIVATIONS[activation]()


class VAE(nn.Module):
    """Gives the loss of a batch."""

    def __init__(self, outputs, network):
        super().__init__()
        self.latents, self.beta = network["latents"], network["beta"]
        self.squared = network["loss"] == "squared"
        encoder, decoder = [outputs, *network["encoder"]], [self.latents, *network["decoder"]]
        self.encoder = nn.Sequential(*hidden_layers(encoder, network["encoder_activation"]))
        self.mean = nn.Linear(encoder[-1], self.latents)
        self.log_var = nn.Linear(encoder[-1], self.latents)
        layers = hidden_layers(decoder, network["decoder_activation"])
        self.decoder = nn.Sequential(*layers, nn.Linear(decoder[-1], outputs))

    def forward(self, batch, noise):
        error, kl = self.losses(batch, noise)
        return error + self.beta * kl

    def losses(self, batch, noise):
        hidden = self.encoder(batch)
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        kl = 0.5 * torch.sum(mean.square() + log_var.exp() - log_var - 1) / len(batch)
        output = self.decoder(mean + torch.exp(log_var / 2) * noise)
        if self.squared:
            return torch.sum((output - batch).square()) / len(batch), kl
        loss = nn.functional.binary_cross_entropy_with_logits
        return loss(output, batch, reduction="sum") / len(batch), kl


def train(network, points, scale, batch_size, seed=0, variant="eager", gpu=False, **_):
    torch.manual_seed(seed)
    # Mapped on the CPU, so that several of these processes hold the data once.
    observations = np.load(points, mmap_mode=None if gpu else "c")
    data = torch.from_numpy(observations.reshape(len(observations), -1)).to(DEVICE)
    model = VAE(data.shape[1], network).to(DEVICE)
    name = network["optimizer"]
    make = functools.partial(OPTIMIZERS[name], fused=True, **OPTIONS[name])
    optimizer = make(model.parameters(), network["learning_rate"])
    loss = torch.compile(model) if variant == "compiled" else model

    def draw():
        rows = torch.randint(len(data), (batch_size,), device=DEVICE)
        noise = torch.randn(batch_size, network["latents"], device=DEVICE)
        return data[rows].float() * scale, noise

    def run(steps):
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss(*draw()).backward()
            optimizer.step()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    run.check = lambda steps: run(steps) or evaluated(model, draw)
    return run


def evaluated(model, draw):
    """Losses on 1,000 batches, by their names in dlib."""
    with torch.no_grad():
        error, kl = np.mean([[x.item() for x in model.losses(*draw())] for _ in range(1000)], 0)
    return answers.losses(error, kl, model.beta)


def dto(widths, by=None, **_):
    """DtO of a decoder of tanh layers and a sigmoid output, untrained; by the plugin, if `by` says so."""
    decoder = nn.Sequential(*[*hidden_layers(widths, "tanh")][:-1], nn.Sigmoid()).to(DEVICE)
    if by == "decoder_measures":
        sys.path.append(str(Path(__file__).parents[2]))
        from vae_ortho_plugin import decoder_measures

        def by_plugin(count):
            decoder_measures(decoder, torch.randn(count, widths[0]))

        return by_plugin
    jacobian = torch.func.vmap(torch.func.jacfwd(decoder))

    def run(count):
        with torch.no_grad():
            for points in torch.randn(count, widths[0], device=DEVICE).split(256):
                answers.distances(jacobian(points).cpu().numpy())

    run(256)
    return run


def products(**_):
    """Products of float32 matrices."""
    rows = torch.ones(answers.PRODUCT_ROWS, answers.PRODUCT_WIDTH, device=DEVICE)
    weights = torch.eye(answers.PRODUCT_WIDTH, device=DEVICE) * 0.5 + 1e-3

    def run(count):
        result = rows
        for _ in range(count):
            result = result @ weights
        result.sum().item()

    return run


if __name__ == "__main__":
    answers.need_gpu(DEVICE == "cuda")
    kinds = {"train": train, "dto": dto, "products": products}
    answers.serve(kinds, {"torch": torch.__version__})

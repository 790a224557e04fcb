# SPDX-License-Identifier: Apache-2.0
"""The trainings that the benchmarks time: gin files, and the same network for a bare loop."""

import dataclasses
import functools
from collections.abc import Callable

from benchmarks.machine import ROOT

BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Training:
    """What is trained.

    Attributes:
        title: of the row.
        gin_files: below gin_configs.
        architecture: gives the `bare_loop.Architecture` of the same network.
        xla: whether XLA makes the bare loop faster.
        first_steps: about how many steps the plugin makes in two seconds on two cores.
        bindings: after the gin files.
    """

    title: str
    gin_files: tuple[str, ...]
    architecture: Callable[[], object]
    xla: bool
    first_steps: int
    bindings: tuple[str, ...] = ()

    @property
    def configuration(self) -> tuple[list[str], list[str]]:
        """gin files and bindings."""
        files = [str(ROOT / "gin_configs" / name) for name in self.gin_files]
        return files, [*self.bindings, f"model.batch_size = {BATCH_SIZE}", "model.eval_steps = 1"]

    @property
    def data_set(self) -> str:
        """Name of the data set for dlib."""
        name = self.gin_files[-1].removeprefix("datasets/").removesuffix(".gin")
        return "dsprites_full" if name == "dsprites" else name


def _mlp(encoder=(), decoder=(), **attributes):
    import tensorflow.compat.v1 as tf

    from benchmarks.bare_loop import Architecture

    adam = functools.partial(tf.train.AdamOptimizer, 1e-3)
    return Architecture(
        **{
            "encoder": encoder,
            "decoder": decoder,
            "latents": 2,
            "loss": "squared",
            "optimizer": adam,
            "beta": 1e-3,
            **attributes,
        }
    )


def _images(encoder, decoder, latents, **attributes):
    import tensorflow.compat.v1 as tf

    return _mlp(
        encoder,
        decoder,
        **{
            "latents": latents,
            "loss": "bernoulli",
            "optimizer": functools.partial(tf.train.AdagradOptimizer, 1e-2),
            "beta": 1.0,
            "encoder_activation": tf.nn.relu,
            **attributes,
        },
    )


def _convolutions():
    import tensorflow.compat.v1 as tf

    from benchmarks.bare_loop import Conv

    return _images(
        (Conv(4, 32), Conv(4, 32), Conv(2, 64), Conv(2, 64), 256),
        (256, 1024, Conv(4, 64), Conv(4, 32), Conv(4, 32)),
        5,
        output=Conv(4, 1),
        decoder_activation=tf.nn.relu,
    )


LINEAR = Training(
    "Synth. Lin. β-VAE",
    ("beta_vae.gin", "datasets/synth_linear.gin"),
    _mlp,
    True,
    150_000,
)
NONLINEAR = Training(
    "Synth. Non-Lin. β-VAE",
    ("beta_vae.gin", "datasets/synth_nonlinear.gin"),
    functools.partial(_mlp, (60, 40, 20), (60, 40, 20)),
    True,
    20_000,
)
NONLINEAR_SIGMA = Training(
    "Synth. Non-Lin. β-VAE_Σ",
    ("beta_vae_sigma.gin", "datasets/synth_nonlinear.gin"),
    functools.partial(_mlp, (60, 40, 20), (60, 40, 20), full_covariance=True),
    True,
    20_000,
)
MNIST = Training(
    "MNIST network, VAE",
    ("vae.gin", "datasets/mnist.gin"),
    functools.partial(_images, (400,), (500, 500), 6),
    True,
    1_500,
)
DSPRITES_FC = Training(
    "dSprites, fc_encoder, fc_decoder, β-VAE",
    ("beta_vae.gin", "datasets/dsprites.gin"),
    functools.partial(_images, (1200, 1200), (1200, 1200, 1200), 5),
    True,
    70,
)
DSPRITES_CONV = Training(
    "dSprites, conv_encoder, deconv_decoder, β-VAE",
    ("beta_vae.gin", "datasets/dsprites.gin"),
    _convolutions,
    False,
    70,
    ("encoder.encoder_fn = @conv_encoder", "decoder.decoder_fn = @deconv_decoder"),
)

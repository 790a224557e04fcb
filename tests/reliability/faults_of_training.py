# SPDX-License-Identifier: Apache-2.0
"""Faults of a training run alone, of many models, networks and intervals.

Each trial draws a model, networks, data, intervals and several ends (SIGKILL between two session calls, SIGKILL while a
checkpoint is written, SIGTERM, SIGINT, a damaged checkpoint) from its seed.
"""

import contextlib
import os
import random
import signal
from pathlib import Path
from unittest import mock

import gin
from engine_support import tf, train
from faults_pipeline import forked, results_of
from faults_support import Wrong, check_equal, status_of

from vae_ortho_plugin.engine import checkpoints
from vae_ortho_plugin.engine.in_graph import inputs
from vae_ortho_plugin.engine.in_graph.training_graph import TrainingGraph

MODELS = {
    "vae": ["vae.beta = 1e-3"],
    "full_covariance_vae": ["full_covariance_vae.beta = 1e-3"],
    "polarized_vae": ["polarized_vae.beta = 1e-3"],
    "autoencoder": [],
    "factor_vae": ["factor_vae.gamma = 1e-3"],
    "beta_tc_vae": ["beta_tc_vae.beta = 1e-3"],
    "dip_vae": ["dip_vae.lambda_od = 1e-3", "dip_vae.lambda_d_factor = 1.0"],
}
VECTORS = ["dataset.name = 'synth_linear'", "synth_linear.num_points = 1000"]
NETWORKS = {
    "linear": [*VECTORS, "mlp_encoder.layers = []", "mlp_decoder.layers = []"],
    "nonlinear": [*VECTORS, "mlp_encoder.layers = [8]", "mlp_decoder.layers = [7, 5]"],
    "batch_norm": [*VECTORS, "encoder.encoder_fn = @batch_norm_encoder"],
    "conv": [
        "dataset.name = 'dummy_data'",
        "encoder.encoder_fn = @small_conv_encoder",
        "mlp_decoder.layers = [4]",
        "reconstruction_loss.loss_fn = @bernoulli_loss",
        "reconstruction_loss.activation = 'logits'",
    ],
}
COMMON = [
    "encoder.num_latent = 2",
    "encoder.encoder_fn = @mlp_encoder",
    "decoder.decoder_fn = @mlp_decoder",
    "reconstruction_loss.loss_fn = @squared_error",
    "reconstruction_loss.activation = 'linear'",
    "vae_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator_optimizer.optimizer_fn = @AdamOptimizer",
    "discriminator.discriminator_fn = @small_discriminator",
    "dip_vae.dip_type = 'i'",
    "AdamOptimizer.learning_rate = 0.01",
    "model.eval_steps = 2",
]
ENDS = ("kill", "kill_while_saving", "SIGTERM", "SIGINT", "damage")


@gin.configurable("small_discriminator", denylist=["input_tensor", "is_training"])
def small_discriminator(input_tensor, is_training=False):
    logits = tf.layers.dense(input_tensor, 2, name="logits")
    return logits, tf.nn.softmax(logits)


@gin.configurable("batch_norm_encoder", denylist=["input_tensor", "num_latent", "is_training"])
def batch_norm_encoder(input_tensor, num_latent, is_training=True):
    hidden = tf.layers.dense(tf.layers.flatten(input_tensor), 6, name="hidden")
    hidden = tf.layers.batch_normalization(hidden, training=is_training, name="normalized")
    return _heads(tf.layers.dropout(hidden, 0.2, training=is_training), num_latent)


@gin.configurable("small_conv_encoder", denylist=["input_tensor", "num_latent", "is_training"])
def small_conv_encoder(input_tensor, num_latent, is_training=True):
    hidden = tf.layers.conv2d(input_tensor, 2, 8, 8, activation=tf.nn.relu, name="conv")
    return _heads(tf.layers.flatten(hidden), num_latent)


def _heads(hidden, num_latent):
    return [tf.layers.dense(hidden, num_latent, name=name) for name in ("means", "log_var")]


class Trial:
    """What one seed draws: a training run, and how it is ended before its last step."""

    def __init__(self, seed: int):
        draw = random.Random(seed)
        self.model = draw.choice(list(MODELS))
        networks = [name for name in NETWORKS if self.model == "vae" or name != "conv"]
        self.network = draw.choice(networks)
        self.by_step = draw.random() < 0.2
        batches = draw.randint(40, 200 if self.network == "conv" or self.by_step else 600)
        steps = batches * (2 if self.model == "factor_vae" else 1)
        xla = "off" if self.network == "conv" or self.by_step else draw.choice(["on", "off"])
        self.bindings = [
            *COMMON,
            *MODELS[self.model],
            *NETWORKS[self.network],
            f"model.model = @{self.model}()",
            f"model.random_seed = {seed}",
            f"model.batch_size = {draw.choice([8, 16])}",
            f"model.training_steps = {steps}",
            f"training_loop.xla = '{xla}'",
            f"dto_while_training.every = {draw.choice([0, 20, 35])}",
            "dto_while_training.num_points = 20",
        ]
        if self.model not in ("autoencoder", "factor_vae"):
            self.bindings.append(f"polarized_regime.every = {draw.choice([0, 7, 20])}")
            self.bindings.append("polarized_regime.num_points = 30")
        self.ends = [
            (draw.choice(ENDS), draw.randint(1, batches)) for _ in range(draw.randint(1, 3))
        ]
        self.varied = [
            [
                f"training_loop.iterations_per_loop = {draw.choice([1, 3, 17, 50, 500])}",
                f"training_loop.checkpoint_steps = {draw.choice([5, 13, 40])}",
            ]
            for _ in range(len(self.ends) + 2)
        ]

    def __str__(self) -> str:
        where = f"{self.model}, {self.network}{', step by step' * self.by_step}"
        return f"{where}, {self.bindings[-6:]}, ends {self.ends}"

    def train(self, directory: Path, varied: list[str], end: tuple | None = None) -> int:
        """Trains in a forked process that `end` ends; returns its exit status as a shell shows it."""

        def make() -> None:
            with contextlib.ExitStack() as stack:
                if self.by_step:
                    patch = mock.patch.object(inputs, "loop_input", lambda *_: None)
                    stack.enter_context(patch)
                stack.enter_context(ended(end))
                train.train_with_gin(str(directory), gin_bindings=[*self.bindings, *varied])

        return status_of(forked(make, directory.with_name("log")))


@contextlib.contextmanager
def ended(end: tuple | None):
    """Within: the process ends itself once it has trained on a number of batches."""
    kind, batches = end or ("kill", 10**9)
    call, write = TrainingGraph.call_session, checkpoints.Checkpoints.write

    def call_session(graph, *arguments):
        result = call(graph, *arguments)
        if graph.batches >= batches:
            if kind in ("SIGTERM", "SIGINT"):
                os.kill(os.getpid(), signal.Signals[kind])
            elif kind in ("kill", "damage"):
                os.kill(os.getpid(), signal.SIGKILL)
        return result

    def write_checkpoint(self, step, last_step, save_weights, *rest):
        def save_and_die(prefix):
            save_weights(prefix)
            os.kill(os.getpid(), signal.SIGKILL)

        dies = kind == "kill_while_saving" and step >= batches
        return write(self, step, last_step, save_and_die if dies else save_weights, *rest)

    with (
        mock.patch.object(TrainingGraph, "call_session", call_session),
        mock.patch.object(checkpoints.Checkpoints, "write", write_checkpoint),
    ):
        yield


def damage_newest(directory: Path) -> None:
    """Flips a byte of the newest checkpoint's weights."""
    found = directory.with_name(f"{directory.name}.unfinished") / "checkpoints"
    steps = [path for path in found.glob("*") if path.name.isdecimal()]
    if steps:
        (data,) = max(steps, key=lambda path: int(path.name)).glob("weights.data*")
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 255
        data.write_bytes(content)


def resume(_: None, place: Path, seed: int) -> list[str]:
    """A training run that is ended and continued ends as one that was left alone."""
    trial = Trial(seed)
    alone, killed = place / "alone/model", place / "killed/model"
    for directory in (alone, killed):
        directory.parent.mkdir(parents=True)
    *first, last, reference = trial.varied
    if trial.train(alone, reference) != 0:
        raise Wrong(f"{trial}: it fails when it is left alone")
    found = []
    for end, varied in zip(trial.ends, first, strict=True):
        if killed.exists():
            break
        status = trial.train(killed, varied, end)
        if status not in ({"SIGTERM": 143, "SIGINT": 130}.get(end[0], 137), 0):
            raise Wrong(f"{trial}: exit status {status} after {end}")
        if not killed.exists():
            found.append(f"{end[0]} of {trial.model}")
            if end[0] == "damage":
                damage_newest(killed)
    if not killed.exists() and trial.train(killed, last) != 0:
        raise Wrong(f"{trial}: it cannot be continued")
    if killed.with_name("model.unfinished").exists():
        raise Wrong(f"{trial}: model.unfinished is left")
    check_equal(results_of(killed), results_of(alone), f" of {trial}")
    return found


def undisturbed(folder: Path, kind: str) -> None:
    """Each trial has its own."""

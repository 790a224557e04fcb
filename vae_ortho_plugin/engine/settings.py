# SPDX-License-Identifier: Apache-2.0
"""The gin configurable `training_loop`."""

import dataclasses

import gin

from vae_ortho_plugin.errors import InputError, check_one_of, check_whole


@dataclasses.dataclass(frozen=True)
class TrainingLoop:
    """Arguments of `training_loop`."""

    iterations_per_loop: int | None
    xla: str
    threads: int | None
    resume: bool
    checkpoint_seconds: float | None
    checkpoint_steps: int | None


# Parameters that do not change the results, but for the last bits of a large network by its threads.
WITHOUT_EFFECT = (
    "training_loop.iterations_per_loop",
    "training_loop.threads",
    "training_loop.resume",
    "training_loop.checkpoint_seconds",
    "training_loop.checkpoint_steps",
)


@gin.configurable("training_loop")
def training_loop(
    iterations_per_loop: int | None = None,
    xla: str = "auto",
    threads: int | None = None,
    resume: bool = True,
    checkpoint_seconds: float | None = 600,
    checkpoint_steps: int | None = None,
) -> TrainingLoop:
    """How training runs inside the graph. The results depend on `xla` alone.

    Args:
        iterations_per_loop: largest number of steps in one session call, at most 5,000; None: 5,000.
            A session call also ends after half a second, or up to two where the weights are large.
        xla: 'auto' (compile where that is faster), 'on' or 'off'.
        threads: that share an operation; None: one for a network like that of Synth. Non-Lin., else all cores,
            or as many as the environment's TF_NUM_INTRAOP_THREADS says.
        resume: write checkpoints while a model trains, and continue from the newest one.
        checkpoint_seconds: seconds from one checkpoint to the next; None: at no interval of time.
        checkpoint_steps: batches from one checkpoint to the next; None: at no interval of batches.

    Raises:
        InputError: a setting is not valid.
    """
    check_one_of("training_loop.xla", xla, ("auto", "on", "off"))
    check_one_of("training_loop.resume", resume, (True, False))
    for name, number in (
        ("iterations_per_loop", iterations_per_loop),
        ("threads", threads),
        ("checkpoint_steps", checkpoint_steps),
    ):
        if number is not None:
            check_whole(f"training_loop.{name}", number, 1)
    if checkpoint_seconds is not None and not checkpoint_seconds > 0:
        raise InputError(
            f"training_loop.checkpoint_seconds = {checkpoint_seconds!r}; it must be positive or None."
        )
    return TrainingLoop(
        iterations_per_loop, xla, threads, resume, checkpoint_seconds, checkpoint_steps
    )

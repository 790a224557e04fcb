# SPDX-License-Identifier: Apache-2.0
"""The gin configurable `training_loop`."""

import dataclasses

import gin

from vae_ortho_plugin.errors import InputError, check_one_of, check_whole


@gin.configurable("training_loop")
@dataclasses.dataclass(frozen=True)
class TrainingLoop:
    """Settings of a training run inside the graph. The results depend on `xla` alone.

    Args:
        iterations_per_loop: largest number of steps in one session call, at most 5,000; None: 5,000.
            A session call also ends after half a second, or up to two where the weights are large.
        xla: 'auto' (compile where that is faster), 'on' or 'off'.
        threads: that share an operation; None: one for a network like that of Synth. Non-Lin., else all cores,
            or as many as the environment's TF_NUM_INTRAOP_THREADS says.
        resume: write checkpoints while a model trains, and continue from the newest one.
        continue_from: directory of a finished model that was trained for fewer steps; `dlib_train` trains it for the
            rest of them.
        checkpoint_seconds: seconds from one checkpoint to the next; None: at no interval of time.
        checkpoint_steps: batches from one checkpoint to the next; None: at no interval of batches.

    Raises:
        InputError: a setting is not valid.
    """

    iterations_per_loop: int | None = None
    xla: str = "auto"
    threads: int | None = None
    resume: bool = True
    continue_from: str | None = None
    checkpoint_seconds: float | None = 600
    checkpoint_steps: int | None = None

    def __post_init__(self):
        check_one_of("training_loop.xla", self.xla, ("auto", "on", "off"))
        check_one_of("training_loop.resume", self.resume, (True, False))
        if self.continue_from is not None and not (
            isinstance(self.continue_from, str) and self.resume
        ):
            raise InputError(
                f"training_loop.continue_from = {self.continue_from!r}; it must be the directory of a model, or None, and "
                "it needs training_loop.resume = True."
            )
        for name in ("iterations_per_loop", "threads", "checkpoint_steps"):
            if (number := getattr(self, name)) is not None:
                check_whole(f"training_loop.{name}", number, 1)
        if self.checkpoint_seconds is not None and not self.checkpoint_seconds > 0:
            raise InputError(
                f"training_loop.checkpoint_seconds = {self.checkpoint_seconds!r}; it must be positive or None."
            )


# Parameters that do not change the results, but for the last bits of a large network by its threads.
WITHOUT_EFFECT = tuple(
    f"training_loop.{field.name}"
    for field in dataclasses.fields(TrainingLoop)
    if field.name != "xla"
)

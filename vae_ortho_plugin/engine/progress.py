# SPDX-License-Identifier: Apache-2.0
"""What a training run says on standard error."""

import contextlib
import sys
import time

_SECONDS_BETWEEN_LINES = 10.0


def say(message: str) -> None:
    """Prints a line of the plugin, or nothing where standard error cannot be written."""
    if sys.stderr is None:  # print would take standard output
        return
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        print(f"vae_ortho_plugin: {message}", file=sys.stderr, flush=True)


class Progress:
    """Lines about how far a training run is, every ten seconds and at its end."""

    def __init__(self, first_step: int, last_step: int):
        self._first_step, self._last_step = first_step, last_step
        self._step, self._loss = first_step, float("nan")
        self._started = self._shown = time.monotonic()

    def show(self, step: int, loss: float) -> None:
        now = time.monotonic()
        self._step, self._loss = step, loss
        if now - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown, rate = now, (step - self._first_step) / (now - self._started)
            say(
                f"step {step:,} of {self._last_step:,}, loss {loss:.6g}, {rate:,.0f} steps/s, "
                f"{(self._last_step - step) / rate:,.0f} s left"
            )

    def end(self) -> None:
        steps, seconds = self._step - self._first_step, time.monotonic() - self._started
        if steps:
            say(
                f"trained {steps:,} steps in {seconds:,.1f} s ({steps / seconds:,.0f} steps/s), "
                f"loss {self._loss:.6g}"
            )

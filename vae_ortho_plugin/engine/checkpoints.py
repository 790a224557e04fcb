# SPDX-License-Identifier: Apache-2.0
"""Checkpoints from which an interrupted training run continues.

A checkpoint is a directory `<step>` with the weights, the rows of the trackers, the event files, a manifest
and the SHA-256 of each file. It is written beside its place and renamed, so that it is complete or absent.
"""

import dataclasses
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from vae_ortho_plugin import files
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError

_MANIFEST = "manifest.json"
_WEIGHTS = "weights"
_TRACKERS = "tracked.npz"
_EVENTS = "events"
# What `_read` raises of a damaged checkpoint.
_DAMAGED = (OSError, ValueError, KeyError, TypeError)


class CannotContinue(InputError):
    """There is a checkpoint, but its training run cannot be continued, only started over."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint."""

    directory: Path
    step: int  # global step
    last_step: int  # global step at which its training run ends
    saved_at: float  # in seconds since the epoch

    @property
    def weights(self) -> str:
        """Path of the weights, for a tf.train.Saver."""
        return str(self.directory / _WEIGHTS)

    @property
    def trackers(self) -> Path:
        """File with the rows of the trackers."""
        return self.directory / _TRACKERS

    @property
    def events(self) -> list[Path]:
        """TensorBoard's event files up to this step."""
        return sorted((self.directory / _EVENTS).glob("*"))

    def __str__(self) -> str:
        """'step 12,345 of 375,000 (checkpoint of 3 min ago) in DIRECTORY'"""
        minutes = max(0.0, time.time() - self.saved_at) / 60
        return (
            f"step {self.step:,} of {self.last_step:,} (checkpoint of {minutes:.0f} min ago) in "
            f"{self.directory}"
        )


class Checkpoints:
    """The checkpoints of one training run, all in one directory."""

    def __init__(self, directory: Path):
        self.directory = directory

    def newest(self) -> Checkpoint | None:
        """The newest undamaged checkpoint; None without any. Says which ones are damaged."""
        for path in self._directories():
            try:
                return _read(path)
            except _DAMAGED as error:
                progress.say(f"warning: the checkpoint {path} is damaged and not used ({error})")
        return None

    def write(
        self,
        step: int,
        last_step: int,
        save_weights: Callable[[str], object],
        save_trackers: Callable[[Path], object],
        events: list[Path],
    ) -> Checkpoint:
        """Writes a checkpoint, and deletes all others but the newest undamaged one of them.

        `save_weights` writes the weights to files with this prefix, `save_trackers` the rows of the trackers to
        this file; `events` are TensorBoard's event files.

        Raises:
            InputError: the files cannot be written.
        """
        for left in self.directory.glob(".*.partial"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        partial, written = self.directory / f".{step}.partial", self.directory / str(step)
        try:
            (partial / _EVENTS).mkdir(parents=True)
            save_weights(str(partial / _WEIGHTS))
            save_trackers(partial / _TRACKERS)
            for path in events:
                shutil.copyfile(path, partial / _EVENTS / path.name)
            facts = {"step": step, "last_step": last_step, "saved_at": time.time()}
            files.write_text(partial / _MANIFEST, json.dumps(facts, indent=1))
            files.seal(partial)
            files.publish(partial, written)
        except OSError as error:
            raise cannot_be_written(self.directory, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self._delete_all_but_a_fallback_of(written)
        return Checkpoint(written, **facts)

    def _delete_all_but_a_fallback_of(self, written: Path) -> None:
        has_fallback = False
        for path in self._directories():
            if path == written:
                continue
            try:
                if not has_fallback:
                    _read(path)
                    has_fallback = True
                    continue
            except _DAMAGED as error:
                # Another OSError may pass: a file server may answer again.
                if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                    continue
            shutil.rmtree(path, ignore_errors=True)

    def _directories(self) -> list[Path]:
        """Those of the checkpoints, damaged or not, the newest first."""
        steps = [path for path in self.directory.glob("*") if path.name.isdecimal()]
        return sorted(steps, key=lambda path: -int(path.name))


def cannot_be_written(directory: Path | str, error: Exception) -> InputError:
    """The error to raise where a checkpoint cannot be written."""
    reason = str(error).strip().partition("\n")[0]
    return InputError(
        f"The checkpoint cannot be written to {directory}: {reason}. Make room there, and start the "
        "training run again."
    )


def _read(directory: Path) -> Checkpoint:
    """The checkpoint in a directory; raises one of _DAMAGED."""
    if not (directory / files.SUMS).is_file():
        raise ValueError(f"it has no {files.SUMS}")
    files.check_seal(directory)
    manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
    return Checkpoint(
        directory, int(manifest["step"]), int(manifest["last_step"]), float(manifest["saved_at"])
    )

# SPDX-License-Identifier: Apache-2.0
"""Checkpoints from which an interrupted training continues.

A checkpoint is a directory `<step>` with the weights, the rows of the trackers, the event files, a manifest
and the SHA-256 of each file. It is written beside its place and renamed, so that it is complete or absent.
"""

import contextlib
import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from vae_ortho_plugin import files
from vae_ortho_plugin.engine import progress
from vae_ortho_plugin.errors import InputError

_MANIFEST = "manifest.json"
_WEIGHTS = "weights"
_TRACKED = "tracked.npz"
_EVENTS = "events"
# What `_read` raises of a damaged checkpoint.
_DAMAGED = (OSError, ValueError, KeyError, TypeError)

_directory: ContextVar[Path | None] = ContextVar("checkpoint_directory", default=None)


@contextlib.contextmanager
def kept_in(directory: Path) -> Iterator[None]:
    """Within: trainings keep their checkpoints in `directory` and continue from the newest one there."""
    token = _directory.set(directory)
    try:
        yield
    finally:
        _directory.reset(token)


class CannotContinue(InputError):
    """A checkpoint is there, and its training cannot be continued, only started over."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        directory: what holds it.
        step: global step.
        last_step: global step at which its training ends.
        saved_at: when it was written, in seconds since the epoch.
    """

    directory: Path
    step: int
    last_step: int
    saved_at: float

    @property
    def weights(self) -> str:
        """Path of the weights, for a tf.train.Saver."""
        return str(self.directory / _WEIGHTS)

    @property
    def tracked(self) -> Path:
        """File with the rows of the trackers."""
        return self.directory / _TRACKED

    @property
    def events(self) -> list[Path]:
        """TensorBoard's event files up to this step."""
        return sorted((self.directory / _EVENTS).glob("*"))

    def __str__(self) -> str:
        """Such as 'step 12,345 of 375,000 (checkpoint of 3 min ago) in DIRECTORY'."""
        minutes = max(0.0, time.time() - self.saved_at) / 60
        return (
            f"step {self.step:,} of {self.last_step:,} (checkpoint of {minutes:.0f} min ago) in "
            f"{self.directory}"
        )


class Checkpoints:
    """The checkpoints of one training.

    Args:
        directory: what holds them.
    """

    def __init__(self, directory: Path):
        self.directory = directory

    @classmethod
    def configured(cls) -> "Checkpoints | None":
        """Those of the directory of `kept_in`; None outside of it."""
        directory = _directory.get()
        return None if directory is None else cls(directory)

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
        save_tracked: Callable[[Path], object],
        events: list[Path],
    ) -> Checkpoint:
        """Writes a checkpoint, and deletes all others but the newest undamaged one of them.

        Args:
            step: global step.
            last_step: global step at which the training ends.
            save_weights: writes the weights to files with this prefix.
            save_tracked: writes the rows of the trackers to this file.
            events: TensorBoard's event files.

        Raises:
            InputError: the files cannot be written.
        """
        for left in self.directory.glob(".*.partial"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        partial = self.directory / f".{step}.partial"
        try:
            (partial / _EVENTS).mkdir(parents=True)
            save_weights(str(partial / _WEIGHTS))
            save_tracked(partial / _TRACKED)
            for path in events:
                shutil.copyfile(path, partial / _EVENTS / path.name)
            facts = {"step": step, "last_step": last_step, "saved_at": time.time()}
            files.write_text(partial / _MANIFEST, json.dumps(facts, indent=1))
            files.seal(partial)
            files.publish(partial, self.directory / str(step))
        except OSError as error:
            raise cannot_be_written(self.directory, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        written = self.directory / str(step)
        self._delete_but_a_fallback_of(written)
        return Checkpoint(written, **facts)

    def _delete_but_a_fallback_of(self, written: Path) -> None:
        has_fallback = False
        for path in self._directories():
            if path == written:
                continue
            if not has_fallback:
                try:
                    _read(path)
                    has_fallback = True
                    continue
                except FileNotFoundError:
                    pass
                except OSError:  # it may be whole: a file server may answer again
                    continue
                except _DAMAGED:
                    pass
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
        "training again."
    )


def _read(directory: Path) -> Checkpoint:
    """The checkpoint in a directory.

    Raises:
        OSError, ValueError, KeyError, TypeError: it is damaged.
    """
    if not (directory / files.SUMS).is_file():
        raise ValueError(f"it has no {files.SUMS}")
    files.check_seal(directory)
    manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
    return Checkpoint(
        directory, int(manifest["step"]), int(manifest["last_step"]), float(manifest["saved_at"])
    )

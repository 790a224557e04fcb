# SPDX-License-Identifier: Apache-2.0
"""A small training run with all of its steps in a process of its own, for faults to be injected into."""

import contextlib
import ctypes
import functools
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import gin
import numpy as np
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.postprocessing import postprocess
from disentanglement_lib.visualize import visualize_model
from engine_support import tf, train, variables
from faults_support import Wrong, check_equal, status_of

from vae_ortho_plugin.engine.interruption import Interrupted
from vae_ortho_plugin.errors import InputError, message_of
from vae_ortho_plugin.files.gin_files import gin_config

# Exit status of a step that ended with one message for the user.
MESSAGE = 3
_DATA = ["dataset.name = 'npz'", "npz.path = '{data}'"]
_TRAIN = [
    "model.random_seed = 3",
    "model.training_steps = 400",
    "model.eval_steps = 1",
    "encoder.num_latent = 2",
    "encoder.encoder_fn = @mlp_encoder",
    "decoder.decoder_fn = @mlp_decoder",
    "mlp_encoder.layers = [8]",
    "mlp_decoder.layers = [7]",
    "reconstruction_loss.loss_fn = @bernoulli_loss",
    "reconstruction_loss.activation = 'logits'",
    "training_loop.xla = 'off'",
    "training_loop.iterations_per_loop = 10",
    "training_loop.checkpoint_steps = 50",
    "dto_while_training.every = 100",
    "dto_while_training.num_points = 20",
]
_METRICS = ("dto", "disentanglement_score")


def make_data(path: Path) -> None:
    """Writes grey 8 x 8 images of two factors."""
    random = np.random.default_rng(0)
    factors = random.integers(0, [3, 4], size=(300, 2))
    images = random.integers(0, 60, size=(300, 8, 8, 1)).astype(np.uint8)
    images[:, :3, 0, 0] += (60 * factors[:, :1]).astype(np.uint8)
    images[:, 3:, 7, 0] += (40 * factors[:, 1:]).astype(np.uint8)
    np.savez_compressed(path, images=images, factors=factors)


def forked(make: Callable[[], None], log: Path) -> int:
    """Forks a process that calls `make` and prints to the end of a log; returns its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
        make()
        status = 0
    except Interrupted as stopped:
        status = stopped.exit_code
    except KeyboardInterrupt:
        status = 130
    except InputError as error:
        print("message:", message_of(error))
        status = MESSAGE
    except BaseException:  # noqa: BLE001, the exit status tells the parent
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


class Pipeline:
    """Training, postprocessing, two metrics and pictures in one directory.

    Attributes:
        base: the directory; `data.npz` lies in it.
        log: what the process printed.
    """

    def __init__(self, base: Path, beside: Path | None = None):
        self.base, beside = base, beside or base
        self.log, self._at = (beside.with_name(f"{beside.name}.{end}") for end in ("log", "at"))
        base.mkdir(parents=True, exist_ok=True)
        if not (base / "data.npz").exists():
            make_data(base / "data.npz")

    @property
    def at(self) -> str:
        """The step that was begun last."""
        return self._at.read_text() if self._at.exists() else "start"

    def outputs(self) -> dict[str, Path]:
        """Step -> its directory."""
        return {
            "train": self.base / "model",
            "postprocess": self.base / "postprocessed/mean",
            **{name: self.base / f"metrics/{name}" for name in _METRICS},
            "visualize": self.base / "pictures",
        }

    def _make(self, step: str, output: Path) -> None:
        data = [line.format(data=self.base / "data.npz") for line in _DATA]
        model = str(self.base / "model")
        if step == "train":
            config = [str(gin_config("vae.gin"))]
            train.train_with_gin(str(output), False, config, [*_TRAIN, *data])
        elif step == "postprocess":
            config = [str(gin_config("postprocess/mean.gin"))]
            bindings = [*data, "postprocess.random_seed = 0"]
            postprocess.postprocess_with_gin(model, str(output), False, config, bindings)
        elif step == "visualize":
            visualize_model.visualize(model, str(output), False, num_animations=1, num_frames=2)
        else:
            config = [str(gin_config(f"metrics/{step}.gin"))]
            bindings = [*data, "evaluation.random_seed = 0"]
            inputs = str(self.base / "postprocessed/mean")
            evaluate.evaluate_with_gin(inputs, str(output), False, config, bindings)

    def start(self, heeding_modes: bool = False) -> int:
        """Begins to make the missing steps in a forked process; returns its id."""

        def make() -> None:
            at = os.open(self._at, os.O_WRONLY | os.O_CREAT)
            if heeding_modes:
                heed_modes()
            for step, output in self.outputs().items():
                os.pwrite(at, step.ljust(30).encode(), 0)
                if not output.is_dir():
                    gin.clear_config()
                    self._make(step, output)

        return forked(make, self.log)

    def run(self, heeding_modes: bool = False) -> int:
        """Makes the missing steps; returns the exit status, 128 + number of the signal for a signal."""
        return status_of(self.start(heeding_modes))

    def run_and_signal(self, number: int, seconds: float) -> int:
        """As `run`, and sends a signal after a time; returns the exit status."""
        child = self.start()
        time.sleep(seconds)
        os.kill(child, number)  # a process that has ended waits for its parent
        return status_of(child)

    def message(self) -> str:
        """The last message for the user in the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [line for line in lines if line.startswith("message: ")]
        return found[-1] if found else ""

    def finished(self, without: str | None = None) -> dict[str, dict]:
        """Each finished step but `without` -> its results, to be compared."""
        return {
            step: results_of(output)
            for step, output in self.outputs().items()
            if output.is_dir() and step != without
        }

    def leftovers(self) -> list[str]:
        """What a finished pipeline must not leave, but for what lies beside what is finished.

        A process that is killed right after the last rename leaves its lock and its checkpoints.
        """
        beside = {
            left
            for output in self.outputs().values()
            for left in (output.parent / f".{output.name}.lock", Path(f"{output}.unfinished"))
            if output.is_dir()
        }
        ends = (".unfinished", ".replaced", ".lock")
        return sorted(
            str(path.relative_to(self.base))
            for path in {*self.base.rglob("*")} - beside
            if path.name.endswith(ends) or ".partial" in path.name
        )


def heed_modes() -> None:
    """Takes root's right to pass over the modes of files away from this process."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, twice
    if libc.capget(header, sets) == 0:
        sets[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.capset(header, sets) == 0:
            return
    raise OSError(ctypes.get_errno(), "the right cannot be taken away")


def results_of(directory: Path) -> dict[str, object]:
    """Variables, results without times and places, pictures and TensorBoard's values of a step's directory, by name."""
    found: dict[str, object] = {}
    events: list[tuple[int, str, str]] = []
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.suffix == ".index":
            values = variables(path.with_suffix(""))
            found[name] = {key: value.tobytes() for key, value in values.items()}
        elif path.suffix == ".json" and path.name != "made_of.json":  # which has places
            found[name] = _without_times(json.loads(path.read_text()))
        elif path.suffix in (".jpg", ".gif", ".png", ".npz"):
            # dlib draws reconstructions of sampled latents, by numbers without a seed.
            found[name] = path.stem != "reconstructions" and path.read_bytes()
        elif path.name.startswith("events.out.tfevents."):
            for event in tf.train.summary_iterator(str(path)):
                events += [(event.step, v.tag, repr(v.simple_value)) for v in event.summary.value]
    found["TensorBoard's values"] = sorted(events)
    return found


def _without_times(results: dict) -> dict:
    """The results, less what differs from one undisturbed process, place or interval to the next."""
    varies = ("elapsed_time", "uuid", "npz.path", ".iterations_per_loop", ".checkpoint_steps")
    return {key: value for key, value in results.items() if not key.endswith(varies)}


class Reference:
    """What an undisturbed pipeline makes.

    Attributes:
        pipeline: the pipeline.
        seconds: how long it takes.
        train_seconds: how long its training run takes, with the export.
        results: of each step.
        kib: size of all that it writes.
    """

    def __init__(self, folder: Path):
        self.pipeline = Pipeline(folder / "undisturbed")
        begun = time.time()
        if (status := self.pipeline.run()) != 0:
            raise Wrong(f"undisturbed, it ends with {status}:\n{self.pipeline.log.read_text()}")
        self.seconds = time.time() - begun
        self.train_seconds = (self.pipeline.base / "model").stat().st_ctime - begun
        self.results = self.pipeline.finished()
        sizes = [path.stat().st_size for path in self.pipeline.base.rglob("*") if path.is_file()]
        self.kib = sum(size // 4096 + 1 for size in sizes) * 4


_reference = functools.cache(Reference)


def undisturbed(folder: Path, kind: str) -> Reference:
    """One for all kinds."""
    return _reference(folder)


def check_finished_parts(pipeline: Pipeline, expected: dict[str, dict]) -> None:
    """Raises Wrong unless each directory with its final name holds the expected results."""
    for step, found in pipeline.finished().items():
        check_equal(found, expected[step], f" of the step {step}, begun last: {pipeline.at},")


def check_end(pipeline: Pipeline, expected: dict[str, dict]) -> None:
    """Goes on until everything is made; raises Wrong unless all is what is expected, what is there now and at the end."""
    check_finished_parts(pipeline, expected)
    if (status := pipeline.run()) != 0:
        raise Wrong(f"the next call ends with {status}:\n{pipeline.log.read_text()[-3000:]}")
    if missing := expected.keys() - pipeline.finished().keys():
        raise Wrong(f"{missing} are missing")
    check_finished_parts(pipeline, expected)
    if left := pipeline.leftovers():
        raise Wrong(f"left over: {left}")

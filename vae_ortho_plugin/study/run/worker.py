# SPDX-License-Identifier: Apache-2.0
"""A process that makes one run of the study after the other, with TensorFlow started once.

Reads one job a line from standard input and answers with a line on standard output, both JSON:
`{"model_num": 3, "epochs": null, "directory": "…/runs/synth_linear/beta_vae/3", "log": "…"}` is
answered by `{"error": null}` when the directory is complete, else by the error and whether the user must
fix it. After an error the process exits. After SIGINT or SIGTERM in a training run it exits with 130 or 143
and no answer, and there is a checkpoint. Everything that a run prints goes to its log.
"""

import gc
import json
import os
import sys
import traceback
from pathlib import Path
from typing import TextIO

from vae_ortho_plugin.engine import xla_cache
from vae_ortho_plugin.engine.interruption import Interrupted
from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.files import streams
from vae_ortho_plugin.study.run.machine import describe_limit
from vae_ortho_plugin.study.run.reproduce import load_reproduce, train_and_evaluate

_LONGEST_ERROR = 10_000


def main() -> None:
    streams.drop_what_cannot_be_written("stdout", "stderr")
    with xla_cache.used():
        _answer_jobs()


def _answer_jobs() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    reproduce = None
    for line in sys.stdin:
        job = json.loads(line)
        with _opened(job["log"]) as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        answer = {"error": None}
        try:
            if reproduce is None:
                reproduce = load_reproduce()
                # A collection of all that the imports have made takes half a second, and each graph asks for one.
                gc.freeze()
            # Late, because it imports TensorFlow, which dlib's script has prepared by now.
            from vae_ortho_plugin.decoder.model_cache import CACHE

            directory = Path(job["directory"])
            with CACHE.switched_on():
                train_and_evaluate(reproduce, job["model_num"], job["epochs"], directory)
        except Interrupted as stopped:
            sys.exit(stopped.exit_code)
        except Exception as failure:  # noqa: BLE001, reported by the parent
            traceback.print_exc()
            text = f"{type(failure).__name__}: {failure}"[:_LONGEST_ERROR]
            if isinstance(failure, MemoryError) or "ResourceExhausted" in type(failure).__name__:
                text += f" (of {describe_limit()})"
            answer = {"error": text, "user_must_fix": isinstance(failure, InputError)}
        sys.stdout.flush()
        sys.stderr.flush()
        print(json.dumps(answer), file=answers)
        if answer["error"]:
            sys.exit(1)


def _opened(log: str) -> TextIO:
    try:
        return open(log, "a")
    except OSError:  # such as a full disk, where the run may still have room
        return open(os.devnull, "a")


if __name__ == "__main__":
    main()

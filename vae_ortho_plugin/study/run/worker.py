# SPDX-License-Identifier: Apache-2.0
"""A process that makes one run of the study after the other, with TensorFlow started once.

Reads one job a line from standard input and answers with a line on standard output, both JSON:
`{"model_num": 3, "epochs": null, "directory": "…/runs/synth_linear/beta_vae/3", "log": "…"}` is
answered by `{"error": null}` when the directory is complete, else by the error. After an error the
process exits. Everything that a run prints goes to its log.
"""

import json
import os
import sys
import traceback
from pathlib import Path

from vae_ortho_plugin.study.run.reproduce import load_reproduce, train_and_evaluate


def main() -> None:
    """Answers the jobs of standard input."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    reproduce = None
    for line in sys.stdin:
        job = json.loads(line)
        with open(job["log"], "w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        error = None
        try:
            reproduce = reproduce or load_reproduce()
            train_and_evaluate(reproduce, job["model_num"], job["epochs"], Path(job["directory"]))
        except Exception as failure:  # noqa: BLE001, reported by the parent
            traceback.print_exc()
            error = f"{type(failure).__name__}: {failure}"
        sys.stdout.flush()
        sys.stderr.flush()
        print(json.dumps({"error": error}), file=answers)
        if error:
            sys.exit(1)


if __name__ == "__main__":
    main()

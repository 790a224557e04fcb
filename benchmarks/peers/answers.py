# SPDX-License-Identifier: Apache-2.0
"""What all peers share: each is a program that makes one task ready and then answers requests.

    python PEER.py '{"kind": "train", "data_set": "mnist", ...}'

When it is ready, it prints a line of JSON with its versions. A line of standard input is a request: "run 500" asks
for the seconds of 500 steps (or points, products), "memory 500" for the MiB by which the process grows
meanwhile, "check 500" for the losses after 500 steps. Between two requests it stands still. Runs in Python 3.7 too.
"""

import json
import os
import platform
import re
import subprocess
import sys
import time

PRODUCT_ROWS, PRODUCT_WIDTH = 256, 1200
GIN_CONFIGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "gin_configs")


def serve(kinds, versions):
    """Answers the requests of standard input until it ends.

    Args:
        kinds: from a task's kind to a function that takes the rest of the task and gives the function of a count
            that a request calls. That one returns seconds, or None: then they are measured here.
        versions: of the libraries, by name.
    """
    task = json.loads(sys.argv[1])
    # Whatever else is printed goes to the log.
    answers = os.fdopen(os.dup(1), "w", 1)
    os.dup2(2, 1)
    kinds = {"start": lambda **_: start, **kinds}
    run = kinds[task.pop("kind")](**task)
    print(json.dumps({"python": platform.python_version(), **versions}), file=answers)
    for line in sys.stdin:
        request, count = line.split()
        if request == "check":
            answer = run.check(int(count))
        elif request == "memory":
            answer = growth(run, int(count))
        else:
            started = time.time()
            answer = run(int(count)) or time.time() - started
        print(json.dumps(answer), file=answers)


def growth(run, count):
    """MiB from the memory in use now to the highest use during the call; Linux only."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # resets the peak to the memory in use now
    before = _peak()
    run(count)
    return _peak() - before


def _peak():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) / 1024


def distances(jacobians):
    """DtO of Jacobians [points, outputs, latents] as users of NumPy and SciPy write it."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    for vectors in np.linalg.svd(jacobians.astype(np.float64), full_matrices=False)[2]:
        rows, chosen = linear_sum_assignment(-np.abs(vectors))
        vectors[rows, chosen] -= np.sign(vectors[rows, chosen])
        np.linalg.norm(vectors)


def gin_files(model, data_set):
    """Paths of the gin files of a model on a data set."""
    return [os.path.join(GIN_CONFIGS, f"{name}.gin") for name in (model, f"datasets/{data_set}")]


def losses(error, kl, beta):
    """Losses by their names in dlib."""
    return {"loss": error + beta * kl, "reconstruction_loss": error, "kl_loss": kl}


def need_gpu(found):
    """Ends the program where the task is for a GPU and none is found."""
    if json.loads(sys.argv[1]).get("gpu") and not found:
        sys.exit("RuntimeError: this library finds no GPU")


def beta_vae_metric(module_path, num_train, num_eval):
    """dlib's BetaVAE metric on dSprites, of a TF-Hub module, as dlib_evaluate calls it."""
    import numpy as np
    import tensorflow_hub as hub
    from disentanglement_lib.data.ground_truth import named_data
    from disentanglement_lib.evaluation.metrics import beta_vae

    data = named_data.get_named_ground_truth_data("dsprites_full")
    with hub.eval_function_for_module(module_path) as module:

        def representation(images):
            outputs = module({"images": images}, signature="gaussian_encoder", as_dict=True)
            return np.array(outputs["mean"])

        random_state = np.random.RandomState(0)
        beta_vae.compute_beta_vae_sklearn(
            data, representation, random_state, None, 64, num_train, num_eval
        )


def start(count):
    """Starts dlib_train --helpshort beside this Python, which exits with 1."""
    script = os.path.join(os.path.dirname(sys.executable), "dlib_train")
    # The benchmarks' own PYTHONPATH is not part of a program's start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for _ in range(count):
        command = [sys.executable, script, "--helpshort"]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment)
        if done.returncode != 1:
            sys.exit("RuntimeError: dlib_train --helpshort failed")

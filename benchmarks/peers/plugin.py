# SPDX-License-Identifier: Apache-2.0
"""The plugin itself, by the functions behind its commands."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import answers
import numpy as np

import vae_ortho_plugin  # noqa: F401  first: its hook makes TensorFlow what dlib expects

# A fifth of a training run warms up, the rest of it is measured.
PARTS = 5


def train(data_set, batch_size, scratch, seed=0, linearized=None, gin_file=None, bindings=(), **_):
    """dlib_train with its logs and summaries: its seconds for a number of steps, without what comes before and after."""
    from disentanglement_lib.methods.unsupervised import train as dlib_train

    from vae_ortho_plugin.engine.tracker import CallTracker, register

    times: list[float] = []

    @register
    class Stopwatch(CallTracker):
        """Notes the time before the first step and after each fifth of a training run."""

        name = "stopwatch"
        every: int | None = None

        @classmethod
        def configured(cls, model_fn, input_fn, params):
            return None if cls.every is None else cls()

        def build(self):
            times.clear()

        def measure(self, session):
            times.append(time.perf_counter())
            return np.zeros(1)

        def scalars(self, row):
            return {}

        def results(self, taken, last_step):
            return {}

    model = "beta_vae" if linearized is None else "linearized_vae"
    files = [gin_file] if gin_file else answers.gin_files(model, data_set)
    common = [f"model.batch_size = {batch_size}", f"model.random_seed = {seed}", *bindings]
    if linearized is not None:
        common.append(f"linearized_vae.orthogonality = {linearized}")
    directory = Path(scratch) / f"trained_{os.getpid()}"

    def trained(steps, eval_steps):
        shutil.rmtree(directory, ignore_errors=True)
        numbers = [f"model.training_steps = {steps}", f"model.eval_steps = {eval_steps}"]
        dlib_train.train_with_gin(str(directory), True, files, common + numbers)
        results = json.loads((directory / "results/json/train_results.json").read_text())
        shutil.rmtree(directory)
        return results

    def run(steps):
        Stopwatch.every = max(1, steps // (PARTS - 1))
        trained(PARTS * Stopwatch.every, eval_steps=1)
        seconds = times[-1] - times[1]
        return seconds * steps / ((PARTS - 1) * Stopwatch.every)

    run.check = lambda steps: trained(steps, eval_steps=1000)
    return run


def untrained(scratch, data_set, latents=None):
    """Directory of a model with the data set's networks and initial weights, made by dlib_train."""
    directory = Path(scratch) / f"untrained_{data_set}_{latents}"
    if not directory.exists():
        from disentanglement_lib.methods.unsupervised import train as dlib_train

        bindings = ["model.training_steps = 0", "model.eval_steps = 1"]
        # Of the same size as dSprites, and quick to load.
        bindings += ["dataset.name = 'dummy_data'"] * (data_set == "dsprites")
        bindings += [f"encoder.num_latent = {latents}"] * (latents is not None)
        files = answers.gin_files("vae", data_set)
        dlib_train.train_with_gin(str(directory), False, files, bindings)
    return directory


def dto(scratch, data_set, latents=None, **_):
    """What the metric `dto` does for given latents: Jacobians, their R, distances."""
    from vae_ortho_plugin.decoder.trained_model import open_model
    from vae_ortho_plugin.measures import distance_to_orthogonality

    model = open_model(str(untrained(scratch, data_set, latents))).__enter__()

    def run(count):
        points = np.random.default_rng(0).normal(size=(count, model.num_latents))
        distance_to_orthogonality(model.jacobian_factors(points.astype(np.float32)))

    run(1)
    return run


def score(points, latents, **_):
    """The function behind the metric `disentanglement_score`."""
    from in_sklearn import KINDS, example

    from vae_ortho_plugin.measures import disentanglement_score

    data = example(points, latents)
    return lambda _: disentanglement_score(*data, KINDS) and None


def metric(scratch, num_train, num_eval, **_):
    """dlib's BetaVAE metric."""
    path = str(untrained(scratch, "dsprites") / "tfhub")
    import disentanglement_lib  # noqa: F401

    return lambda _: answers.beta_vae_metric(path, num_train, num_eval)


# tensorflow_hub wants an attribute that TensorFlow has lost, and a module that setuptools has.
IMPORTS = """
import sys, types, packaging.version, tensorflow, tensorflow_probability
tensorflow.compat.v1.estimator = types.SimpleNamespace(Exporter=object)
parse = packaging.version.parse
sys.modules.setdefault("pkg_resources", types.SimpleNamespace(parse_version=parse))
import tensorflow_hub
"""


def imports(**_):
    """The start of a Python that imports what dlib needs anyway."""
    return lambda _: subprocess.run([sys.executable, "-c", IMPORTS], check=True) and None


def study_runs(scratch, runs, **_):
    """Runs of the study by one of its workers, on one core.

    A request's count says which of `runs`, (name of a data variant, epochs) each.
    """
    from vae_ortho_plugin.study.plan import experiments

    variants = {e.data.name: e.data for e in experiments.EXPERIMENTS}
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    worker = subprocess.Popen(
        [sys.executable, "-m", "vae_ortho_plugin.study.run.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **dict.fromkeys(threads, "1")},
        text=True,
        bufsize=1,
    )

    def make(number):
        name, epochs = runs[number]
        experiment = experiments.table_1_experiments(variants[name])[0]
        directory = Path(scratch) / f"run_{name}_{epochs}"
        shutil.rmtree(directory, ignore_errors=True)
        job = {
            "model_num": experiments.Run(experiment, seed=0).model_num,
            "epochs": epochs,
            "directory": str(directory),
            "log": str(directory) + ".log",
        }
        print(json.dumps(job), file=worker.stdin)
        answer = json.loads(worker.stdout.readline() or '{"error": "the worker ended"}')
        if answer["error"]:
            sys.exit(f"RuntimeError: {answer['error']}")

    make(0)  # the first one starts TensorFlow
    return make


def report(scratch, **_):
    """The report of a results folder with so many finished runs, which nobody trained."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
    from study_output import add_run

    from vae_ortho_plugin.study.plan.plans import select
    from vae_ortho_plugin.study.report import write_report

    def run(count):
        folder = Path(scratch) / f"study_of_{count}_runs"
        if not folder.exists():
            every = select("full", None, None, range(100))
            for one in sorted(every, key=lambda run: run.seed)[:count]:
                add_run(folder, one, dto=0.5 + one.seed / 1000, score=0.5, bare=one.seed > 0)
        started = time.perf_counter()
        write_report("full", folder)
        return time.perf_counter() - started

    return run


def products(**_):
    """Products of float32 matrices in TensorFlow: the best rate of all libraries bounds what products take."""
    import tensorflow as tf

    rows = tf.random.normal([answers.PRODUCT_ROWS, answers.PRODUCT_WIDTH])
    weights = tf.random.normal([answers.PRODUCT_WIDTH] * 2) / answers.PRODUCT_WIDTH**0.5

    @tf.function
    def chain(result, count):
        for _ in tf.range(count):
            result = result @ weights
        return result

    return lambda count: chain(rows, tf.constant(count)).numpy() is None or None


def main():
    kinds = (train, dto, score, metric, imports, study_runs, report, products)
    packages = ("tensorflow", "tensorflow-probability", "disentanglement-lib", "numpy", "scipy")
    versions = {}
    for name in packages:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    if json.loads(sys.argv[1]).get("gpu"):
        import tensorflow as tf

        answers.need_gpu(tf.config.list_physical_devices("GPU"))
        info = tf.sysconfig.get_build_info()
        versions |= {name: info.get(f"{name}_version", "?") for name in ("cuda", "cudnn")}
        tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
        versions["TF32"] = "on" if tf32 else "off"
    answers.serve({kind.__name__: kind for kind in kinds}, versions)


if __name__ == "__main__":
    main()

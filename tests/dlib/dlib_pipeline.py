# SPDX-License-Identifier: Apache-2.0
"""Runs dlib's unmodified script dlib_reproduce on shortened models of its studies, with synthetic data files.

python dlib_pipeline.py DATA OUTPUT STUDY=NUMBER,NUMBER,... ...

Seven models of a study together evaluate all of its metrics, each of them every seventh.
"""

import functools
import os
import sys
from pathlib import Path

import data_files

import vae_ortho_plugin  # noqa: F401

# dlib finds what TensorFlow no longer has under the plugin's hook only.
# isort: split
from absl import flags
from disentanglement_lib.config import reproduce
from disentanglement_lib.evaluation import evaluate
from disentanglement_lib.visualize import visualize_model

from vae_ortho_plugin.data import mpi3d
from vae_ortho_plugin.data.files.location import VARIABLE
from vae_ortho_plugin.study.run.reproduce import load_reproduce

TRAINING = ["model.training_steps = 3", "model.eval_steps = 1", "model.batch_size = 8"]
TRAIN = ("beta_vae_sklearn", "dci", "factor_vae_score", "mig", "modularity_explicitness")
TRAIN += ("sap_score", "unsupervised_metrics")
EVALUATION = [
    *(f"{name}.num_train = 100" for name in TRAIN),
    "beta_vae_sklearn.batch_size = 4",
    "beta_vae_sklearn.num_eval = 50",
    "dci.num_test = 50",
    "downstream_task.num_test = 50",
    "downstream_task.num_train = [100]",
    "factor_vae_score.batch_size = 4",
    "factor_vae_score.num_eval = 50",
    "factor_vae_score.num_variance_estimate = 100",
    "fairness.num_test_points_per_class = 20",
    "fairness.num_train = 100",
    "modularity_explicitness.num_test = 50",
    "prune_dims.threshold = 0.0",
    "sap_score.num_test = 50",
]


def shorten(study):
    configure, evaluate_with_gin = study.get_model_config, evaluate.evaluate_with_gin

    def get_model_config(model_num=0):
        bindings, file = configure(model_num)
        return [*bindings, *TRAINING], file

    def evaluate_shortened(model_dir, output_dir, overwrite, files, bindings):
        text = Path(files[0]).read_text()
        own = [line for line in EVALUATION if f"@{line.partition('.')[0]}" in text]
        evaluate_with_gin(model_dir, output_dir, overwrite, files, [*bindings, *own])

    study.get_model_config = get_model_config
    evaluate.evaluate_with_gin = evaluate_shortened
    few = {"num_animations": 1, "num_frames": 2, "num_points_irs": 50}
    visualize_model.visualize = functools.partial(visualize_model.visualize, **few)


def every_seventh(files, place):
    """Of the files of metrics, those that the model at this place evaluates."""
    return sorted(files)[place::7]


def main(data, output, *chosen):
    for module, sizes in data_files.SMALL.items():
        module.SIZES = sizes
    mpi3d.SIZES_2019 = data_files.MPI3D_2019
    os.environ[VARIABLE] = data
    script = load_reproduce()
    flags.FLAGS(["dlib_reproduce", f"--output_directory={output}/{{study}}/{{model_num}}"])
    for one in chosen:
        name, _, numbers = one.partition("=")
        study = reproduce.STUDIES[name]
        shorten(study)
        files = study.get_eval_config_files()
        flags.FLAGS.study = name
        for place, number in enumerate(numbers.split(",")):
            study.get_eval_config_files = functools.partial(every_seventh, files, place)
            flags.FLAGS.model_num = int(number)
            script["main"]([])


if __name__ == "__main__":
    main(*sys.argv[1:])

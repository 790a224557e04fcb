# SPDX-License-Identifier: Apache-2.0
"""Runs dlib_reproduce, unmodified, for one short run on dSprites; works under TensorFlow 1.14 and current ones.

Usage: python reproduce_in_both.py DLIB_REPRODUCE OUTPUT STEPS

Trains a beta-VAE with dlib's fully connected networks for STEPS steps, visualizes it, extracts the mean representation
and computes its MIG. The last line it prints is how often the images were read from their file.
"""

import os
import runpy
import sys
import zipfile

import numpy_of_tf114  # noqa: F401
from disentanglement_lib.config import reproduce, study
from disentanglement_lib.config.unsupervised_study_v1 import sweep

IMAGE_BYTES = 3 * 6 * 40 * 32 * 32 * 64 * 64

GIN = """
model.model = @vae()
vae.beta = 4.
model.random_seed = 0
model.batch_size = 64
dataset.name = 'dsprites_full'
encoder.encoder_fn = @fc_encoder
decoder.decoder_fn = @fc_decoder
encoder.num_latent = 10
reconstruction_loss.loss_fn = @bernoulli_loss
reconstruction_loss.activation = 'logits'
vae_optimizer.optimizer_fn = @AdagradOptimizer
AdagradOptimizer.learning_rate = 0.01
"""


class ShortRun(study.Study):
    def __init__(self, gin_file, steps):
        self._gin_file, self._steps = gin_file, steps
        self._files = sweep.UnsupervisedStudyV1()

    def get_model_config(self, model_num=0):
        return [f"model.training_steps = {self._steps}"], self._gin_file

    def get_postprocess_config_files(self):
        return [f for f in self._files.get_postprocess_config_files() if f.endswith("mean.gin")]

    def get_eval_config_files(self):
        return [f for f in self._files.get_eval_config_files() if f.endswith("mig.gin")]


def count_bytes():
    """Counts, in the list it returns, the bytes that are read from archives."""
    counts = []
    read = zipfile.ZipExtFile.read

    def counting_read(self, n=-1):
        result = read(self, n)
        counts.append(len(result))
        return result

    zipfile.ZipExtFile.read = counting_read
    return counts


def main():
    script, output, steps = sys.argv[1:]
    gin_file = output + ".gin"
    with open(gin_file, "w") as file:
        file.write(GIN)
    reproduce.STUDIES["short_run"] = ShortRun(gin_file, steps)
    counts = count_bytes()
    sys.argv = [script, "--study=short_run", "--model_num=0", "--output_directory=" + output]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    if not os.path.isdir(os.path.join(output, "metrics", "mean", "mig")):
        sys.exit("dlib_reproduce did not finish")
    print(round(sum(counts) / IMAGE_BYTES))


if __name__ == "__main__":
    main()

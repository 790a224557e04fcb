# SPDX-License-Identifier: Apache-2.0
"""The data that peers train on, made in a scratch directory: nothing is downloaded.

    python -m benchmarks.data SCRATCH DATA_SET

writes DATA_SET.npy, the observations that the plugin trains on, and DATA_SET.json: its path as "points", their "scale"
and the "network" of the data set's gin file. dSprites is rendered at its full size. MNIST has random bytes: no
operation's time depends on them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    scratch, data_set = Path(sys.argv[1]), sys.argv[2]
    root = scratch / "data"
    if data_set == "mnist":
        _make_mnist(root)
    elif data_set == "dsprites" and not list(root.glob("dsprites/*.npz")):
        command = [sys.executable, "-m", "vae_ortho_plugin.data.render_dsprites", f"--root={root}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    os.environ["DISENTANGLEMENT_LIB_DATA"] = str(root)  # dlib reads it when it is imported
    import vae_ortho_plugin  # noqa: F401  its hook makes TensorFlow what dlib expects

    # isort: split
    from disentanglement_lib.data.ground_truth import named_data

    from vae_ortho_plugin.data.sampling.resident import resident_observations

    name = "dsprites_full" if data_set == "dsprites" else data_set
    data = named_data.get_named_ground_truth_data(name)
    observations, scale = resident_observations(data)
    points = scratch / f"{data_set}.npy"
    np.save(points, observations)
    network = {"outputs": observations[0].size, **network_of(data_set)}
    facts = {"points": str(points), "scale": scale, "network": network}
    (scratch / f"{data_set}.json").write_text(json.dumps(facts))


def network_of(data_set: str) -> dict[str, object]:
    """The network and its training as the data set's gin file says: widths of hidden layers and the like."""
    from vae_ortho_plugin.study.plan.data_variants import data_set_bindings

    bound = data_set_bindings(data_set)
    # dlib's fully connected networks.
    fc = {
        "mlp_encoder.layers": [1200, 1200],
        "mlp_encoder.activation": "relu",
        "mlp_decoder.layers": [1200, 1200, 1200],
        "mlp_decoder.activation": "tanh",
    }
    bound = (fc if data_set == "dsprites" else {}) | bound
    is_adam = "AdamOptimizer.learning_rate" in bound
    optimizer = "AdamOptimizer" if is_adam else "AdagradOptimizer"
    return {
        "encoder": bound["mlp_encoder.layers"],
        "encoder_activation": bound.get("mlp_encoder.activation", "tanh"),
        "decoder": bound["mlp_decoder.layers"],
        "decoder_activation": bound.get("mlp_decoder.activation", "tanh"),
        "latents": bound["encoder.num_latent"],
        "loss": "squared" if bound["reconstruction_loss.activation"] == "linear" else "bernoulli",
        "optimizer": optimizer,
        "learning_rate": bound[f"{optimizer}.learning_rate"],
        "beta": bound["vae.beta"],
    }


def _make_mnist(root: Path) -> None:
    from vae_ortho_plugin.data.files.mnist_files import SHAPES

    (root / "mnist").mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        header = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
        (root / "mnist" / name).write_bytes(header + random.bytes(int(np.prod(shape))))


if __name__ == "__main__":
    main()

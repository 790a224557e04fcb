# SPDX-License-Identifier: Apache-2.0
"""The paper's data sets as dlib GroundTruthData.

`NAMED` maps their names in dlib to functions without arguments that make them; its import registers
the gin configurables of the same names. It is imported on first use, because it needs dlib and
TensorFlow, which reading, downloading and rendering files do not need.
"""


def __getattr__(name: str):
    if name != "NAMED":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vae_ortho_plugin.data.mnist import MNIST, FashionMNIST
    from vae_ortho_plugin.data.synthetic import SynthLinear, SynthNonlinear

    return {
        "synth_linear": SynthLinear,
        "synth_nonlinear": SynthNonlinear,
        "mnist": MNIST,
        "fashion_mnist": FashionMNIST,
    }

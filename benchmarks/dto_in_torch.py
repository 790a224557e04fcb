# SPDX-License-Identifier: Apache-2.0
"""DtO of an untrained decoder in PyTorch: jacfwd, vmap, thin SVD, assignment. Runs in an environment of its own.

python dto_in_torch.py LATENTS WIDTH ... OUTPUTS
"""

import itertools
import os
import sys
import time

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

BATCH = 256


def main():
    widths = list(map(int, sys.argv[1:]))
    modules = []
    for inputs, outputs in itertools.pairwise(widths):
        modules += [nn.Linear(inputs, outputs), nn.Tanh()]
    decoder = nn.Sequential(*modules[:-1], nn.Sigmoid())
    jacobian = torch.func.vmap(torch.func.jacfwd(decoder))

    def distances(points):
        result = []
        for start in range(0, len(points), BATCH):
            with torch.no_grad():
                jacobians = jacobian(points[start : start + BATCH]).double()
                vectors = torch.linalg.svd(jacobians, full_matrices=False)[2]
            for matrix in vectors.numpy():
                rows, chosen = linear_sum_assignment(-np.abs(matrix))
                matrix[rows, chosen] -= np.sign(matrix[rows, chosen])
                result.append(np.linalg.norm(matrix))
        return result

    # Whatever else is printed goes to the log.
    answers = os.fdopen(os.dup(1), "w", 1)
    os.dup2(2, 1)
    for line in sys.stdin:
        points = torch.randn(int(line), widths[0])
        start = time.perf_counter()
        distances(points)
        answers.write(f"{time.perf_counter() - start!r}\n")


if __name__ == "__main__":
    main()

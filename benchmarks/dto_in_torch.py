# SPDX-License-Identifier: Apache-2.0
"""DtO of an untrained decoder in PyTorch: jacfwd, vmap, thin SVD, assignment. Runs in an environment of its own.

python dto_in_torch.py LATENTS WIDTH ... OUTPUTS
"""

import functools
import itertools
import sys

import numpy as np
import torch
from answers_in_torch import answer
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

    answer(lambda count: functools.partial(distances, torch.randn(count, widths[0])))


if __name__ == "__main__":
    main()

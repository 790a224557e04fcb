# SPDX-License-Identifier: Apache-2.0
"""Products of float32 matrices in PyTorch. Runs in an environment of its own (environment_torch.py).

python products_in_torch.py ROWS WIDTH
"""

import functools
import sys

import torch
from answers_in_torch import answer


def main():
    rows, width = map(int, sys.argv[1:])
    weights = torch.randn(width, width) * width**-0.5
    result = torch.randn(rows, width)

    def multiply(count):
        product = result
        for _ in range(count):
            product = product @ weights

    with torch.no_grad():
        answer(lambda count: functools.partial(multiply, count))


if __name__ == "__main__":
    main()

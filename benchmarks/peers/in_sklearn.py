# SPDX-License-Identifier: Apache-2.0
"""The disentanglement score by a nearest-neighbour model of scikit-learn for each latent and factor."""

from importlib.metadata import version

import answers
import numpy as np

SIZES = (3, 6, 40, 32, 32)
KINDS = ("categorical", *["continuous"] * 4)
NEIGHBORS, HELD_OUT = 5, 0.2


def example(points, latents):
    """Latents that follow the factors of dSprites, noisily; and the factors."""
    random = np.random.default_rng(0)
    factors = random.integers(SIZES, size=(points, len(SIZES))).astype(float)
    mixing = random.normal(size=(len(SIZES), latents))
    mixing *= random.random((len(SIZES), latents)) < 0.3
    noise = random.normal(size=(points, latents))
    return (factors / SIZES) @ mixing + 0.1 * noise, factors


def score(points, latents, **_):
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    codes, factors = example(points, latents)

    def run(_):
        order = np.random.default_rng(0).permutation(points)
        held_out, fitted = np.split(order, [round(HELD_OUT * points)])
        matrix = np.empty((latents, len(KINDS)))
        for j, latent in enumerate(codes.T[:, :, np.newaxis]):
            for k, (factor, kind) in enumerate(zip(factors.T, KINDS, strict=True)):
                is_class = kind == "categorical"
                model = (KNeighborsClassifier if is_class else KNeighborsRegressor)(NEIGHBORS)
                predicted = model.fit(latent[fitted], factor[fitted]).predict(latent[held_out])
                errors = predicted - factor[held_out]
                if is_class:
                    matrix[j, k] = np.mean(errors == 0)
                else:
                    matrix[j, k] = factor[held_out].std() - np.sqrt(np.mean(errors**2))

    return run


def sorting(points, latents, **_):
    """Sorts each latent once, which any method by sorting must."""
    codes = np.ascontiguousarray(example(points, latents)[0].T)
    return lambda _: np.sort(codes, axis=1) is None or None


if __name__ == "__main__":
    answers.serve({"score": score, "sorting": sorting}, {"scikit-learn": version("scikit-learn")})

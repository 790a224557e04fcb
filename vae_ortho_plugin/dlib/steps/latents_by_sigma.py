# SPDX-License-Identifier: Apache-2.0
"""Picture of a trained model of images: its latents by increasing σ (Suppl. C, "nonlinear eigenfaces")."""

import dataclasses
import textwrap
from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.decoder.trained_model import TrainedModel
from vae_ortho_plugin.measures import active_latents
from vae_ortho_plugin.study.report import pictures

_MOST_ROWS = 10
_LETTERS_OF_A_LINE = 145
# In float32, smaller noise does not change a mean of order 1.
_SIGMA_OF_A_POINT = 1e-8
_OFFSETS = np.linspace(-2.5, 2.5, 11)
# Of the figure, in inches.
_WIDTH, _LABELS, _TOP, _LINE = 8.0, 1.5, 0.1, 0.13


@dataclasses.dataclass(frozen=True)
class Latent:
    """A row of the picture.

    Attributes:
        index: of the latent.
        sigma: mean of the posterior's standard deviation over the images, at least 0.
        share: of the images' variance, what the reconstruction from the posterior means loses where this latent is
            set to its mean; 1 is all of it. For PCA it is the explained variance. Negative if the latent is no help.
        passive: its means have a standard deviation of at most 0.5. Of an autoencoder, whose posterior is a point
            and whose latents have no scale of activity, none is passive.
    """

    index: int
    sigma: float
    share: float
    passive: bool

    def __str__(self) -> str:
        # Not "-0.0".
        numbers = f"σ {self.sigma:.3f}, {round(100 * self.share, 1) + 0.0:.1f} %"
        return f"latent {self.index + 1}{', passive' * self.passive}\n{numbers}"


def by_sigma(
    images: np.ndarray,
    means: np.ndarray,
    sigma: np.ndarray,
    decode: Callable[[np.ndarray], np.ndarray],
) -> list[Latent]:
    """The latents by increasing mean σ; those with the same, as an autoencoder's, by decreasing share.

    `images` are [points, height, width, channels], `means` and `sigma` of the posterior at them [points, latents].
    InputError where a mean is not finite.
    """

    def error(latents: np.ndarray) -> float:
        return float(np.mean((images - decode(latents)) ** 2, dtype=np.float64))

    variance = np.var(images, axis=0, dtype=np.float64).mean()
    active, least, found = active_latents(means), error(means), []
    for index in range(means.shape[1]):
        changed = means.copy()
        changed[:, index] = means[:, index].mean()
        share = (error(changed) - least) / variance if variance else 0.0
        mean_sigma = float(sigma[:, index].mean())
        passive = index not in active and mean_sigma > _SIGMA_OF_A_POINT
        found.append(Latent(index, mean_sigma, share, passive))
    return sorted(found, key=lambda latent: (latent.sigma, -latent.share))


def draw(model: TrainedModel, images: np.ndarray) -> Figure:
    """A row a latent: the first image with its mean in that latent changed by −2.5 to 2.5.

    Latents after the tenth are named below the rows. Arguments and errors are those of `by_sigma`.
    """
    means, logvars = model.posterior(images)
    latents = by_sigma(images, means, np.exp(logvars.astype(np.float64) / 2), model.decode)
    shown, others = latents[:_MOST_ROWS], latents[_MOST_ROWS:]
    traversed = np.tile(means[0], (len(shown), len(_OFFSETS), 1))
    for row, latent in enumerate(shown):
        traversed[row, :, latent.index] += _OFFSETS
    decoded = pictures.as_colours(model.decode(traversed.reshape(-1, means.shape[1])))
    note = (
        f"σ: mean over {len(images)} images. Percent: of the images' variance, what the reconstruction loses "
        "where the latent is set to its mean."
    )
    lines = textwrap.wrap(note, _LETTERS_OF_A_LINE)
    if others:
        # No line ends within a latent.
        rest = "; ".join(str(one).replace("\n", ", ").replace(" ", "\u00a0") for one in others)
        lines += textwrap.wrap(f"Not drawn: {rest}.", _LETTERS_OF_A_LINE)
    return _figure(decoded.reshape(len(shown), len(_OFFSETS), *decoded.shape[1:]), shown, lines)


def _figure(grid: np.ndarray, latents: list[Latent], lines: list[str]) -> Figure:
    """The images [rows, columns, height, width, 3] with their labels, and lines of text below."""
    rows, columns, height, width, _ = grid.shape
    gap = max(1, width // 28)
    grid = np.pad(grid.clip(0, 1), [(0, 0)] * 2 + [(0, gap)] * 2 + [(0, 0)], constant_values=1)
    height, width = height + gap, width + gap
    montage = grid.swapaxes(1, 2).reshape(rows * height, columns * width, 3)

    inner = _WIDTH - _LABELS
    tall, below = inner * len(montage) / montage.shape[1], 0.6 + _LINE * len(lines)
    figure = Figure(figsize=(_WIDTH, _TOP + tall + below))
    total = figure.get_figheight()
    axes = figure.add_axes((_LABELS / _WIDTH, below / total, inner / _WIDTH, tall / total))
    axes.imshow(montage, aspect="auto", interpolation="nearest")
    axes.set_frame_on(False)
    axes.tick_params(length=0)
    axes.set_yticks([(row + 0.5) * height for row in range(rows)], map(str, latents))
    for label, latent in zip(axes.get_yticklabels(), latents, strict=True):
        label.set(fontsize="small", color="grey" if latent.passive else "black")
    centers = [(column + 0.5) * width for column in range(columns)]
    offsets = [f"{offset:+g}".replace("-", "−") if offset else "0" for offset in _OFFSETS]
    axes.set_xticks(centers, offsets, fontsize="small")
    axes.set_xlabel("added to the latent's mean at one image", fontsize="small")
    figure.text(0.1 / _WIDTH, 0.08 / total, "\n".join(lines), fontsize="x-small", va="bottom")
    return figure

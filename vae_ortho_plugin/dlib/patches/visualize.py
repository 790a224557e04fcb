# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's pictures: images of any range, shape and number of channels."""

import contextlib
import functools
import os
import sys
import types
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.errors import InputError


def _visualize_dataset(module: types.ModuleType) -> None:
    visualize_dataset = module.visualize_dataset

    @functools.wraps(visualize_dataset)
    def visualize_factors(dataset_name, *args, **kwargs):
        if not module.named_data.get_named_ground_truth_data(dataset_name).num_factors:
            raise InputError(
                f"Data set {dataset_name!r} has no generating factors, whose variation "
                "dlib_visualize_dataset shows. dlib_visualize_model shows a model trained on it."
            )
        return visualize_dataset(dataset_name, *args, **kwargs)

    module.visualize_dataset = visualize_factors


def _visualize_model(module: types.ModuleType) -> None:
    from vae_ortho_plugin.dlib.steps import visualize

    visualize.wrap(module)


@contextlib.contextmanager
def chosen_backend_kept() -> Iterator[None]:
    """Within: modules of dlib are imported, which set matplotlib's backend to Agg.

    They do not where the user has chosen one, as in a notebook, which would no longer show pictures.
    """
    if "matplotlib.pyplot" not in sys.modules and "MPLBACKEND" not in os.environ:
        yield
        return
    import matplotlib

    with mock.patch.object(matplotlib, "use", lambda *_, **__: None):
        yield


def _visualize_irs(module: types.ModuleType) -> None:
    plt = module.plt

    def subplots(rows, columns, figsize, **options):
        # dlib counts on rows and columns of axes, also with one latent or one factor. A figure of its own
        # is not shown by a notebook, and does not stay.
        figure = Figure(figsize=figsize)
        return figure, figure.subplots(rows, columns, squeeze=False, **options)

    module.plt = types.SimpleNamespace(subplots=subplots, figure=plt.figure, axes=plt.axes)


def _draws(*names: str) -> Callable[[types.ModuleType], None]:
    """A patch by which functions of a module leave pyplot's figures and settings as they were."""

    def patch(module: types.ModuleType) -> None:
        for name in names:
            setattr(module, name, _leaving_pyplot_as_it_was(module.plt, getattr(module, name)))

    return patch


def _leaving_pyplot_as_it_was(plt: types.ModuleType, draw: Callable) -> Callable:
    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        before = plt.get_fignums()
        with plt.rc_context():
            try:
                return draw(*args, **kwargs)
            finally:
                for number in set(plt.get_fignums()) - set(before):
                    plt.close(number)

    return drawn


def _visualize_util(module: types.ModuleType) -> None:
    from vae_ortho_plugin.study.report.pictures import as_colours

    imageio, save_image, add_below = module.imageio, module.save_image, module.add_below

    def mimwrite(uri, frames, **options):
        # dlib's frames are floats in [0, 1], which imageio no longer converts.
        return imageio.mimwrite(uri, [_to_uint8(frame) for frame in frames], **options)

    @functools.wraps(save_image)
    def save_any_image(image, image_path):
        # A number outside of [0, 1] would start again at the other end.
        save_image(np.clip(as_colours(image), 0, 1), image_path)

    @functools.wraps(add_below)
    def add_below_any_image(image, *args, **kwargs):
        return add_below(as_colours(image), *args, **kwargs)

    module.imageio = types.SimpleNamespace(mimwrite=mimwrite)
    module.save_image, module.add_below = save_any_image, add_below_any_image


def _to_uint8(frame: np.ndarray) -> np.ndarray:
    return np.round(np.clip(frame, 0, 1) * 255).astype(np.uint8)


PATCHES = {
    "dendrogram": _draws("dendrogram_plot"),
    "visualize_scores": _draws("heat_square", "plot_recovery_vs_independent"),
    "visualize_dataset": _visualize_dataset,
    "visualize_irs": _visualize_irs,
    "visualize_model": _visualize_model,
    "visualize_util": _visualize_util,
}

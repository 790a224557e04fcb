# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's pictures: images of any range, shape and number of channels."""

import contextlib
import functools
import os
import sys
import types
from collections.abc import Iterator
from unittest import mock

import numpy as np
from matplotlib.figure import Figure

from vae_ortho_plugin.errors import InputError
from vae_ortho_plugin.study.report.pictures import as_colours


def patch_visualize_dataset(module: types.ModuleType) -> None:
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


@contextlib.contextmanager
def backend_left_as_chosen() -> Iterator[None]:
    """Within: modules of dlib are imported, which set matplotlib's backend to Agg.

    They do not where the user has chosen one, as in a notebook, which would no longer show pictures.
    """
    if "matplotlib.pyplot" not in sys.modules and "MPLBACKEND" not in os.environ:
        yield
        return
    import matplotlib

    with mock.patch.object(matplotlib, "use", lambda *_, **__: None):
        yield


def patch_visualize_irs(module: types.ModuleType) -> None:
    plt = module.plt

    def subplots(rows, columns, figsize, **options):
        # dlib counts on rows and columns of axes, also with one latent or one factor. A figure of its own
        # is not shown by a notebook, and does not stay.
        figure = Figure(figsize=figsize)
        return figure, figure.subplots(rows, columns, squeeze=False, **options)

    module.plt = types.SimpleNamespace(subplots=subplots, figure=plt.figure, axes=plt.axes)


def patch_drawing(module: types.ModuleType) -> None:
    """Functions of a module leave pyplot's figures and settings as they were."""
    for name in {"dendrogram_plot", "heat_square", "plot_recovery_vs_independent"} & {
        *vars(module)
    }:
        setattr(module, name, _pyplot_left_as_it_was(module.plt)(getattr(module, name)))


@contextlib.contextmanager
def _pyplot_left_as_it_was(plt: types.ModuleType) -> Iterator[None]:
    before = plt.get_fignums()
    with plt.rc_context():
        try:
            yield
        finally:
            for number in set(plt.get_fignums()) - set(before):
                plt.close(number)


def patch_visualize_util(module: types.ModuleType) -> None:
    imageio, save_image, add_below = module.imageio, module.save_image, module.add_below

    def mimwrite(uri, frames, **options):
        # dlib's frames are floats in [0, 1], which imageio no longer converts.
        frames = [np.round(np.clip(frame, 0, 1) * 255).astype(np.uint8) for frame in frames]
        return imageio.mimwrite(uri, frames, **options)

    @functools.wraps(save_image)
    def save_any_image(image, image_path):
        # A number outside of [0, 1] would start again at the other end.
        save_image(np.clip(as_colours(image), 0, 1), image_path)

    @functools.wraps(add_below)
    def add_below_any_image(image, *args, **kwargs):
        return add_below(as_colours(image), *args, **kwargs)

    module.imageio = types.SimpleNamespace(mimwrite=mimwrite)
    module.save_image, module.add_below = save_any_image, add_below_any_image

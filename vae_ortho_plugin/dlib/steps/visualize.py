# SPDX-License-Identifier: Apache-2.0
"""dlib_visualize_model: also for data without discrete factors, latents by σ, and pictures of vector-valued data."""

import functools
import types
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import gin
import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData
from matplotlib.figure import Figure

from vae_ortho_plugin.decoder import BATCH_SIZE
from vae_ortho_plugin.decoder.trained_model import open_model
from vae_ortho_plugin.dlib.steps import data_set, guards, latents_by_sigma, output_directory
from vae_ortho_plugin.files import gin_files
from vae_ortho_plugin.study.plan.layout import LATENT_GRID_FILE, LATENTS_BY_SIGMA_FILE
from vae_ortho_plugin.study.report import pictures

_GRID_POINTS = 51


def wrap(module: types.ModuleType) -> None:
    """Changes dlib's module visualize.visualize_model."""
    dlib_visualize = module.visualize

    @functools.wraps(dlib_visualize)
    def visualize(model_dir, output_dir, overwrite=False, **kwargs):
        guards.need_module(model_dir, "--model_dir", "a trained model")
        guards.need_output(output_dir)
        try:
            with data_set.of_finished_step(model_dir, "train"):
                dataset = module.named_data.get_named_ground_truth_data()
            with output_directory.unfinished(output_dir, overwrite) as partial:
                if dataset.observation_shape[1:] == [1, 1]:
                    return _visualize_vector_data(model_dir, dataset, Path(partial))
                if _has_no_factors(dataset):
                    kwargs["num_points_irs"] = 1  # of interventions, which are not drawn
                with mock.patch.multiple(module, **_replacements(model_dir, dataset)):
                    dlib_visualize(model_dir, partial, True, **kwargs)
                images = dataset.sample_observations(BATCH_SIZE, np.random.RandomState(0))
                with open_model(model_dir) as model:
                    figure = latents_by_sigma.draw(model, images)
                pictures.save(figure, Path(partial) / LATENTS_BY_SIGMA_FILE)
        finally:
            gin.clear_config()

    module.visualize = visualize


def _replacements(model_dir: str, dataset: GroundTruthData) -> dict[str, object]:
    """What dlib's module calls differently, by name."""
    config = gin_files.step_config(model_dir, "train")
    values = {name: repr(value) for name, value in config.items()}
    # dlib reads train.gin by lines, and so neither macros nor values of several lines.
    replaced = {"results": types.SimpleNamespace(gin_dict=lambda _: values)}
    if config.get("reconstruction_loss.activation") == "linear":
        # dlib knows two activations; the one named here is then the identity.
        values["reconstruction_loss.activation"] = "'logits'"
        replaced["sigmoid"] = lambda raw: raw
    if _has_no_factors(dataset):
        replaced["vis_all_interventional_effects"] = lambda *_: None
    return replaced


def _has_no_factors(dataset: GroundTruthData) -> bool:
    return getattr(dataset, "factor_kinds", None) == []


def _visualize_vector_data(model_dir: str, dataset: GroundTruthData, output: Path) -> None:
    """Writes pictures of a trained model of data with observation shape [n, 1, 1].

    For the paper's synthetic data and two latents, these are also latent_grid.png, the unit square in latent space,
    and its numbers latent_grid.npz: latents [51, 51, 2] of an evenly spaced grid.
    """
    output.mkdir(parents=True)
    random_state = np.random.RandomState(0)
    observations = dataset.sample_observations(1000, random_state)
    with open_model(model_dir) as model:
        means = model.encode(observations)
        figure = _reconstructions(_vectors(observations), _vectors(model.decode(means)))
        pictures.save(figure, output / "reconstructions.png")
        pictures.save(_traversals(model.decode, means), output / "traversals.png")
        if hasattr(dataset, "observations_of") and means.shape[1] == 2:
            values = np.linspace(0.0, 1.0, _GRID_POINTS)
            grid = np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1).reshape(-1, 2)
            latents = model.encode(dataset.sample_observations_from_factors(grid, random_state))
            latents = latents.reshape(_GRID_POINTS, _GRID_POINTS, 2)
            np.savez(output / LATENT_GRID_FILE, latents=latents)
            pictures.save(_grid(latents), output / "latent_grid.png")


def _vectors(observations: np.ndarray) -> np.ndarray:
    return observations.reshape(len(observations), -1)


def _grid(latents: np.ndarray) -> Figure:
    figure, ((axes,),) = pictures.panels(1, 1, 4.5, 4.7, legend=1)
    pictures.draw_latent_grid(axes, latents)
    axes.set_title("The unit square in latent space")
    figure.legend(handles=pictures.grid_legend(), loc="lower center", ncols=2, frameon=False)
    return figure


def _reconstructions(observations: np.ndarray, reconstructions: np.ndarray) -> Figure:
    figure, ((axes,),) = pictures.panels(1, 1, 4.5, 4.5)
    axes.set_prop_cycle(color=pictures.COLORS)
    for i in range(observations.shape[1]):
        axes.scatter(observations[:, i], reconstructions[:, i], s=4, label=f"coordinate {i + 1}")
    axes.axline((0, 0), slope=1, color="black", linewidth=0.7)
    error = np.sqrt(np.mean((observations - reconstructions) ** 2))
    axes.set_title(f"root mean square error {error:.2g}")
    axes.set_xlabel("observation")
    axes.set_ylabel("reconstruction from the posterior mean")
    axes.legend(frameon=False, markerscale=3)
    return figure


def _traversals(decode: Callable[[np.ndarray], np.ndarray], means: np.ndarray) -> Figure:
    """A panel for each latent, which moves over its range while the others stay at their mean."""
    num_latent = means.shape[1]
    figure, (panels,) = pictures.panels(1, num_latent, 3.2, 3.2)
    for j, axes in enumerate(panels):
        latents = np.tile(means.mean(axis=0), (_GRID_POINTS, 1))
        latents[:, j] = np.linspace(means[:, j].min(), means[:, j].max(), _GRID_POINTS)
        axes.set_prop_cycle(color=pictures.COLORS)
        axes.plot(latents[:, j], _vectors(decode(latents)))
        axes.set_xlabel(f"latent {j + 1}")
        axes.sharey(panels[0])
    panels[0].set_ylabel("decoder's output, one line per coordinate", fontsize="small")
    return figure

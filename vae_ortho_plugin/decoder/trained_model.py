# SPDX-License-Identifier: Apache-2.0
"""Means and Jacobians of a trained model, from the TF-Hub module that dlib's training exports."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Iterator

import disentanglement_lib.methods  # noqa: F401  first: it makes TensorFlow what tensorflow_hub expects
import numpy as np
import tensorflow.compat.v1 as tf
import tensorflow_hub as hub

from vae_ortho_plugin.decoder import BATCH_SIZE, model_cache
from vae_ortho_plugin.decoder.forward_mode import ACTIVATIONS, forward_jacobian
from vae_ortho_plugin.engine import memory
from vae_ortho_plugin.errors import InputError, check_no_pattern, check_one_of
from vae_ortho_plugin.files import check_seal, gin_files
from vae_ortho_plugin.measures.shared.jacobians import small_of_batches

# Bytes of a batch's Jacobians from which their memory is reused for the next batch.
_LARGE_BATCH = 4 * 2**20


class HubModule:
    """The TF-Hub module in a directory, with its weights: a graph and a session, which whoever opened it closes."""

    def __init__(self, path: str, tags: set[str] | None = None):
        self.graph = tf.Graph()
        with self.graph.as_default():
            self._module = hub.Module(path, tags=tags)
            self.session = tf.Session()
            self.session.run([tf.global_variables_initializer(), tf.tables_initializer()])
        self.signatures = set(self._module.get_signature_names())

    def apply(self, signature: str) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Placeholders for the inputs of a signature, and its outputs, by name."""
        with self.graph.as_default():
            feeds = {
                name: tf.placeholder(info.dtype, info.get_shape())
                for name, info in self._module.get_input_info_dict(signature).items()
            }
            return feeds, self._module(feeds, signature=signature, as_dict=True)


class TrainedModel(contextlib.AbstractContextManager):
    """Encoder and decoder of a TF-Hub module with dlib's signatures, of TensorFlow 1.14 too; see `open_model`.

        with open_model("model") as model:
            factors = model.jacobian_factors(model.encode(images))
        print(distance_to_orthogonality(factors).mean)

    The activation, a name in `ACTIVATIONS`, leads from the decoder's output to the image. The methods raise InputError
    where the module lacks a signature.
    """

    def __init__(self, module_path: str, activation: str):
        self._path, self._activation = module_path, ACTIVATIONS[activation]
        self._key = model_cache.key_of(module_path, activation)
        self.results: dict[tuple, object] = {}
        self._module = HubModule(module_path)
        self._graph, self._session = self._module.graph, self._module.session

    def __exit__(self, kind: type[BaseException] | None, *exception) -> None:
        # What failed, or draws random numbers, would not give the next user what a new one gives.
        if kind is None and not self._has_a_state():
            model_cache.CACHE.give_back(self._key, self)
        else:
            self.close()

    def close(self) -> None:
        """Frees the weights."""
        self._session.close()

    def _has_a_state(self) -> bool:
        built = vars(self)
        names = ("_encoder", "_decoder", "_jacobian", "_noise_jacobian")
        fetched, fed = [built[name] for name in names if name in built], []
        if "_reconstructions" in built:
            _, noise, outputs = self._reconstructions
            fed.append(noise)
            fetched.append(outputs)
        return model_cache.has_a_state(tf.nest.flatten(fetched), fed)

    @property
    def num_latents(self) -> int:
        """Number of latents."""
        return int(self._encoder[1]["mean"].shape[1])

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Posterior means [points, latents] of images [points, height, width, channels]."""
        return self.posterior(images)[0]

    @model_cache.computed_once
    def posterior(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and log variances, of a full covariance those of its diagonal, each [points, latents].

        InputError for images of another shape than the model's.
        """
        feed, outputs = self._encoder
        self._check_images(feed, images)
        batches = self._batches([outputs["mean"], outputs["logvar"]], feed, images, BATCH_SIZE)
        means, logvars = zip(*batches, strict=True)
        return np.concatenate(means), np.concatenate(logvars)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """[points, height, width, channels], after the activation, of latents [points, latents]."""
        feed, outputs = self._decoder
        return np.concatenate(list(self._batches(outputs, feed, latents, BATCH_SIZE)))

    def jacobians(self, latents: np.ndarray, batch_size: int = BATCH_SIZE) -> Iterator[np.ndarray]:
        """Jacobians of `decode` at latents [points, latents]: [at most batch_size, outputs, latents] in float32."""
        feed, _ = self._decoder
        for transposed in self._batches(self._jacobian, feed, latents, batch_size):
            yield transposed.swapaxes(1, 2)

    @model_cache.computed_once
    def jacobian_factors(self, latents: np.ndarray, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """`small_jacobians` of `jacobians`, [points, min(outputs, latents), latents]; InputError if one is not finite."""
        _, images = self._decoder
        outputs = images.shape[1:].num_elements() or 0
        batch_bytes = 4 * min(batch_size, len(latents)) * latents.shape[1] * outputs
        with memory.reused(batch_bytes, at_least=_LARGE_BATCH):
            return small_of_batches(self.jacobians(latents, batch_size))

    def reconstruct(self, images: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Images decoded from latents that the posterior of `images` gives for this noise.

        This is the module's own sampling, also with a full covariance (mean + L noise), with noise
        [points, latents] in place of its standard normal numbers: zeros give the reconstruction from the mean.
        InputError for images of another shape than the model's, or a model that does not sample.
        """
        feed, noise_tensor, outputs = self._reconstructions
        self._check_images(feed, images)
        return self._session.run(outputs, {feed: images, noise_tensor: noise})

    def noise_jacobians(self, images: np.ndarray) -> np.ndarray:
        """d `reconstruct` / d noise at noise 0: J L [points, outputs, latents] for a posterior covariance L Lᵀ.

        For a diagonal posterior, column j is σ_j J_j. Images and errors as `reconstruct`.
        """
        feed, noise_tensor, _ = self._reconstructions
        self._check_images(feed, images)
        noise = np.zeros((len(images), self.num_latents))
        transposed = self._session.run(self._noise_jacobian, {feed: images, noise_tensor: noise})
        return transposed.swapaxes(1, 2)

    @functools.cached_property
    def _encoder(self) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        return self._apply("gaussian_encoder", "images")

    @functools.cached_property
    def _decoder(self) -> tuple[tf.Tensor, tf.Tensor]:
        feed, outputs = self._apply("decoder", "latent_vectors")
        with self._graph.as_default():
            return feed, self._activation(outputs["images"])

    @functools.cached_property
    def _reconstructions(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Tensors of the images, of the posterior's standard normal noise and of the decoded images."""
        feed, outputs = self._apply("reconstructions", "images")
        with self._graph.as_default():
            draws = [
                operation.outputs[0]
                for operation in self._graph.get_operations()
                if operation.type == "RandomStandardNormal"
                and operation.outputs[0].shape.is_compatible_with([None, self.num_latents])
            ]
            gradients = tf.gradients(outputs["images"], draws) if draws else []
            pairs = zip(draws, gradients, strict=True)
            used = [draw for draw, gradient in pairs if gradient is not None]
            if len(used) != 1:
                found = f"{len(used)} tensors of normal numbers" if used else "nothing"
                raise InputError(
                    f"The model in {self._path} samples {found} between encoder and decoder, where a "
                    "Gaussian posterior samples one number per latent. (An autoencoder's posterior "
                    "is a point, without any noise to measure.)"
                )
            return feed, used[0], self._activation(outputs["images"])

    @functools.cached_property
    def _noise_jacobian(self) -> tf.Tensor:
        _, noise, outputs = self._reconstructions
        with self._graph.as_default():
            return forward_jacobian(outputs, noise)

    @functools.cached_property
    def _jacobian(self) -> tf.Tensor:
        feed, outputs = self._decoder
        with self._graph.as_default():
            return forward_jacobian(outputs, feed)

    def _check_images(self, feed: tf.Tensor, images: np.ndarray) -> None:
        if not feed.shape[1:].is_compatible_with(images.shape[1:]):
            raise InputError(
                f"The model in {self._path} was trained on observations of the shape "
                f"{feed.shape[1:].as_list()}; the data set has {list(images.shape[1:])}. "
                "Set dataset.name to the data it was trained on."
            )

    def _apply(self, signature: str, source: str) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        if signature not in self._module.signatures:
            raise InputError(
                f"The TF-Hub module {self._path} has no signature {signature!r} (it has "
                f"{', '.join(sorted(self._module.signatures))}): it is not that of a trained model."
            )
        feeds, outputs = self._module.apply(signature)
        return feeds[source], outputs

    def _batches(self, fetch: object, feed: tf.Tensor, points: np.ndarray, size: int) -> Iterator:
        for start in range(0, len(points), size):
            yield self._session.run(fetch, {feed: points[start : start + size]})


def module_signatures(module_path: str) -> set[str]:
    """The names of the TF-Hub module's signatures; empty where there is no module."""
    if not tf.io.gfile.exists(os.path.join(module_path, "tfhub_module.pb")):
        return set()
    return set(hub.load_module_spec(module_path).get_signature_names())


def open_model(model_dir: str, output: str = "image") -> TrainedModel:
    """The model that dlib_train wrote to model_dir.

    Args:
        output: "image" for the decoder's output after the activation that train.gin names, "raw" for the
            output before it.

    Raises:
        InputError: there is no trained model, its path is a pattern to TensorFlow, a file of it is damaged, the
            output is unknown, or train.gin does not name a known activation.
    """
    check_one_of("output", output, ("image", "raw"))
    module_path = os.path.join(model_dir, "tfhub")
    check_no_pattern(module_path)
    if not module_signatures(module_path):
        raise InputError(
            f"There is no TF-Hub module in {module_path}; name a directory that dlib_train wrote."
        )
    check_seal(pathlib.Path(model_dir), "tfhub/*")
    activation = "linear" if output == "raw" else _activation(model_dir)
    cached = model_cache.CACHE.take(model_cache.key_of(module_path, activation))
    return cached or TrainedModel(module_path, activation)


def _activation(model_dir: str) -> str:
    path = str(gin_files.gin_file(model_dir, "train"))
    remedy = "or, with dto, ima_contrast or precision_gap, take the decoder's output before it, output = 'raw'."
    if not tf.io.gfile.exists(path):
        raise InputError(
            f"{path} is missing, which names the decoder's output activation: put it back, {remedy}"
        )
    with tf.io.gfile.GFile(path) as file:
        config = gin_files.parse_bindings(file.read(), path)
    activation = config.get("reconstruction_loss.activation")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise InputError(
            f"{path} has reconstruction_loss.activation = {activation!r}, known are "
            f"{', '.join(map(repr, ACTIVATIONS))}: correct it, {remedy}"
        )
    return activation

# SPDX-License-Identifier: Apache-2.0
"""The base class of the paper's models: dlib's BaseVAE with the KL term as a method."""

import tensorflow.compat.v1 as tf
from disentanglement_lib.methods.shared import losses, optimizers
from disentanglement_lib.methods.unsupervised import vae
from tensorflow.contrib import tpu as contrib_tpu


class PaperVAE(vae.BaseVAE):
    """BaseVAE whose posterior need not be a diagonal Gaussian.

    dlib's model_fn computes the KL divergence of a diagonal posterior for every model; this one takes
    it from `kl_loss`. A subclass overrides that, `regularizer`, the posterior or its sampling.
    """

    def reconstruction_loss(
        self, features: tf.Tensor, z_logvar: tf.Tensor, z_sampled: tf.Tensor, is_training: bool
    ) -> tf.Tensor:
        """Mean over the batch of the loss of what is decoded from `z_sampled`, a scalar."""
        reconstructions = self.decode(z_sampled, features.shape.as_list()[1:], is_training)
        return tf.reduce_mean(losses.make_reconstruction_loss(features, reconstructions))

    def kl_loss(self, z_mean: tf.Tensor, z_logvar: tf.Tensor) -> tf.Tensor:
        """Mean over the batch of KL(q(z|x) ‖ p(z)), a scalar."""
        return vae.compute_gaussian_kl(z_mean, z_logvar)

    def model_fn(self, features, labels, mode, params):
        """TPUEstimator compatible model function; its arguments and metrics are those of BaseVAE."""
        is_training = mode == tf.estimator.ModeKeys.TRAIN
        z_mean, z_logvar = self.gaussian_encoder(features, is_training=is_training)
        z_sampled = self.sample_from_latent_distribution(z_mean, z_logvar)
        reconstruction_loss = self.reconstruction_loss(features, z_logvar, z_sampled, is_training)
        kl_loss = self.kl_loss(z_mean, z_logvar)
        regularizer = self.regularizer(kl_loss, z_mean, z_logvar, z_sampled)
        loss = tf.add(reconstruction_loss, regularizer, name="loss")
        negative_elbo = tf.add(reconstruction_loss, kl_loss, name="elbo")
        if mode == tf.estimator.ModeKeys.EVAL:
            metrics = {
                "reconstruction_loss": reconstruction_loss,
                "elbo": -negative_elbo,
                "regularizer": regularizer,
                "kl_loss": kl_loss,
            }
            return contrib_tpu.TPUEstimatorSpec(
                mode=mode,
                loss=loss,
                eval_metrics=(vae.make_metric_fn(*metrics), list(metrics.values())),
            )
        train_op = optimizers.make_vae_optimizer().minimize(
            loss=loss, global_step=tf.train.get_global_step()
        )
        update_ops = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        tf.summary.scalar("reconstruction_loss", reconstruction_loss)
        tf.summary.scalar("elbo", -negative_elbo)
        logging_hook = tf.train.LoggingTensorHook(
            {"loss": loss, "reconstruction_loss": reconstruction_loss, "elbo": -negative_elbo},
            every_n_iter=100,
        )
        return contrib_tpu.TPUEstimatorSpec(
            mode=mode,
            loss=loss,
            train_op=tf.group([train_op, update_ops]),
            training_hooks=[logging_hook],
        )

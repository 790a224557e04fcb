# SPDX-License-Identifier: Apache-2.0
"""Names and contents of the studies, for the help of the command line. Standard library only."""

STUDY_DESCRIPTIONS = {
    "quick": "the synthetic sets (5 seeds of beta-VAE, autoencoder, beta-VAE with full covariance, "
    "random decoder, all of the paper's 600 epochs; on Synth. Lin. also linearized_vae at three weights, and "
    "three models with factors at 45 degrees to the principal directions); "
    "and where $DISENTANGLEMENT_LIB_DATA has MNIST, VAE and autoencoder on it for 5 of 400 epochs",
    "synthetic": "all of the paper on Synth. Lin. and Synth. Non-Lin.",
    "mnist": "all of the paper on MNIST and Fashion-MNIST",
    "dsprites": "all of the paper on dSprites",
    "full": "the three together",
    "table_1": "the paper's Table 1, on every data set",
    "table_2": "the paper's Table 2, on every data set",
    "figure_4": "the paper's Figure 4: restarts on dSprites",
    "supplement_c": "the paper's Supplement C: sweeps of beta and of Synth. Lin.'s axis ratio",
    "dial": "linearized_vae at seven weights of orthogonality, beside VAE, autoencoder and beta-VAE with full "
    "covariance: 10 seeds on the synthetic sets, 3 of 20 epochs on MNIST and Fashion-MNIST",
    "limits": "Synth. Lin. whose factors are not the principal directions, are correlated or lack a corner, and with "
    "four axis ratios: 5 seeds of beta-VAE, beta-VAE with full covariance, autoencoder, linearized_vae",
}

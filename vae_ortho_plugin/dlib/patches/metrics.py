# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's metrics.

They refuse data without the factors that they need, or with a factor that is constant. Those that encode
thousands of small batches encode them together.
"""

import functools
import types

from vae_ortho_plugin.data.sampling.factor_kinds import need_factors, need_varying_factors
from vae_ortho_plugin.dlib import metric_samples
from vae_ortho_plugin.dlib.patches import replace_wrapped

# The functions, by module, and the number of generating factors that each one needs; two where it tells one
# factor from the others. `unsupervised_metrics` needs none.
PATCHES = {
    "beta_vae": ("compute_beta_vae_sklearn", 2),
    "dci": ("compute_dci", 1),
    "downstream_task": ("compute_downstream_task", 1),
    "factor_vae": ("compute_factor_vae", 1),
    "fairness": ("compute_fairness", 2),
    "irs": ("compute_irs", 1),
    "mig": ("compute_mig", 1),
    "modularity_explicitness": ("compute_modularity_explicitness", 1),
    "reduced_downstream_task": ("compute_reduced_downstream_task", 1),
    "sap_score": ("compute_sap", 1),
    "strong_downstream_task": ("compute_strong_downstream_task", 2),
    "unified_scores": ("compute_unified_scores", 1),
}

# Metrics that are defined where a factor is constant, too.
OF_ANY_FACTORS = {"beta_vae", "factor_vae", "irs"}

# What draws and encodes the samples of metrics that need batches of points.
_SAMPLES = {
    "beta_vae": metric_samples.beta_vae_batch,
    "factor_vae": metric_samples.factor_vae_batch,
}


def patch_metric(module: types.ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    function, least = PATCHES[name]
    registered = getattr(module, function)
    dlib_metric = registered.__wrapped__

    @functools.wraps(dlib_metric)
    def metric(ground_truth_data, representation_function, *args, **kwargs):
        need_factors(ground_truth_data, name, least)
        if name not in OF_ANY_FACTORS:
            need_varying_factors(ground_truth_data, name)
        if name in _SAMPLES:
            representation_function = metric_samples.Encoder(
                ground_truth_data, representation_function
            )
        return dlib_metric(ground_truth_data, representation_function, *args, **kwargs)

    replace_wrapped(registered, metric)
    if name in _SAMPLES:
        module._generate_training_batch = _SAMPLES[name]

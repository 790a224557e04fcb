# SPDX-License-Identifier: Apache-2.0
"""dlib's metrics, and those of the plugin that need no decoder, on a table of latents and factors."""

import contextlib
import importlib
from collections.abc import Iterator, Sequence

import gin
import numpy as np

import vae_ortho_plugin.decoder.metrics  # noqa: F401  registers them
from vae_ortho_plugin.arrays.names import METRICS, Needs
from vae_ortho_plugin.arrays.point_table import MatchedTable, PointTable
from vae_ortho_plugin.data.sampling.factor_table import FactorTable
from vae_ortho_plugin.dlib import gin_errors
from vae_ortho_plugin.dlib.patches import metrics as patches
from vae_ortho_plugin.errors import InputError, check_whole, message_of
from vae_ortho_plugin.files import gin_files

for _module in (*patches.PATCHES, "unsupervised_metrics"):  # which registers their metrics
    importlib.import_module(f"disentanglement_lib.evaluation.metrics.{_module}")

# Of dlib's unsupervised_study_v1, for tables with so many points.
_TRAIN, _TEST = 10_000, 5_000
_SIZES = (10, 100, 1000, 10_000)

_DISCRETIZING = {"irs", "mig", "modularity_explicitness", "unified_scores", "unsupervised_metrics"}
_PREDICTING = {"downstream_task", "fairness", "reduced_downstream_task", "strong_downstream_task"}
# gin bindings of dlib's studies, and the metrics that need them.
_SHARED = {
    "discretizer.discretizer_fn = @histogram_discretizer": _DISCRETIZING,
    "discretizer.num_bins = 20": _DISCRETIZING,
    "predictor.predictor_fn = @gradient_boosting_classifier": _PREDICTING,
    "prune_dims.threshold = 0.05": {"factor_vae_score"},
    "reduced_representation.correlation_measure = @factorwise_dci": {"reduced_downstream_task"},
}


class ArrayMetrics:
    """The metrics of a table of points that fit it (`names`), and the values of all gin parameters (`settings`)."""

    def __init__(
        self,
        names: Sequence[str],
        latents: np.ndarray,
        factors: FactorTable,
        bindings: Sequence[str],
        seed: int,
        named: bool,
    ):
        """Binds settings, in an empty configuration. All that can be checked without computing is checked here.

        A metric that does not fit the arrays is an InputError if the user named it (`named`), and left out otherwise.
        """
        self._latents, self._factors, self._seed = latents, factors, seed
        table = PointTable(factors, len(latents))
        self._binning = table.binning
        self._points_of: dict[str, str] = {}
        self._by_class: set[str] = set()
        self.names = []
        for name in names:
            try:
                self._check_fit(name, METRICS[name])
                self._note_points(name, METRICS[name], table)
            except InputError:
                if named:
                    raise
            else:
                self.names.append(name)
        with gin_errors.explained([], bindings):
            gin.parse_config([*default_settings(self.names, len(latents)), *bindings])
        self.settings = gin_files.parse_bindings(gin.config_str(), "the settings")
        for name in self.names:
            self._check_settings(name)

    def about(self) -> dict:
        """The factors as dlib's metrics see them, the settings, and which points are taken."""
        factors = self._factors
        described = [
            {"name": name, "kind": kind, "in_dlibs_metrics": binning}
            for name, kind, binning in zip(factors.names, factors.kinds, self._binning, strict=True)
        ]
        about: dict = {"factors": described, "settings": self.settings}
        return {**about, "points_of": self._points_of} if self._points_of else about

    def compute(self, name: str) -> dict:
        """The result of one metric, as dlib's function returns it; InputError if it fails on these arrays."""
        # dlib's classifiers draw from NumPy's own generator.
        np.random.seed(self._seed)
        sizes = self.settings.get(f"{name}.num_train")
        if not isinstance(sizes, (list, tuple)):
            return self._computed(name)
        result = {}
        # One call for each size, so that no point is in the training and the test set of one.
        for size in sizes:
            with gin.unlock_config():
                gin.bind_parameter(f"{name}.num_train", [size])
            result.update(self._computed(name))
        return result

    def _computed(self, name: str) -> dict:
        metric = gin.get_configurable(name)
        kind = MatchedTable if name in self._by_class else PointTable
        table = kind(self._factors, len(self._latents))
        if name == "sap_score" and self.settings[f"{name}.continuous_factors"]:
            table.sample = table.sample_unbinned  # their correlation needs no classes
        random_state = np.random.RandomState(self._seed)
        if METRICS[name].all_classes:
            sizes = [self.settings[f"{name}.{which}"] for which in ("num_train", "num_test")]
            table.check_classes(sizes, np.random.RandomState(self._seed))
        with as_input_error():
            return metric(table, lambda points: self._latents[points], random_state=random_state)

    def _check_fit(self, name: str, needs: Needs) -> None:
        for what, least, found in (
            ("latents", needs.latents, self._latents.shape[1]),
            ("factors", needs.factors, len(self._factors.names)),
        ):
            if found < least:
                raise InputError(f"The metric {name} needs at least {least} {what}; got {found}.")
        if needs.continuous and "continuous" not in self._factors.kinds:
            raise InputError(
                f"The metric {name} needs a continuous factor, and all are categorical (factor_kinds)."
            )
        constant = np.flatnonzero(np.ptp(self._latents, axis=0) == 0)
        if needs.varying and constant.size:
            raise InputError(
                f"The metric {name} divides by the standard deviation of each latent, and latent "
                f"{constant[0]} has the same value at all points. Leave it out."
            )

    def _note_points(self, name: str, needs: Needs, table: PointTable) -> None:
        if needs.draws not in ("kept", "set"):
            return
        if table.has_all_combinations():
            self._points_of[name] = "points of each combination of classes"
        elif needs.draws == "kept":
            self._by_class.add(name)
            self._points_of[name] = (
                "points with the class of the kept factor, their other factors as in the table"
            )
        else:
            raise InputError(
                f"The metric {name} sets one factor and keeps all others. That needs points of every "
                f"combination of the factors' classes ({' x '.join(map(str, table.factors_num_values))}), "
                "and some are missing. Give all combinations, or leave this metric out."
            )

    def _check_settings(self, name: str) -> None:
        largest = {}
        for which in ("num_train", "num_test", "num_points"):
            value = self.settings.get(f"{name}.{which}")
            entries = value if isinstance(value, (list, tuple)) else [value]
            if value is not None:
                for entry in entries:
                    check_whole(f"{name}.{which}", entry, 1)
                largest[f"{name}.{which} = {value}"] = max(entries)
        drawn, points = sum(largest.values()), len(self._latents)
        if METRICS[name].draws in ("once", "split") and drawn > points:
            raise InputError(
                f"{' and '.join(largest)} are {drawn:,} points, and there are {points:,}."
            )
        correlates = name == "sap_score" and self.settings[f"{name}.continuous_factors"]
        if correlates and "categorical" in self._factors.kinds:
            raise InputError(
                "sap_score.continuous_factors = True correlates latents with factors, and "
                "factor_kinds has a categorical one. Leave that factor or this binding out."
            )


@contextlib.contextmanager
def as_input_error() -> Iterator[None]:
    """Within: what goes wrong in a metric is an InputError of one line."""
    try:
        yield
    except InputError as error:
        raise InputError(message_of(error)) from error
    except Exception as error:  # of any kind: scikit-learn's, NumPy's, dlib's assertions
        cause = str(error).strip().splitlines() or [""]
        raise InputError(
            f"{type(error).__name__}: {cause[0]}. Rare classes or few points are the usual causes: "
            "take more points, or fewer classes of a factor."
        ) from error


def default_settings(names: Sequence[str], points: int | None) -> list[str]:
    """gin bindings of dlib's studies as far as the points suffice, else with two thirds for training.

    Metrics of one sample take all `points` of a table; None for a data set.
    """
    train, test, every = _TRAIN, _TEST, {"num_points": points}
    if points is None:
        points, every = _TRAIN + _TEST, {}
    if points < _TRAIN + _TEST:
        train, test = points - points // 3, points // 3
    once = {"num_train": min(points, _TRAIN)}
    split = {"num_train": train, "num_test": test}
    sizes = {"num_train": [n for n in _SIZES if n <= train] or [train], "num_test": test}
    kept = {"batch_size": 64, "num_train": 10_000, "num_eval": 5_000}
    matrices = "[@mutual_information_matrix, @importance_gbt_matrix, @accuracy_svm_matrix]"
    settings = {
        "beta_vae_sklearn": kept,
        "dci": split,
        "disentanglement_score": every,
        "downstream_task": sizes,
        "factor_vae_score": {**kept, "num_variance_estimate": min(points, _TRAIN)},
        "fairness": {"num_train": train, "num_test_points_per_class": 100},
        "infomec": every,
        "irs": {**once, "batch_size": 16},
        "mcc": every,
        "mig": once,
        "modularity_explicitness": split,
        "reduced_downstream_task": {**sizes, "num_factors_to_remove": 1},
        "sap_score": {**split, "continuous_factors": False},
        "strong_downstream_task": {**split, "num_train": [train], "n_experiment": 10},
        "unified_scores": {**split, "matrix_fns": matrices},
        "unsupervised_metrics": once,
    }
    own = [
        f"{name}.{key} = {value}" for name in names for key, value in settings.get(name, {}).items()
    ]
    return own + [line for line, users in _SHARED.items() if users & set(names)]

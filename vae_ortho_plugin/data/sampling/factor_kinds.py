# SPDX-License-Identifier: Apache-2.0
"""Names and kinds of the generating factors of a data set, dlib's own included.

A factor is continuous if its values are ordered on a scale, even if they are few or the scale is a
circle (angles, the hues of Shapes3D). It is categorical if its values are names.
"""

import numpy as np
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin.data.sampling.resident import dlib_name
from vae_ortho_plugin.errors import InputError

_SAMPLE = 10_000
_TEN = ", ".join(f"factor {k}" for k in range(10))
# In the order of dlib's columns; a star marks the categorical ones. A data set of dSprites or
# SmallNORB may have only some of them. The background colors of abstract sprites are grey levels.
_DLIB_FACTORS = {
    "dsprites.DSprites": "color*, shape*, scale, orientation, position x, position y",
    "dsprites.AbstractDSprites": "background color, object color*, shape*, scale, position x, "
    "position y",
    "norb.SmallNORB": "category*, instance*, elevation, azimuth, lighting*",
    "cars3d.Cars3D": "elevation, azimuth, object type*",
    "shapes3d.Shapes3D": "floor hue, wall hue, object hue, object size, object type*, azimuth",
    "mpi3d.MPI3D": "object color*, object shape*, object size, camera height, background color*, "
    "first DOF, second DOF",
    "dummy_data.DummyData": _TEN,
    "dummy_data.IdentityObservationsData": _TEN,
}


def named_kinds(data: GroundTruthData, measure: str = "comparison with them") -> dict[str, str]:
    """Name and kind ("continuous" or "categorical") of each factor, in the order of the columns.

    A user's own data set has the attributes factor_kinds and perhaps factor_names, lists of strings.

    Raises:
        InputError: the data have no generating factors, or their kinds are unknown or not one for each.
    """
    need_factors(data, measure)
    if hasattr(data, "factor_kinds"):
        number, kinds = data.num_factors, list(data.factor_kinds)
        own = list(getattr(data, "factor_names", [f"factor {k}" for k in range(number)]))
        if not len(set(own)) == len(own) == len(kinds) == number:
            raise InputError(
                f"The data set {class_of(data).__name__} has {number} factors, the factor_names {own} and the "
                f"factor_kinds {kinds}: give a name of its own and a kind for each factor."
            )
        return dict(zip(own, kinds, strict=True))
    names = map(dlib_name, class_of(data).__mro__)
    table = next((_DLIB_FACTORS[name] for name in names if name in _DLIB_FACTORS), None)
    if table is None:
        raise InputError(
            f"Which factors of the data set {class_of(data).__name__} are continuous and which "
            "categorical is unknown: give it the attributes factor_names and factor_kinds, lists "
            "of names and of 'continuous' or 'categorical'."
        )
    factors = table.split(", ")
    if len(factors) != data.num_factors:
        factors = [factors[k] for k in data.latent_factor_indices]
    return {
        factor.rstrip("*"): "categorical" if factor.endswith("*") else "continuous"
        for factor in factors
    }


def lacks(data: object, attribute: str) -> bool:
    """Whether a data set has no such attribute."""
    try:
        getattr(data, attribute)
    # dlib's GroundTruthData raises the second one for each property that a user's class does not define.
    except (AttributeError, NotImplementedError):
        return True
    return False


def class_of(data: GroundTruthData) -> type:
    """The class of a data set, of a user's own the class that the user wrote."""
    return type(getattr(data, "written_by_user", data))


def need_factors(data: GroundTruthData, measure: str, least: int = 1) -> None:
    """Raises InputError unless a data set has as many generating factors as a measure needs."""
    if data.num_factors == 0:
        raise InputError(
            f"The data set {class_of(data).__name__} has no generating factors, so there is no "
            f"{measure}; use data with known factors, or the metric `dto`."
        )
    if data.num_factors < least:
        raise InputError(
            f"The data set {class_of(data).__name__} has {data.num_factors} generating factor, and "
            f"{measure} needs at least {least}; use another metric, or data with more factors."
        )


def need_varying_factors(data: GroundTruthData, measure: str) -> None:
    """Raises InputError if a factor is constant, for a measure that predicts it or divides by its variance.

    The sample is drawn with a random state of its own.
    """
    sample = np.asarray(data.sample_factors(_SAMPLE, np.random.RandomState(0)))
    constant = np.flatnonzero((sample == sample[0]).all(axis=0))
    if constant.size:
        k = int(constant[0])
        name = data.factor_names[k] if hasattr(data, "factor_names") else f"factor {k}"
        raise InputError(
            f"{name!r} of the data set {class_of(data).__name__} has the same value at all points (of {_SAMPLE:,} "
            f"that were drawn), so that {measure} is not defined. Leave this factor out of the data set."
        )

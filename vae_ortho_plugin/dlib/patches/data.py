# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's data sets, in memory, right after the import of their modules.

They load on current Pillow and NumPy, once per process and as bytes: the classes stay dlib's, each
`__init__` is replaced by one that sets the same attributes. The names that dlib knows are joined by
those of the plugin and of the user.
"""

import functools
import types
from collections.abc import Callable

import gin
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import data
from vae_ortho_plugin.data import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.sampling.binning import as_dlib_needs
from vae_ortho_plugin.data.stored_images import StoredFiles
from vae_ortho_plugin.dlib.gin_wrapper import replace_wrapped
from vae_ortho_plugin.errors import InputError, did_you_mean

_ABSTRACT = "abstract_dsprites"


def _stored(class_name: str, files: StoredFiles) -> Callable[[types.ModuleType], None]:
    """The patch of a module whose class has the images of these files."""

    def patch(module: types.ModuleType) -> None:
        getattr(module, class_name).__init__ = lambda self: files.initialize(self)
        files.path()  # takes note of dlib's constant as it is after the import

    return patch


def _dsprites(module: types.ModuleType) -> None:
    module.DSprites.__init__ = dsprites.initialize
    module.ScreamDSprites.__init__ = dsprites.initialize_scream
    for files in (dsprites.FILES, dsprites.SCREAM):
        files.path()


def _mpi3d(module: types.ModuleType) -> None:
    module.MPI3D.__init__ = mpi3d.initialize


def _named_data(module: types.ModuleType) -> None:
    # The function below gin's wrapper of 'dataset' is replaced, so that dataset.name stays in the
    # operative config and a binding reaches every data set.
    registered = module.get_named_ground_truth_data
    dlib_function = registered.__wrapped__
    dlib_names = [const for const in dlib_function.__code__.co_consts if _is_name(const)]
    # dlib's abstract_reasoning_study_v1 trains on it; its function of names does not know it.
    dlib_names.append(_ABSTRACT)
    # Looked up for the first time, it registers the gin configurables, which a running step may not.
    _ = data.NAMED

    def make(name):
        if not isinstance(name, str) or name.startswith("@"):
            return _with_names(_of_reference(name))
        named = data.NAMED
        if name in named:
            return _with_names(as_dlib_needs(named[name](), name))
        if name not in dlib_names:
            known = sorted([*dlib_names, *named])
            meant = did_you_mean(name, known)
            raise InputError(
                f"There is no data set named {name!r} (gin binding dataset.name).{meant} Known: "
                f"{', '.join(known)}."
            )
        try:
            return _with_names(
                module.dsprites.AbstractDSprites() if name == _ABSTRACT else dlib_function(name)
            )
        except (InputError, OSError) as error:
            raise InputError(
                f"The files of data set {name!r} could not be read: {error}"
            ) from error

    @functools.wraps(dlib_function)
    def get_named_ground_truth_data(name):
        # Late, because it imports the module of dlib's data, whose import ends in this one.
        from vae_ortho_plugin.dlib.steps import made_of

        return made_of.made(functools.partial(make, name))

    replace_wrapped(registered, get_named_ground_truth_data)


def _with_names(dataset: GroundTruthData) -> GroundTruthData:
    """The data set with names of its factors, which dlib's unified_scores draws."""
    # Late, because it imports the modules of dlib's data sets, which this module patches.
    from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds

    if dataset.num_factors and not hasattr(dataset, "factor_names"):
        try:
            names = list(named_kinds(dataset))
        except InputError:  # a user's own, whose kinds only the disentanglement score needs
            names = [f"factor {k}" for k in range(dataset.num_factors)]
        dataset.factor_names = names
    return dataset


def _of_reference(reference: object) -> GroundTruthData:
    """The data set of dataset.name = @my_data() or @my_data.

    Args:
        reference: what gin made of it: the data set, or the function. Where dlib reads a finished
            step's gin file, it is the text.
    """
    name = "dataset.name"
    if isinstance(reference, str):
        name = reference.removesuffix("()")
        reference = gin.get_configurable(name.removeprefix("@"))
    if isinstance(reference, type) or callable(reference):
        reference = reference()
    return as_dlib_needs(reference, name)


def _is_name(constant: object) -> bool:
    return isinstance(constant, str) and constant.isidentifier()


PATCHES = {
    "dsprites": _dsprites,
    "cars3d": _stored("Cars3D", cars3d.FILES),
    "norb": _stored("SmallNORB", smallnorb.FILES),
    "shapes3d": _stored("Shapes3D", shapes3d.FILES),
    "mpi3d": _mpi3d,
    "named_data": _named_data,
}

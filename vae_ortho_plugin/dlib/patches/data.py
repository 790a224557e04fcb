# SPDX-License-Identifier: Apache-2.0
"""What the plugin changes in dlib's data sets, in memory, right after the import of their modules.

They load on current Pillow and NumPy, once per process and as bytes: the classes stay dlib's, each
`__init__` is replaced by one that sets the same attributes. The names that dlib knows are joined by
those of the plugin and of the user.
"""

import functools
import types

import gin
from disentanglement_lib.data.ground_truth.ground_truth_data import GroundTruthData

from vae_ortho_plugin import data
from vae_ortho_plugin.data import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from vae_ortho_plugin.data.sampling.binning import as_dlib_needs
from vae_ortho_plugin.data.sampling.factor_kinds import named_kinds
from vae_ortho_plugin.data.sampling.resident import resident_observations
from vae_ortho_plugin.dlib.patches import replace_wrapped
from vae_ortho_plugin.dlib.steps import made_of
from vae_ortho_plugin.engine.in_graph import inputs
from vae_ortho_plugin.errors import InputError, did_you_mean

_ABSTRACT = "abstract_dsprites"
# The class of a module, and its files.
_STORED = {
    "cars3d": ("Cars3D", cars3d.FILES),
    "norb": ("SmallNORB", smallnorb.FILES),
    "shapes3d": ("Shapes3D", shapes3d.FILES),
}


def patch_stored(module: types.ModuleType) -> None:
    """Gives the class of a module of stored images the plugin's `__init__`."""
    class_name, files = _STORED[module.__name__.rpartition(".")[2]]
    getattr(module, class_name).__init__ = lambda self: files.initialize(self)
    files.path()  # takes note of dlib's constant as it is after the import


def patch_dsprites(module: types.ModuleType) -> None:
    module.DSprites.__init__ = dsprites.initialize
    module.ScreamDSprites.__init__ = dsprites.initialize_scream
    for files in (dsprites.FILES, dsprites.SCREAM):
        files.path()


def patch_mpi3d(module: types.ModuleType) -> None:
    module.MPI3D.__init__ = mpi3d.initialize


def patch_util(module: types.ModuleType) -> None:
    """Data sets whose observations are in memory are drawn in TensorFlow's graph."""
    generator_dataset = module.tf_data_set_from_ground_truth_data

    @functools.wraps(generator_dataset)
    def tf_data_set_from_ground_truth_data(ground_truth_data, random_seed):
        resident = resident_observations(ground_truth_data)
        if resident is None:
            return generator_dataset(ground_truth_data, random_seed)
        return inputs.ResidentDataset(
            *resident,
            random_seed,
            lambda: generator_dataset(ground_truth_data, random_seed),
            lambda random_state: ground_truth_data.sample_observations(1, random_state)[0],
        )

    module.tf_data_set_from_ground_truth_data = tf_data_set_from_ground_truth_data


def patch_named_data(module: types.ModuleType) -> None:
    # The function below gin's wrapper of 'dataset' is replaced, so that dataset.name stays in the
    # operative config and a binding reaches every data set.
    registered = module.get_named_ground_truth_data
    dlib_function = registered.__wrapped__
    texts = [const for const in dlib_function.__code__.co_consts if isinstance(const, str)]
    dlib_names = [text for text in texts if text.isidentifier()]
    # dlib's abstract_reasoning_study_v1 trains on it; its function of names does not know it.
    dlib_names.append(_ABSTRACT)
    # Looked up for the first time, it registers the gin configurables, which a running step may not.
    _ = data.NAMED

    def make(name):
        if not isinstance(name, str) or name.startswith("@"):
            return _of_reference(name)
        if name in data.NAMED:
            return as_dlib_needs(data.NAMED[name](), name)
        if name not in dlib_names:
            known = sorted([*dlib_names, *data.NAMED])
            raise InputError(
                f"There is no data set named {name!r} (gin binding dataset.name)."
                f"{did_you_mean(name, known)} Known: {', '.join(known)}."
            )
        try:
            return module.dsprites.AbstractDSprites() if name == _ABSTRACT else dlib_function(name)
        except (InputError, OSError) as error:
            raise InputError(
                f"The files of data set {name!r} could not be read: {error}"
            ) from error

    @functools.wraps(dlib_function)
    def get_named_ground_truth_data(name):
        return made_of.made(lambda: _with_names(make(name)))

    replace_wrapped(registered, get_named_ground_truth_data)


def _with_names(dataset: GroundTruthData) -> GroundTruthData:
    """The data set with names of its factors, which dlib's unified_scores draws."""
    if dataset.num_factors and not hasattr(dataset, "factor_names"):
        try:
            names = list(named_kinds(dataset))
        except InputError:  # a user's own, whose kinds only the disentanglement score needs
            names = [f"factor {k}" for k in range(dataset.num_factors)]
        dataset.factor_names = names
    return dataset


def _of_reference(reference: object) -> GroundTruthData:
    """The data set of dataset.name = @my_data() or @my_data.

    gin makes the data set or the function of it; where dlib reads a finished step's gin file, it is the text.
    """
    name = "dataset.name"
    if isinstance(reference, str):
        name = reference.removesuffix("()")
        reference = gin.get_configurable(name.removeprefix("@"))
    if callable(reference):
        reference = reference()
    return as_dlib_needs(reference, name)

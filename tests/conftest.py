# SPDX-License-Identifier: Apache-2.0
"""The option --long and the marker `long` of tests that a default run skips; the order of the files."""

import os
import sys

import pytest

import vae_ortho_plugin  # noqa: F401  dlib finds what TensorFlow no longer has under its hook only

# A process takes whole files. The slowest come first, so that the other processes do not end up waiting for one.
_FIRST = (
    "test_dlib_pipeline.py",
    "test_study_continued.py",
    "test_data_of_dlib.py",
    "test_study_end_to_end.py",
    "test_evaluate_without_tensorflow.py",
    "test_xla_cache.py",
    "test_faults.py",
    "test_beside_tensorflow_2.py",
    "test_resume.py",
    "test_own_networks.py",
    "test_linearized_training.py",
    "test_models.py",
    "test_engine.py",
)

# Variables that libraries set when they are imported, and pytest by itself.
_SET_BY_LIBRARIES = ("CUDA_", "ENABLE_RUNTIME_UPTIME_TELEMETRY", "HDF5_PLUGIN_PATH", "KMP_")
_SET_BY_LIBRARIES += ("PYTEST_CURRENT_TEST", "TF2_", "TF_", "TORCHINDUCTOR_", "TPU_", "_RJEM_")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes long; skipped without --long")
    if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are taken by the other processes
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def pytest_collection_modifyitems(config, items):
    places = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="takes long; --long runs it")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def process_is_left_as_it_was():
    """No test changes what the tests after it find: the environment, the directory, gin's configuration."""
    before = _process()
    yield
    after = _process()
    assert after == before, "The test has left the process changed."


def _process():
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(_SET_BY_LIBRARIES)
    }
    gin = sys.modules.get("gin")
    bound = {key: dict(values) for key, values in gin.config._CONFIG.items()} if gin else {}
    return environment, os.getcwd(), bound

# SPDX-License-Identifier: Apache-2.0
"""The option --long and the marker `long` of tests that a default run skips."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes long; skipped without --long")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="takes long; --long runs it")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)

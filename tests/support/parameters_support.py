# SPDX-License-Identifier: Apache-2.0
"""Which parameters of a test a default run takes."""

import pytest


def long_but(by_default, parameters):
    """The parameters, values or tuples of them, for pytest.mark.parametrize; those not in `by_default` are marked long."""
    by_default, parameters = list(by_default), list(parameters)
    assert all(one in parameters for one in by_default)
    return [
        one
        if one in by_default
        else pytest.param(*(one if isinstance(one, tuple) else [one]), marks=pytest.mark.long)
        for one in parameters
    ]

# SPDX-License-Identifier: Apache-2.0
"""The sections of a report, one module each.

A section's module has a function `section(results: Results) -> Section | None`; None leaves the
section out. Its name in ORDER registers it.
"""

import importlib
from collections.abc import Callable

from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section

ORDER = (
    "overview",
    "table_1",
    "table_2",
    "dto_disentanglement",
    "dial",
    "figure_4",
    "over_training",
    "latent_space",
    "images",
    "pca",
    "mechanism",
    "beta_sweep",
    "axis_ratios",
    "missing",
    "provenance",
)


def section_functions() -> list[Callable[[Results], Section | None]]:
    """The functions that make the sections, in the order of the report."""
    return [importlib.import_module(f"{__name__}.{name}").section for name in ORDER]

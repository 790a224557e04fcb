# SPDX-License-Identifier: Apache-2.0
"""The sections of a report: functions of the results; None leaves a section out."""

from collections.abc import Callable

from vae_ortho_plugin.study.report.document import Section
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.sections import (
    basis,
    dial,
    dto_and_score,
    found,
    limits,
    over_training,
    single_models,
    supplement_c,
    table_1,
    table_2,
    theory,
)

# In the order of the report.
SECTIONS: tuple[Callable[[Results], Section | None], ...] = (
    found.section,
    table_2.section,
    table_1.section,
    limits.section,
    dial.section,
    dto_and_score.figure_4,
    over_training.section,
    single_models.latent_space,
    single_models.images,
    theory.alignment_with_pca,
    theory.mechanism,
    supplement_c.beta_sweep,
    supplement_c.axis_ratios,
    basis.missing,
    basis.sources,
)

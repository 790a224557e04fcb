# SPDX-License-Identifier: Apache-2.0
"""Sec. 2.3: the directions of linear models against the principal directions of linear data."""

from vae_ortho_plugin.study.plan.experiments import (
    AXIS_RATIOS,
    SYNTH_LINEAR,
    SYNTH_LINEAR_64,
    axis_ratio_experiment,
)
from vae_ortho_plugin.study.report import entries
from vae_ortho_plugin.study.report.results import Results
from vae_ortho_plugin.study.report.section import Section, Table

_VARIANTS = [
    axis_ratio_experiment(ratio, data).data
    for data in (SYNTH_LINEAR, SYNTH_LINEAR_64)
    for ratio in reversed(AXIS_RATIOS)
]
_ANGLES = {"decoder_angle": "decoder ↓", "encoder_angle": "encoder ↓"}


def section(results: Results) -> Section | None:
    experiments = [
        experiment
        for experiment in results.experiments(variants=_VARIANTS)
        if experiment.model != "random_decoder"
    ]
    found = [
        [
            entries.entry(
                results,
                experiment,
                key,
                lambda item, key=key: item.metric("pca_alignment", key),
                None,
            )
            for key in _ANGLES
        ]
        for experiment in experiments
    ]
    found = [angles for angles in found if any(entry.ours for entry in angles)]
    if not found:
        return None
    return Section(
        "Alignment with PCA",
        [
            (
                "Mean angle, in degrees, between the principal directions of the training data and the directions "
                "of the active latents in decoder and encoder, each matched for the least sum; 0 is PCA. At axis "
                "ratio 1 the principal directions are arbitrary."
            ),
            Table(
                "pca_alignment",
                ["data set", "model", "n", *_ANGLES.values()],
                [
                    [
                        *entries.name_columns(angles[0].experiment, ours_alone=False),
                        entries.count_column(angles[0]),
                        *(entries.ours_text(entry, form=".1f") for entry in angles),
                    ]
                    for angles in found
                ],
                [entries.record(entry) for angles in found for entry in angles],
            ),
        ],
    )

# SPDX-License-Identifier: Apache-2.0
"""All rows, in the order of the table."""

from benchmarks import (
    checkpoints,
    dto,
    gpu,
    growth,
    input_rate,
    interruption,
    linearized,
    reproduce,
    sampled_metrics,
    score,
    start,
    study_growth,
    study_time,
    tracking,
    training,
)

_TOPICS = (
    training,
    linearized,
    checkpoints,
    interruption,
    input_rate,
    dto,
    sampled_metrics,
    score,
    tracking,
    reproduce,
    start,
    study_time,
    growth,
    study_growth,
)

ROWS = {row.name: row for topic in _TOPICS for row in topic.ROWS}
GPU_ROWS = (*(row.name for row in gpu.ROWS), *gpu.ALSO)
# All but those that need a GPU.
DEFAULT_ROWS = tuple(ROWS)
ROWS.update({row.name: row for row in gpu.ROWS})

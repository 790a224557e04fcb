# SPDX-License-Identifier: Apache-2.0
"""All rows, in the order of the table."""

from benchmarks import (
    checkpoints,
    dto,
    growth,
    input_rate,
    interruption,
    linearized,
    reproduce,
    score,
    start,
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
    score,
    tracking,
    reproduce,
    start,
    study_time,
    growth,
)

ROWS = {row.name: row for topic in _TOPICS for row in topic.ROWS}

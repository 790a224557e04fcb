# SPDX-License-Identifier: Apache-2.0
"""Durations as text."""


def duration(seconds: float) -> str:
    """Such as '40 s', '3 min', '1 h 20 min'."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

# SPDX-License-Identifier: Apache-2.0
"""Numbers over seeds."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

# The least number of values whose mean is compared with the paper's.
LEAST_VALUES = 3


class Summary(NamedTuple):
    """Mean and sample standard deviation (None for one value) of n values."""

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Summary | None":
        """The summary of values; None without any."""
        if not values:
            return None
        sd = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.mean(values), sd, len(values))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean by Student's t; None for one value."""
        if self.sd is None:
            return None
        half = stats.t.ppf(0.975, self.n - 1) * self.sd / self.n**0.5
        return self.mean - float(half), self.mean + float(half)

    def text(self, form: str) -> str:
        """Such as '0.33 ± 0.18' or '0.33 (one seed)'."""
        return f"{self.mean:{form}} " + ("(one seed)" if self.sd is None else f"± {self.sd:{form}}")

# SPDX-License-Identifier: Apache-2.0
"""The parts of a report: sections of text, tables and pictures."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

# Characters of the tables that LaTeX needs as commands.
_LATEX = str.maketrans(
    {
        "β": r"$\beta$",
        "λ": r"$\lambda$",
        "¼": "1/4",
        "½": "1/2",
        "Σ": r"$\Sigma$",
        "Δ": r"$\Delta$",
        "σ": r"$\sigma$",
        "±": r"$\pm$",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "✓": r"$\in$",
        "✗": r"$\notin$",
        "†": r"$\dagger$",
        "‡": r"$\ddagger$",
        "°": r"$^\circ$",
        "<": "$<$",
        "–": "--",
        "%": r"\%",
        "_": r"\_",
        "&": r"\&",
        "#": r"\#",
    }
)


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: of its files.
        columns: headings.
        rows: what a reader sees, a text for each column.
        records: the same numbers unrounded, column -> value, for CSV.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    records: Sequence[Mapping[str, object]]

    def to_markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def to_latex(self) -> str:
        """A tabular environment that needs no package; ∈ and ∉ stand for the marks."""
        heading, *rows = (
            f"{' & '.join(text.translate(_LATEX) for text in line)} \\\\"
            for line in (self.columns, *self.rows)
        )
        begin = rf"\begin{{tabular}}{{{'l' * len(self.columns)}}}"
        return "\n".join(
            [begin, r"\hline", heading, r"\hline", *rows, r"\hline", r"\end{tabular}", ""]
        )

    def to_csv(self) -> str:
        text = io.StringIO()
        fields = list(dict.fromkeys(key for record in self.records for key in record))
        writer = csv.DictWriter(text, fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records)
        return text.getvalue()


@dataclass(frozen=True)
class Picture:
    """A picture of the report.

    Attributes:
        name: of its file.
        title: what it shows, also for readers who cannot see it.
        figure: the picture.
    """

    name: str
    title: str
    figure: Figure


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes:
        title: heading.
        blocks: its content in order; a text is Markdown.
    """

    title: str
    blocks: Sequence[str | Table | Picture]

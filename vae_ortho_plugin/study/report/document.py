# SPDX-License-Identifier: Apache-2.0
"""Writes a report as Markdown with its tables and pictures beside it, and as one HTML page."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import markdown
from markdown.extensions.toc import TocExtension
from matplotlib.figure import Figure

from vae_ortho_plugin.files import write_text
from vae_ortho_plugin.study.plan.layout import ResultsFolder
from vae_ortho_plugin.study.report import pictures
from vae_ortho_plugin.study.report.tables import Table

_SCRIPT_LINK = re.compile(r'href="\s*(?!https?:|#)[^"/]*(?::|&#)[^"]*"', re.IGNORECASE)
_TYPES = {".csv": "text/csv", ".tex": "text/plain", ".png": "image/png"}
# A page of a study that has runs to make; reload, unlike a refresh, stays where the reader is.
_RELOAD = "<script>setTimeout(() => location.reload(), 15000)</script>\n"


@dataclass(frozen=True)
class Picture:
    """A picture of the report, which is drawn where the file does not show these data yet.

    Attributes:
        name: of its file.
        title: what it shows, also for readers who cannot see it.
        draw: draws the data.
        data: everything that the picture depends on, as a value whose repr tells it all.
        files: that `draw` reads.
    """

    name: str
    title: str
    draw: Callable[..., Figure]
    data: object
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Section:
    """A section of the report, with its content in order; a text is Markdown."""

    title: str
    blocks: Sequence[str | Table | Picture]


def write(
    title: str, sections: Sequence[Section], folder: ResultsFolder, finished: int, planned: int
) -> Path:
    """Writes the report with its tables and pictures; returns report.md's path.

    While fewer runs are finished than planned, the open page loads itself again.
    """
    parts = [f"# {title}", f"{finished} of {planned} runs are finished."]
    for section in sections:
        parts.append(f"## {section.title}")
        parts += [_block(block, folder) for block in section.blocks]
    text = "\n\n".join(parts) + "\n"
    write_text(folder.report, text)
    write_text(folder.report_page, to_html(title, text, folder, reload=finished < planned))
    return folder.report


def _block(block: str | Table | Picture, folder: ResultsFolder) -> str:
    if isinstance(block, Table):
        write_text(folder.tables / f"{block.name}.csv", block.to_csv())
        write_text(folder.tables / f"{block.name}.tex", block.to_latex())
        link = f"{folder.tables.name}/{block.name}"
        return f"{block.to_markdown()}\n\n[CSV]({link}.csv) · [LaTeX]({link}.tex)"
    if isinstance(block, Picture):
        path = folder.pictures / f"{block.name}.png"
        pictures.draw_where_changed(path, block.draw, block.data, block.files)
        return f"![{block.title}]({folder.pictures.name}/{path.name})"
    return block


def to_html(title: str, text: str, folder: ResultsFolder, reload: bool = False) -> str:
    """One page that needs no other file: it embeds the folder's files that the Markdown refers to."""
    converter = markdown.Markdown(extensions=["tables", TocExtension(toc_depth="2-2")])
    # Texts from the runs' files must stay texts: HTML in them is shown, not interpreted.
    converter.preprocessors.deregister("html_block")
    converter.inlinePatterns.deregister("html")
    body = converter.convert(text)

    def embed(match: re.Match) -> str:
        attribute, name = match.groups()
        inside = folder.path.joinpath(name).resolve().is_relative_to(folder.path.resolve())
        if Path(name).suffix not in _TYPES or not inside:
            return match[0]
        data = base64.b64encode(folder.path.joinpath(name).read_bytes()).decode()
        download = f' download="{Path(name).name}"' if attribute == "href" else ""
        return f'{attribute}="data:{_TYPES[Path(name).suffix]};base64,{data}"{download}'

    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    page = re.sub(r'(src|href)="([^":#]+)"', embed, _SCRIPT_LINK.sub('href="#"', body))
    # The contents stand behind what was found.
    first, heading, rest = page.partition("<h2")
    found, second, others = rest.partition("<h2")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n{_RELOAD * reload}</head>\n"
        f"<body>\n{first}{heading}{found}<nav>{converter.toc}</nav>\n{second}{others}\n"
        "</body>\n</html>\n"
    )

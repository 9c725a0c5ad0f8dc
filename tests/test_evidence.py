"""Measured figures can be repeated: beside each table of them stands the command that gave it, and the machine.

A table holds measured figures where a third of its cells are decimal numbers, shares or quantities of time, rate or
memory. Its section, or the text at the head of a section around it, must show a command of mien, Python, make or npm in
code, or say that it was not kept, and name the machine. Whether the command gives these figures is not seen here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src/mien/model/weights").glob("*.md")]
)
NOT_MEASURED = {
    ("docs/guide/browser.md", "What a first visit loads"),  # sizes of files that the page names
    ("docs/guide/data.md", "FER+: ten votes for each face"),  # counts of rows
    ("docs/guide/service.md", "Limits: sizes, rates, timeouts"),  # as they are set
}
FIGURE = re.compile(r"[-+]?[\d,]*\.\d+|.*\d ?(%|ms|s|MB|faces/s|points).*|[-+]?[\d.,]+ (±|\.\.) [\d.,]+")
COMMAND = re.compile(
    r"(?:`|^)(?:cd [\w.]+ && )?(?:[A-Z_]+=\S+ )*(?:mien (?!data import)\w+ \S|python \S+\.py|pytest \S|make \w|npm \w)",
    re.MULTILINE,
)
NOT_KEPT = re.compile(r"(?:command|script|program) was not kept")
MACHINE = re.compile(r"\b(?:EPYC|H100|H200|(?:one|two|2) (?:\w+ )*(?:cores?|threads?))\b")


@dataclass
class Section:
    """A heading, its level, and its lines up to the next heading."""

    level: int
    title: str
    lines: list[str]


def sections(text: str) -> list[Section]:
    """The sections of a page in order, the part before the first heading among them."""
    found, fenced = [Section(0, "", [])], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else re.match(r"(#+) (.*)", line)
        if heading:
            found.append(Section(len(heading[1]), heading[2], []))
        else:
            found[-1].lines.append(line)
    return found


def tables(section: Section) -> Iterator[list[list[str]]]:
    """The rows of each table, without head and rule."""
    rows: list[list[str]] = []
    for line in [*section.lines, ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            yield rows[2:]
            rows = []


def is_measured(rows: list[list[str]]) -> bool:
    cells = [cell for row in rows for cell in row[1:] if cell]
    return 3 * sum(bool(FIGURE.fullmatch(cell)) for cell in cells) >= max(len(cells), 1)


def around(found: list[Section], number: int) -> str:
    """The text of a section and of the sections that it stands in."""
    level, texts = 7, []
    for section in reversed(found[: number + 1]):
        if section.level < level:
            texts.append("\n".join(section.lines))
            level = section.level
    return "\n".join(texts)


def lacking(page: str) -> list[str]:
    """Sections with measured figures that say neither how they were measured nor that it is not known."""
    found, missing = sections((ROOT / page).read_text(encoding="utf-8")), []
    for number, section in enumerate(found):
        if (page, section.title) in NOT_MEASURED or not any(map(is_measured, tables(section))):
            continue
        text = around(found, number)
        for what, holds in (
            ("command", COMMAND.search(text) or NOT_KEPT.search(text)),
            ("machine", MACHINE.search(text)),
        ):
            missing += [] if holds else [f"{section.title}: no {what}"]
    return missing


@pytest.mark.parametrize("page", PAGES)
def test_tables_of_measured_figures_name_their_command_and_machine(page):
    assert lacking(page) == []

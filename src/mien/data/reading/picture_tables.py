"""Tables of pictures: a csv with the columns path and label, and perhaps group and usage, one line a picture.

Commas, semicolons or tabs stand between its cells (`mien.data.columns.delimiter_of`).
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mien.choices import USAGES
from mien.data.columns import GROUP, check_group, check_once, csv_lines, delimiter_of
from mien.data.reading.pictures import NamedPicture
from mien.data.reading.split_folders import USAGE_OF_FOLDER
from mien.errors import DataError

_PATH: Final = "path"
_LABEL: Final = "label"
_USAGE: Final = "usage"
_HEADER_BYTES: Final = 4096

PICTURE_TABLE: Final = "table"
"""What this layout is called in messages."""


def is_picture_table(source: Path) -> bool:
    """Whether a file begins as a csv with the columns path and label does."""
    return source.is_file() and {_PATH, _LABEL} <= _columns(source)  # opening a pipe would wait for its writer


def has_usages(source: Path) -> bool:
    """Whether a csv of pictures has the column usage."""
    return _USAGE in _columns(source)


def _columns(source: Path) -> set[str]:
    """Names in the first line of a file, none where it cannot be one of a csv."""
    header = _header(source)
    return {name.strip().strip('"').lower() for name in header.split(delimiter_of(header))}


def _header(source: Path) -> str:
    try:
        with source.open("rb") as file:
            return file.readline(_HEADER_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def table_pictures(source: Path, usage: str | None) -> list[NamedPicture]:
    """The pictures that a csv names, in its order; paths lead below the folder of the csv, with slashes or backslashes.

    Args:
        source: the csv, UTF-8.
        usage: of all pictures, one of `USAGES`, where the csv has no column usage.

    Raises:
        DataError: unreadable or malformed, a missing picture, no usage or two; file and line are named.
    """
    found = list(_pictures(source, usage))
    pictures = each_once(source, found)
    if not found:
        raise DataError(f"{source}: no pictures to read: expected a line for each below the header")
    without = [line for line, picture in found if not picture.group]
    if without and len(without) < len(found):
        raise DataError(f"{source}: line {without[0]} has no group: expected one in every line, or in none")
    return pictures


def each_once(source: Path, found: Iterable[tuple[int, NamedPicture]]) -> list[NamedPicture]:
    """The pictures that a list names.

    Args:
        source: the list.
        found: the number of the line that names a picture, and the picture.

    Raises:
        DataError: a picture is named twice; it and both lines are named.
    """
    first: dict[Path, int] = {}
    pictures = []
    for line, picture in found:
        if (earlier := first.setdefault(picture.path, line)) != line:
            name = os.path.relpath(picture.path, source.parent)
            raise DataError(f"{source}: line {line} names {name[:60]!r} again, as line {earlier}: expected each once")
        pictures.append(picture)
    return pictures


def _pictures(source: Path, usage: str | None) -> Iterator[tuple[int, NamedPicture]]:
    """Each picture, and the line that names it, or ends to where a cell has lines of its own."""

    def columns(header: Sequence[str]) -> Sequence[str]:
        names = [name.lower() for name in header]
        check_once(source, names, (_PATH, _LABEL, GROUP, _USAGE))
        if (usage is None) == (_USAGE not in names):
            mend = "add --usage, or a column usage" if usage is None else "leave out --usage"
            raise DataError(f"{source}: expected the usage of its pictures from one place: {mend}")
        return names

    for number, line in csv_lines(source, columns):
        yield number, _picture(source, line, f"{source}: line {number}", usage)


def _picture(source: Path, line: dict[str, str], where: str, usage: str | None) -> NamedPicture:
    name, label, group = line[_PATH], line[_LABEL], line.get(GROUP, "")
    if not name or not label:
        raise DataError(f"{where} has path {name[:40]!r} and label {label[:40]!r}: expected text in both")
    check_group(group, where)
    path = _found(source.parent, name, where)
    return NamedPicture(path, label, usage or _usage(line[_USAGE], where), None, group)


def _found(folder: Path, name: str, where: str) -> Path:
    """The file of a name, as it is written or, where there is none, with slashes for the backslashes of Windows."""
    whole = folder.absolute()
    for path in (Path(name), Path(name.replace("\\", "/"))):
        below = path.relative_to(whole) if path.is_relative_to(whole) else path
        if ".." in below.parts or below.is_absolute():
            raise DataError(f"{where} names {name[:60]!r}: expected a path that begins in the csv's folder, {folder}")
        if (folder / below).is_file():
            return folder / below
    raise DataError(f"{where} names {name[:60]!r}: no such file in {folder}")


def _usage(text: str, where: str) -> str:
    if text in USAGES:
        return text
    if text.lower() not in USAGE_OF_FOLDER:
        known = ", ".join((*USAGES, *USAGE_OF_FOLDER))
        raise DataError(f"{where} has usage {text[:40]!r}: expected one of {known}")
    return USAGE_OF_FOLDER[text.lower()]

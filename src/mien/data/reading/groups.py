"""Groups of pictures: who or what several of them show, so that a split or an interval can keep them together.

==========  ==================================================================================================
way         the group of a picture
==========  ==================================================================================================
subject     the person in its name: ``S010`` of CK+48's ``S010_004_00000017.png``, ``KA`` of JAFFE's ``KA.AN1.39.tiff``
sequence    the sequence in its name: ``S010_004`` of CK+48's
folder      the folder it lies in, one level below its class: ``<class>/<group>/*.jpg``
a csv       its column ``group``, by ``file_name`` (path below the data set's folder, with slashes)
==========  ==================================================================================================
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.data.columns import FILE_NAME, GROUP, check_group, matched, read_column
from mien.data.reading.layouts import JAFFE_NAME, FoundPictures
from mien.data.reading.pictures import LabelledPicture, listed
from mien.errors import DataError

SUBJECT: Final = "subject"
SEQUENCE: Final = "sequence"
FOLDER: Final = "folder"
NO_GROUPS: Final = "none"
"""Ways that are no file; by default pictures are grouped by subject where every name tells it."""

_CK_NAME: Final = re.compile(r"(S\d{3})_(\d{3})_\d{8}\.\w+", re.IGNORECASE)


def grouped(folder: Path, found: FoundPictures, how: str | None) -> FoundPictures:
    """Pictures with their groups.

    Args:
        folder: the folder they all lie in.
        found: what was found there.
        how: a way of the table above; "none" leaves them out; None takes those that the layout states, else the
            subjects that the names tell, if all do.

    Raises:
        DataError: a name tells no group, or a csv lacks a picture or names one that is not there.
    """
    pictures = [picture for picture in found.pictures if picture.label is not None]
    if how is None and (any(picture.group for picture in pictures) or not all(map(_subject, pictures))):
        return found
    if how == NO_GROUPS:
        return replace(found, pictures=tuple(replace(picture, group="") for picture in found.pictures))
    groups = dict(zip((picture.path for picture in pictures), _groups(folder, found, pictures, how), strict=True))
    return replace(
        found, pictures=tuple(replace(picture, group=groups.get(picture.path, "")) for picture in found.pictures)
    )


def _groups(folder: Path, found: FoundPictures, pictures: Sequence[LabelledPicture], how: str | None) -> list[str]:
    if how in (None, SUBJECT):
        names = [_subject(picture) for picture in pictures]
    elif how == SEQUENCE:
        names = [_sequence(picture) for picture in pictures]
    elif how == FOLDER:
        names = [picture.path.parent.name for picture in pictures]
        check_group(max(names, key=len, default=""), folder)
    else:
        groups: list[str] = listed_column(folder, found, str(how), GROUP).tolist()
        return groups
    if without := [picture.path.name for picture, name in zip(pictures, names, strict=True) if not name]:
        raise DataError(
            f"{folder}: the names {listed(without)} tell no {how}: expected names as of CK+48 (S010_004_00000017.png)"
            f"{' or JAFFE (KA.AN1.39.tiff)' if how == SUBJECT else ''}; name the groups in a csv"
        )
    return names


def listed_column(folder: Path, found: FoundPictures, path: str | Path, column: str) -> NDArray[np.str_]:
    """A column of a csv for the pictures that are not skipped, by their paths below the folder; text (N,).

    Raises:
        DataError: the csv is malformed, lacks a picture, or names one that is not there.
    """
    wanted = [_name(folder, picture) for picture in found.pictures if picture.label is not None]
    known = {_name(folder, picture) for picture in found.pictures}
    values = read_column(path, FILE_NAME, column)
    with_slashes: dict[str, str] = {}
    for name, value in values.items():
        slashed = name if name in known else name.replace("\\", "/")
        if slashed in with_slashes:
            raise DataError(f"{path}: names {slashed[:60]!r} twice, with slashes and backslashes: expected each once")
        with_slashes[slashed] = value
    return matched(path, with_slashes, wanted, known)


def _name(folder: Path, picture: LabelledPicture) -> str:
    return picture.path.relative_to(folder).as_posix()


def _subject(picture: LabelledPicture) -> str:
    match = _CK_NAME.fullmatch(picture.path.name) or JAFFE_NAME.fullmatch(picture.path.name)
    return match[1].upper() if match else ""


def _sequence(picture: LabelledPicture) -> str:
    match = _CK_NAME.fullmatch(picture.path.name)
    return f"{match[1].upper()}_{match[2]}" if match else ""

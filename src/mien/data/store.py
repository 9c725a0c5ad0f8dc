"""A data set on disk: one memory-mapped uint8 array of faces, with labels and usage beside it.

A store is a folder::

    faces.npy    uint8 (N, S, S), grayscale, or (N, S, S, 3), RGB; memory-mapped when opened; FER2013's side S is 48
    labels.npy   uint8 (N,), index into the classes
    usages.npy   uint8 (N,), index into `USAGES`
    votes.npy    uint8 (N, 10), FER+'s votes by `mien.labels.VOTE_CLASSES`; only where they were imported
    groups.npy   text (N,), the group of each row: its subject, sequence or photo; only where groups were imported
    files.npy    text (N,), the picture file of each row, below the source; only where there was one for each
    store.json   format version, number of rows, name and SHA-256 of the source, names of the classes

A store of FER2013's classes, side and grey is of format 1, which has no names of classes and which every version of
mien opens; others are of format 2. Row numbers are those of the source file, from 0. A store is written atomically
(`mien.files`), so a partial one is never opened.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mien.choices import USAGES
from mien.errors import ConfigError, DataError
from mien.files import whole_folder
from mien.labels import EMOTIONS, KNOWN_SETS, VOTE_CLASSES, checked_classes
from mien.preprocess import FACE_SIZE
from mien.toml_json import from_values, parse_json, to_json

_FORMATS: Final = (1, 2)
_META: Final = "store.json"
_GROUPS: Final = "groups.npy"
_FILES: Final = "files.npy"
SIDES: Final = range(8, 513)
"""Pixels that a face may be wide."""


@dataclass(frozen=True, slots=True)
class StoreMeta:
    """What is known of a store as a whole.

    Args:
        rows: how many.
        source: name of what it was imported from.
        source_sha256: its hash, lower-case hexadecimal.
        format: of the store.
        classes: names of the classes, see `mien.labels.checked_classes`.
        terms: what the data set's owners demand, "" where nothing is known: a training then needs a stated licence.
    """

    rows: int
    source: str
    source_sha256: str
    format: int = _FORMATS[0]
    classes: tuple[str, ...] = EMOTIONS
    terms: str = ""

    def __post_init__(self) -> None:
        checked_classes(self.classes)


@dataclass(frozen=True, slots=True)
class FaceStore:
    """An opened data set.

    Args:
        faces: uint8, grayscale (N, S, S) or RGB (N, S, S, 3).
        labels: uint8 (N,), class numbers, indices into `classes`.
        usages: uint8 (N,), indices into `USAGES`.
        meta: where the rows come from.
        votes: how many of FER+'s voters gave each of `mien.labels.VOTE_CLASSES`, uint8 (N, 10); None without them.
        groups: names of the groups that rows belong to, text (N,), none empty; None without them.
        files: the picture file of each row, a path below the source, text (N,), none empty; None without them.

    Raises:
        DataError: the arrays do not belong together or hold values out of range.
    """

    faces: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    usages: NDArray[np.uint8]
    meta: StoreMeta
    votes: NDArray[np.uint8] | None = None
    groups: NDArray[np.str_] | None = None
    files: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        rows = self.meta.rows
        expected = {"faces": _shape_of_faces(self.faces, rows), "labels": (rows,), "usages": (rows,)}
        if self.votes is not None:
            expected["votes"] = (rows, len(VOTE_CLASSES))
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.uint8:
                raise DataError(f"{name} are {array.dtype} {array.shape}: expected uint8 {shape}")
        for name, texts in (("groups", self.groups), ("files", self.files)):
            if texts is not None and not _are_names(texts, rows):
                raise DataError(f"{name} are {texts.dtype} {texts.shape}: expected text ({rows},), none empty")
        last = len(self.classes) - 1
        if rows and (self.labels.max() > last or self.usages.max() >= len(USAGES)):
            raise DataError(f"labels or usages out of range: expected 0..{last} and 0..{len(USAGES) - 1}")
        if self.votes is not None and self.classes not in KNOWN_SETS:
            raise DataError(f"FER+'s votes for the classes {', '.join(self.classes)}: expected FER2013's or FER+'s")

    def __len__(self) -> int:
        return self.meta.rows

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, by number."""
        return self.meta.classes

    @property
    def side(self) -> int:
        """Of a face, in pixels."""
        return int(self.faces.shape[1])

    @property
    def channels(self) -> int:
        """Of a face: 1, grey, or 3, RGB."""
        return 1 if self.faces.ndim == 3 else 3

    def class_of(self, row: int) -> str:
        """Name of the class of a row."""
        return self.classes[int(self.labels[row])]

    @classmethod
    def open(cls, path: str | Path) -> "FaceStore":
        """Open a store; the faces are memory-mapped, not read.

        Raises:
            DataError: no store at this path, or a damaged one.
        """
        folder = Path(path)
        if not is_store(folder):
            raise DataError(f"{folder}: no data set there (a folder with {_META}); make one with `mien data import`")
        meta = _read_meta(folder / _META)
        faces = _read_array(folder / "faces.npy", mmap_mode="r")
        labels, usages = (_read_array(folder / f"{name}.npy") for name in ("labels", "usages"))
        votes, groups, files = (
            _read_array(folder / name) if (folder / name).exists() else None for name in ("votes.npy", _GROUPS, _FILES)
        )
        try:
            return cls(faces, labels, usages, meta, votes, groups, files)
        except DataError as error:
            raise DataError(f"{folder}: damaged data set ({error}); import it again") from None

    def rows_of(self, usage: str) -> NDArray[np.intp]:
        """Row numbers of one usage, ascending.

        Raises:
            DataError: an unknown usage.
        """
        if usage not in USAGES:
            raise DataError(f"unknown usage {usage!r}: expected one of {', '.join(USAGES)}")
        return np.flatnonzero(self.usages == USAGES.index(usage))

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by usage and class: ``{"Training": {"angry": 3995, ...}, ...}``, only usages that occur."""
        table = np.zeros((len(USAGES), len(self.classes)), np.int64)
        np.add.at(table, (self.usages, self.labels), 1)
        return {
            usage: dict(zip(self.classes, map(int, row), strict=True))
            for usage, row in zip(USAGES, table, strict=True)
            if row.any()
        }


def _shape_of_faces(faces: NDArray[np.uint8], rows: int) -> tuple[int, ...]:
    """The shape that faces should have: squares of any side, grey or RGB; FER2013's where they are nothing like it."""
    side = faces.shape[1] if faces.ndim in (3, 4) and faces.shape[1] in SIDES else FACE_SIZE
    return (rows, side, side, 3) if faces.ndim == 4 else (rows, side, side)


def _are_names(groups: NDArray[Any], rows: int) -> bool:
    return groups.shape == (rows,) and groups.dtype.kind == "U" and bool((groups != "").all())


def is_store(folder: Path) -> bool:
    """Whether there is a store at a path, whole or damaged."""
    return (folder / _META).is_file()


def _read_meta(path: Path) -> StoreMeta:
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
        version = values.get("format")
        meta = from_values(StoreMeta, values)
    except (ConfigError, DataError, ValueError, OSError) as error:
        raise DataError(f"{path}: damaged ({error}); import the data again") from None
    if version not in _FORMATS:
        known = " or ".join(map(str, _FORMATS))
        raise DataError(f"{path}: a data set of format {version}: expected {known}; import the data again")
    return meta


def _read_array(path: Path, mmap_mode: Literal["r"] | None = None) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: missing; import the data again") from None
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path}: damaged ({error}); import the data again") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: damaged (an archive of arrays); import the data again")
    return array


def write_store(  # noqa: PLR0913 - what a data set consists of
    path: str | Path,
    faces: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    usages: NDArray[np.uint8],
    *,
    source: str,
    source_sha256: str,
    votes: NDArray[np.uint8] | None = None,
    groups: NDArray[np.str_] | None = None,
    files: NDArray[np.str_] | None = None,
    classes: tuple[str, ...] = EMOTIONS,
    terms: str = "",
) -> None:
    """Write a data set to a folder that does not exist yet (arrays as in `FaceStore`).

    Raises:
        DataError: the folder exists, or the arrays do not belong together.
    """
    plain = classes == EMOTIONS and faces.shape[1:] == (FACE_SIZE, FACE_SIZE)
    meta = StoreMeta(len(faces), source, source_sha256, _FORMATS[0 if plain else 1], classes, terms)
    FaceStore(faces, labels, usages, meta, votes, groups, files)
    values = asdict(meta)
    if plain:
        del values["classes"]
    with whole_folder(Path(path)) as folder:
        np.save(folder / "faces.npy", faces)
        np.save(folder / "labels.npy", labels)
        np.save(folder / "usages.npy", usages)
        if votes is not None:
            np.save(folder / "votes.npy", votes)
        if groups is not None:
            np.save(folder / _GROUPS, groups)
        if files is not None:
            np.save(folder / _FILES, files)
        (folder / _META).write_text(to_json(values), encoding="utf-8")

"""Pictures sorted into folders by expression, as copies or links."""

import filecmp
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from mien.choices import SortedAs
from mien.errors import InputError, SinkError
from mien.files import made_folder, whole_file, write_text, writing
from mien.media.kinds import SORTED_FILE
from mien.output.recognized import Recognized
from mien.output.sink import Sink, log
from mien.results import Frame, Header
from mien.toml_json import to_json

MIXED: Final = "_mixed"
UNCERTAIN: Final = "_uncertain"
NO_FACE: Final = "_no-face"
FAILED: Final = "_failed"


class SortedPictures(Sink):
    """A copy of, or a link to, every picture in a folder that is called like its expression.

    Pictures whose faces differ, are not certain, are missing, or that cannot be read, have folders of their own.
    Nothing is overwritten. A picture that cannot be copied keeps no other from being sorted.

    Args:
        folder: where the folders are made.
        pictures: the files to sort, by the names that results call them.
        header: what results come from.
        kind: whether copies or links are made.

    Raises:
        InputError: the folder cannot be made, or written to.
    """

    def __init__(self, folder: Path, pictures: Mapping[str, Path], header: Header, kind: SortedAs) -> None:
        self._folder, self._pictures, self._labels, self._kind = folder, pictures, header.labels, kind
        self._taken: set[Path] = set()
        self._counts: Counter[str] = Counter()
        self._failures: list[str] = []
        made_folder(folder, InputError)
        write_text(folder / SORTED_FILE, to_json(header.to_dict()), InputError)

    def add(self, recognized: Recognized) -> None:
        source = self._pictures.get(recognized.frame.source)
        if source is None or recognized.frame.time is not None or not source.is_file():
            return
        name = place_of(recognized.frame, self._labels)
        try:
            self._put(source, made_folder(self._folder / name, InputError))
            self._counts[name] += 1
        except InputError as error:
            log.error("%s", error)
            self._failures.append(str(error))

    def close(self) -> Sequence[Path]:
        """Say how many pictures came into each folder; none of them is named one by one.

        Raises:
            SinkError: one could not be copied.
        """
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self._counts.items()))
        log.info("sorted %d pictures into %s%s", self._counts.total(), self._folder, f": {counts}" if counts else "")
        if self._failures:
            raise SinkError(self._failures, [])
        return ()

    def _put(self, source: Path, folder: Path) -> None:
        """Copy or link a file into a folder, unless an earlier run has."""
        number, target = 1, folder / source.name
        while target in self._taken or not (self._is_there(source, target) or self._made(source, target)):
            number += 1
            target = folder / f"{source.stem}-{number}{source.suffix}"
        self._taken.add(target)

    def _is_there(self, source: Path, target: Path) -> bool:
        """Whether a place holds what would be put there."""
        with writing(target, InputError):
            if self._kind == "link":
                return target.is_symlink() and target.readlink() == source.absolute()
            return target.is_file() and not target.is_symlink() and filecmp.cmp(source, target, shallow=False)

    def _made(self, source: Path, target: Path) -> bool:
        """Whether a file was put at a place; it was not where something is already."""
        with writing(target, InputError):
            try:
                if self._kind == "link":
                    target.symlink_to(source.absolute())
                    return True
                target.touch(exist_ok=False)  # so that nobody else takes the name meanwhile
            except FileExistsError:
                return False
        try:
            with whole_file(target, InputError) as partial:
                shutil.copy2(source, partial)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return True


def place_of(frame: Frame, labels: Collection[str]) -> str:
    """The folder that a picture belongs to: the expression that all its faces show with certainty, or one for pictures
    without such an expression.

    Args:
        frame: what was recognised.
        labels: the model's class names, which no such folder may have.
    """
    shown = {face.emotion if face.certain else None for face in frame.faces}
    if frame.error is not None:
        return _unlike(FAILED, labels)
    if not shown:
        return _unlike(NO_FACE, labels)
    if None in shown:
        return _unlike(UNCERTAIN, labels)
    if len(shown) > 1:
        return _unlike(MIXED, labels)
    (emotion,) = shown
    return str(emotion)


def _unlike(name: str, labels: Collection[str]) -> str:
    keys = {label.casefold() for label in labels}
    while name.casefold() in keys:
        name = f"_{name}"
    return name

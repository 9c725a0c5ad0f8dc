"""Annotated pictures out: one file for every source, never over a source or over each other."""

from collections.abc import Iterable
from pathlib import Path

from mien.errors import InputError
from mien.output.drawing import annotate
from mien.output.picture_file import JPEG_SUFFIXES, write_picture
from mien.pictures import Pixels
from mien.results import Frame


def made_folder(folder: Path) -> Path:
    """The folder, made when it is not there.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder for pictures ({error.strerror})") from None
    return folder


class PictureFolder:
    """A folder for annotated pictures: ``party.jpg`` becomes ``party.mien.jpg``, a second one ``party-2.mien.jpg``.

    Pictures that came as JPEG are saved as JPEG, all others as PNG. What an earlier run saved is replaced.

    Args:
        folder: is made when it is not there.
        sources: every picture that may be saved, so that none is ever overwritten.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, sources: Iterable[Path]) -> None:
        self.path = made_folder(folder)
        self._taken = {source.absolute() for source in sources}

    def save(self, frame: Frame, image: Pixels) -> Path:
        """Draw the faces of a frame into its picture and save it; the path of the new file.

        Raises:
            InputError: it cannot be written.
        """
        target = self._free_name(Path(frame.source))
        return write_picture(target, annotate(image, frame.faces))

    def _free_name(self, source: Path) -> Path:
        suffix = source.suffix.lower() if source.suffix.lower() in JPEG_SUFFIXES else ".png"
        number, target = 1, self.path / f"{source.stem}.mien{suffix}"
        while target.absolute() in self._taken:
            number += 1
            target = self.path / f"{source.stem}-{number}.mien{suffix}"
        self._taken.add(target.absolute())
        return target

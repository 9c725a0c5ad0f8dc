"""Which frames of a video are analysed, in which part of them, and how they are saved."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from mien.compat.fer.utils import faces_of
from mien.compat.inputs import InvalidArgumentError
from mien.errors import InputError
from mien.files import whole_file
from mien.media.decode_picture import Pixels
from mien.media.video_source import VideoImage
from mien.output.picture_file import write_picture
from mien.output.recognized import Recognized
from mien.output.sink import Sink, said
from mien.results import Frame


def picked(images: Iterator[VideoImage], frequency: int | None, fps: int | None) -> Iterator[VideoImage]:
    """Every Nth image; or, for a number of images a second, every so many that it comes near to that number."""
    first = list(islice(images, 2))
    if fps is not None and len(first) == 2:
        rate = 1 / max(first[1].time - first[0].time, 1e-3)
        frequency = max(1, round(rate) // fps)
    return (image for number, image in enumerate(chain(first, images)) if number % (frequency or 1) == 0)


def crop(image: Pixels, box: Mapping[str, int] | None) -> tuple[Pixels, tuple[int, int]]:
    """The part of an image that a box names, and its left upper corner.

    Raises:
        ValueError: the box names another thing than a part of the image.
    """
    if box is None:
        return image, (0, 0)
    edges = [box.get(f"{axis}_{end}", box.get(f"{axis}{end}")) for axis in "xy" for end in ("min", "max")]
    if None in edges:
        raise InvalidArgumentError(f"detection_box is {dict(box)}: expected x_min, x_max, y_min and y_max")
    left, right, top, bottom = (max(0, int(edge)) for edge in edges if edge is not None)
    part = image[top:bottom, left:right]
    if not part.size:
        size = f"{image.shape[1]}x{image.shape[0]} pixels"
        raise InvalidArgumentError(f"detection_box is {dict(box)}: expected a part of the frame of {size}")
    return part, (left, top)


def shifted(faces: Iterable[Mapping[str, Any]], corner: tuple[int, int]) -> list[dict[str, Any]]:
    """Faces in a part of an image, with boxes in the whole image."""
    left, top = corner
    return [{**face, "box": [face["box"][0] + left, face["box"][1] + top, *list(face["box"])[2:]]} for face in faces]


def recognized(source: str, image: VideoImage, faces: Iterable[Mapping[str, Any]]) -> Recognized:
    """A frame as mien's sinks take it."""
    height, width = image.image.shape[:2]
    found = faces_of(faces, (height, width))
    return Recognized(Frame(source, image.number, image.time, width, height, found), image.image)


class SavedFrames(Sink):
    """Frames as JPEG files, called after a stem and their number; packed into images.zip at the end if asked for.

    Args:
        folder: where they go; it exists.
        stem: how they are called.
        zipped: whether they are packed.
    """

    def __init__(self, folder: Path, stem: str, *, zipped: bool) -> None:
        self._folder, self._stem, self._zipped = folder, stem, zipped
        self._written: list[Path] = []

    def add(self, recognized: Recognized) -> None:
        """Write a frame, with its faces drawn in.

        Raises:
            InputError: it cannot be written.
        """
        target = self._folder / f"{self._stem}{recognized.frame.index}.jpg"
        self._written.append(write_picture(target, recognized.annotated()))

    def close(self) -> Sequence[Path]:
        """Pack the frames; the files that are left.

        Raises:
            InputError: the archive cannot be written.
        """
        if not self._zipped or not self._written:
            return self._written
        target = self._folder / "images.zip"
        with whole_file(target, InputError) as partial, ZipFile(partial, "w") as archive:
            for file in self._written:
                archive.write(file, file.name)
        for file in self._written:
            file.unlink()
        self._written = []
        return [said(target)]

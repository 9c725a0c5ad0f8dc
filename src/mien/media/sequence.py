"""Image sequences: pictures as a video."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.errors import InputError
from mien.media.excerpt import WHOLE, Excerpt
from mien.media.read_image import Picture, read_image
from mien.media.video_source import VideoImage


def folder_of(pictures: Sequence[Path]) -> str:
    """The folder in or below which all of some pictures lie; that of the first one where there is none."""
    try:
        return os.path.commonpath([picture.parent for picture in pictures]) or "."
    except ValueError:  # relative and absolute paths, or several drives
        return str(pictures[0].parent)


class PictureSequence:
    """Pictures as the frames of a video, which is called like their folder, or ``pictures`` where some are no files.

    Args:
        pictures: in the order in which they are shown; each is read when its turn comes.
        fps: frames a second.
        excerpt: which pictures are read.
    """

    live = False

    def __init__(self, pictures: Sequence[Picture], fps: float, excerpt: Excerpt = WHOLE) -> None:
        if not pictures:
            raise InputError("no pictures: expected at least one for a video")
        paths = [Path(picture) for picture in pictures if isinstance(picture, str | Path)]
        self.name = folder_of(paths) if len(paths) == len(pictures) else "pictures"
        self._pictures, self._fps, self._excerpt = pictures, fps, excerpt

    def images(self) -> Iterator[VideoImage]:
        broken: list[str] = []
        wanted = self._excerpt.choice()
        for number, picture in enumerate(self._pictures):
            if not wanted(number / self._fps):
                continue
            try:
                yield VideoImage(number, number / self._fps, read_image(picture))
            except InputError as error:
                broken.append(str(error))
        if broken:
            raise InputError(
                f"{self.name}: {len(broken)} of {len(self._pictures)} pictures left out, first: {broken[0]}"
            )
        wanted.check(self.name)

    def close(self) -> None:
        pass

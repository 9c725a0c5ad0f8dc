"""Image sequences: numbered pictures as a video."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.errors import InputError
from mien.media.excerpt import WHOLE, Excerpt
from mien.media.read_image import read_image
from mien.media.video_source import VideoImage


class PictureSequence:
    """Picture files as the frames of a video.

    Args:
        paths: in the order in which they are shown; each is read when its turn comes.
        fps: frames a second.
        excerpt: which pictures are read.
    """

    live = False

    def __init__(self, paths: Sequence[Path], fps: float, excerpt: Excerpt = WHOLE) -> None:
        if not paths:
            raise InputError("no pictures: expected at least one for a video")
        self.name = str(paths[0].parent)
        self._paths, self._fps, self._excerpt = paths, fps, excerpt

    def images(self) -> Iterator[VideoImage]:
        broken: list[str] = []
        wanted = self._excerpt.choice()
        for number, path in enumerate(self._paths):
            if not wanted(number / self._fps):
                continue
            try:
                yield VideoImage(number, number / self._fps, read_image(path))
            except InputError as error:
                broken.append(str(error))
        if broken:
            raise InputError(f"{self.name}: {len(broken)} of {len(self._paths)} pictures left out, first: {broken[0]}")
        wanted.check(self.name)

    def close(self) -> None:
        pass

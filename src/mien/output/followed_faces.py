"""The followed faces of a video, and for how long each of its frames shows them."""

from collections.abc import Iterable, Iterator
from typing import Final

from mien.given import instance, wrong
from mien.results import Face, Frame

_FRAMES: Final = "the frames of one video, as Recognizer.stream gives them"


Sight = tuple[int, Face, float, float]
"""A person's number, the face, and the times from which and until which a frame shows it, seconds."""


class FollowedFaces:
    """Gives the followed faces of a video's frames, one frame late: a frame lasts until the next one, the last one as
    long as the one before it.
    """

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._seconds = 0.0

    def before(self, frame: Frame | None) -> list[Sight]:
        """The faces of the frame that came before this one.

        Args:
            frame: the next frame of the same video; None: there is none.
        """
        last, self._last = self._last, frame
        if last is None:
            return []
        start = last.time or 0.0
        if frame is not None:
            self._seconds = max(0.0, (frame.time or 0.0) - start)
        return [(face.track, face, start, start + self._seconds) for face in last.faces if face.track is not None]


def each_frame(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames that a caller gives, one after the other as they come.

    Raises:
        UsageError: something else than frames.
    """
    if not isinstance(frames, Iterable):
        raise wrong("what was given", frames, _FRAMES)
    for frame in frames:
        yield instance("one of the frames", frame, Frame, _FRAMES)

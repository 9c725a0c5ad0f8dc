"""How much memory the service may use, and what each of its parts gets of it: the parts add up to the whole."""

from dataclasses import dataclass, replace
from typing import Final, Self

from mien.errors import UsageError
from mien.service.limits import MEGABYTE, Limits

LEAST: Final = 768 * MEGABYTE
_MOST_EACH: Final = 1024 * MEGABYTE
"""Bytes that the service takes for each worker, unless it is told otherwise, and for two at least."""

_PROGRAM: Final = 280 * MEGABYTE
"""The service itself with a model, its connections and the server that forks its workers."""
_PROCESS: Final = 40 * MEGABYTE
"""What a worker has for itself; the rest of it is the server's, which forked it."""

_LARGE, _SMALL, _VIDEO, _BODIES = 32.0, 12.0, 21.0, 13.0
"""Shares of what is left: of a large picture, any other, a video with its file, and the bodies of requests."""
_LARGE_NEED: Final = 20
"""Bytes for each pixel of a large picture: lossy WebP with transparency needs most of all formats."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What each part of the service may use, bytes; with the program and its processes it is ``total`` at most.

    Args:
        total: all together.
        workers: processes for pictures.
        videos: processes for videos.
    """

    total: int
    workers: int
    videos: int

    @classmethod
    def of(cls, total: int, workers: int, videos: int) -> Self:
        """The shares of so much memory.

        Raises:
            UsageError: it is too little.
        """
        if total - _PROGRAM - (workers + videos) * _PROCESS < LEAST // 3:
            wanted = _PROGRAM + (workers + videos) * _PROCESS + LEAST // 3
            mend = "give more, or use fewer --workers or --max-videos"
            raise UsageError(
                f"{total // MEGABYTE} MB of memory are too little for {workers} workers and {videos} videos; they need "
                f"{wanted // MEGABYTE}: {mend}"
            )
        return cls(total, workers, videos)

    @property
    def _unit(self) -> float:
        left = self.total - _PROGRAM - (self.workers + self.videos) * _PROCESS
        pictures = self._large * _LARGE + (self.workers - self._large) * _SMALL
        return left / (pictures + self.videos * _VIDEO + _BODIES)

    @property
    def _large(self) -> int:
        """Large pictures at a time."""
        return max(1, self.workers // 2) if self.total >= _MOST_EACH * self.workers else 1

    def limits(self, limits: Limits) -> Limits:
        """The limits that keep to these shares; where a picture of so many pixels would not fit, fewer are allowed."""
        usual = Limits()
        large = min(usual.large_picture_memory, int(_LARGE * self._unit))
        buffered = min(usual.buffered, int(_BODIES * self._unit))
        return replace(
            limits,
            large_picture_memory=large,
            large_pictures=self._large,
            picture_memory=min(usual.picture_memory, int(_SMALL * self._unit)),
            video_memory=min(usual.video_memory, int(_VIDEO * self._unit)),
            buffered=buffered,
            pixels=min(limits.pixels, large // _LARGE_NEED),
            body=min(limits.body, buffered // 2),
            video_body=min(limits.video_body, buffered // 2, int(_VIDEO * self._unit / 3)),
        )

    @property
    def most(self) -> int:
        """Bytes that all parts together may reach with these limits."""
        limits = self.limits(Limits())
        pictures = self._large * limits.large_picture_memory + (self.workers - self._large) * limits.picture_memory
        processes = (self.workers + self.videos) * _PROCESS
        return _PROGRAM + processes + pictures + self.videos * limits.video_memory + limits.buffered


def usual_memory(workers: int, at_hand: int | None) -> int:
    """Bytes that the service takes unless it is told otherwise.

    Args:
        workers: processes for pictures.
        at_hand: bytes that there are; None: not known.
    """
    wanted = _MOST_EACH * max(2, workers)
    return wanted if at_hand is None else min(wanted, at_hand)

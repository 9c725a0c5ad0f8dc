"""The people of a video: followed faces, joined where one and the same person comes back, parted at cuts.

A track ends when its face is not found for a second. Whoever then appears where somebody has left shortly before is
that person again: a participant who looked away, or bent down. Nothing is recognised again by its looks; only from one
sight to the next, a fraction of a second later, the pixels of a face must be similar, or it is another face.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.faces.cuts import correlation
from mien.results import Box

ABSENCE: Final = 5.0
"""Seconds after which somebody who comes back is another person."""

_REACH: Final = 1.0
"""How far away, in heights of the face, somebody may come back."""

_QUICK: Final = 0.5
_QUICK_REACH: Final = 2.0
"""The same within so many seconds: somebody who walks, at a few frames a second."""

_RESIZED: Final = 1.6
"""How much larger or smaller a face may come back."""

_ALIKE: Final = 0.4
"""Correlation of a face with itself from one sight to the next: 0.7 and more while a head turned, 0.43 and less in 95 %
of 300 pairs of different faces of FER2013.
"""

_SIGHT: Final = 0.25
"""Seconds up to which two sights can be compared."""


@dataclass(slots=True)
class _Person:
    number: int
    scene: int
    track: int
    box: Box
    crop: NDArray[np.uint8]
    seen: float


class Persons:
    """Numbers of the people of one video, from 1, in the order in which they come.

    Args:
        absence: seconds, see `ABSENCE`.
    """

    def __init__(self, absence: float = ABSENCE) -> None:
        self._absence = absence
        self._of_track: dict[int, _Person] = {}
        self._gone: list[_Person] = []
        self._count = self._scenes = self._scene = self._scene_before = 0

    def cut(self, *, back: bool) -> None:
        """Note that another scene begins, where nobody is who was there before.

        Args:
            back: whether it is the scene before the last one again.
        """
        self._gone += self._of_track.values()
        self._of_track.clear()
        if back:
            self._scene, self._scene_before = self._scene_before, self._scene
        else:
            self._scenes += 1
            self._scene_before, self._scene = self._scene, self._scenes

    def numbers(self, faces: Iterable[tuple[int, Box, NDArray[np.uint8]]], time: float) -> list[int]:
        """The person of each face of the next frame.

        Args:
            faces: track, box, and crop uint8 (S, S) or (S, S, 3) of each.
            time: of the frame, seconds.
        """
        known = list(faces)
        self._dismiss({track for track, _, _ in known}, time)
        return [self._person(track, box, crop, time).number for track, box, crop in known]

    def _dismiss(self, here: set[int], time: float) -> None:
        """Note who is not in a frame; who has not come back for long is forgotten."""
        gone = [track for track in self._of_track if track not in here]
        self._gone += [self._of_track.pop(track) for track in gone]
        self._gone = [person for person in self._gone if time - person.seen <= self._absence]

    def _person(self, track: int, box: Box, crop: NDArray[np.uint8], time: float) -> _Person:
        person = self._of_track.get(track) or self._returned(track, box, time)
        if person is not None and time - person.seen <= _SIGHT and correlation(person.crop, crop) < _ALIKE:
            person = None
        if person is None:
            self._count += 1
            person = _Person(self._count, self._scene, track, box, crop, time)
        person.track, person.box, person.crop, person.seen = track, box, crop, time
        self._of_track[track] = person
        return person

    def _returned(self, track: int, box: Box, time: float) -> _Person | None:
        """Who was followed as that track, or else left near that place."""
        there = [person for person in self._gone if person.scene == self._scene]
        near = [person for person in there if person.track == track] or [
            person for person in there if _near(person.box, box, time - person.seen)
        ]
        if not near:
            return None
        nearest = min(near, key=lambda person: _distance(person.box, box))
        self._gone.remove(nearest)
        return nearest


def _near(before: Box, box: Box, seconds: float) -> bool:
    grown, reach = box.height / before.height, _QUICK_REACH if seconds <= _QUICK else _REACH
    return 1 / _RESIZED <= grown <= _RESIZED and _distance(before, box) <= reach * before.height


def _distance(first: Box, second: Box) -> float:
    across = (first.x + first.width / 2) - (second.x + second.width / 2)
    down = (first.y + first.height / 2) - (second.y + second.height / 2)
    return float(np.hypot(across, down))

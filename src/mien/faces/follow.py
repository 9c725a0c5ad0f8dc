"""Detection and tracking in video: full-frame detection now and then, tracking by local detection in between.

In between only a region around each tracked face is searched, where its motion predicts it, on at most 128 pixels. So
every frame has fresh boxes and landmarks, at a fraction of the cost of full-frame detection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.faces.detection import Detection, Detector, Rectangle, detected, distinct, shrink
from mien.faces.track import Track, Tracks, advance, iou
from mien.faces.whole_image import WholeImage
from mien.results import Box

SEARCH_INTERVAL: Final = 0.5
"""Seconds between two full-frame detections: a face that enters may go unseen for that long."""

WEAK_SHARE: Final = 2 / 3
"""A tracked face is kept down to this share of the score that a new one needs (hysteresis)."""

_NEAR_REACH: Final = 2.0
_NEAR_SIDE: Final = 128
_NEAR_IOU: Final = 0.2
_COST_FACTOR: Final = 2.0
_EPSILON: Final = 1e-6


class Pace:
    """Schedule of full-frame detections.

    Args:
        every: one in the first frame and in those whose number is a multiple; by default by time, in the first frame of
            every half second. So an excerpt of a video has the same frames searched as the whole one.
        clock: wall clock in seconds, for live sources: the interval is then at least twice what the last full-frame
            detection took, so that they take no more than half of the time.

    Raises:
        UsageError: ``every`` is less than 1.
    """

    def __init__(self, every: int | None = None, clock: Callable[[], float] | None = None) -> None:
        if every is not None and every < 1:
            raise UsageError(f"every is {every}: expected at least 1, the whole picture of every frame")
        self._every, self._clock = every, clock
        self._interval = SEARCH_INTERVAL
        self._last: tuple[int, float] | None = None

    def due(self, number: int, time: float) -> bool:
        """Whether the frame of that number and time (seconds) is to be searched."""
        if self._last is None:
            return True
        if self._every is not None:
            return number // self._every > self._last[0] // self._every
        if self._clock is not None:
            return time - self._last[1] >= self._interval - _EPSILON
        return (time + _EPSILON) // SEARCH_INTERVAL > (self._last[1] + _EPSILON) // SEARCH_INTERVAL

    def restart(self) -> None:
        """Have the next frame searched."""
        self._last = None

    def search(self, detector: Detector, image: NDArray[np.uint8], number: int, time: float) -> list[Detection]:
        """The faces of a whole picture, and a note that it was searched."""
        started = self._clock() if self._clock else 0.0
        found = detected(detector.detect(image))
        if self._clock:
            self._interval = max(SEARCH_INTERVAL, _COST_FACTOR * (self._clock() - started))
        self._last = number, time
        return found


@dataclass(frozen=True, slots=True)
class Followed:
    """What is known of a video after some frames: with it another process may look at the next one.

    Args:
        pace: schedule of full-frame detections.
        tracks: the faces.
        time: of the last frame, seconds.
    """

    pace: Pace
    tracks: Tracks = field(default_factory=Tracks)
    time: float = 0.0


class Follower:
    """The faces of a video with the numbers of their tracks, one frame after the other.

    Args:
        detector: what finds faces; it should give weak ones too, down to `WEAK_SHARE` of ``min_score``.
        min_score: least score of a face that is not followed yet, 0..1.
        pace: schedule of full-frame detections, or what is known of the video already.
    """

    def __init__(self, detector: Detector, min_score: float, pace: Pace | Followed) -> None:
        known = pace if isinstance(pace, Followed) else Followed(pace)
        self._detector, self._min_score, self._pace = detector, min_score, known.pace
        self._tracks, self._time = known.tracks, known.time

    @property
    def followed(self) -> Followed:
        """What is known of the video so far."""
        return Followed(self._pace, self._tracks, self._time)

    def cut(self) -> None:
        """Begin anew, with a search of the whole picture: the next frame shows another scene."""
        self._tracks = replace(self._tracks, alive=())
        self._pace.restart()

    def follow(self, image: NDArray[np.uint8], number: int, time: float) -> list[tuple[Detection, int]]:
        """The faces of the next frame and their tracks.

        Args:
            image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
            number: of the frame, growing.
            time: of the frame in seconds; one before that of the last frame counts as the same moment.
        """
        time = max(time, self._time)
        found = None if self._searches_all(number, time) else self._near(image, time)
        if found is None:
            found = self._pace.search(self._detector, image, number, time)
        weak = [detection for detection in found if detection.score >= WEAK_SHARE * self._min_score]
        self._tracks, owners = advance(self._tracks, time, weak, self._min_score)
        self._time = time
        return [(detection, owner) for detection, owner in zip(weak, owners, strict=True) if owner is not None]

    def _searches_all(self, number: int, time: float) -> bool:
        return isinstance(self._detector, WholeImage) or self._pace.due(number, time)

    def _near(self, image: NDArray[np.uint8], time: float) -> list[Detection] | None:
        """The faces around where the tracks should be; None when one that was there a frame ago is missed."""
        found: list[Detection] = []
        for track in self._tracks.alive:
            detection = _look_near(self._detector, image, track.box_at(time))
            if detection is not None:
                found.append(detection)
            elif self._was_seen(track):
                return None
        return distinct(found)

    def _was_seen(self, track: Track) -> bool:
        return track.seen >= self._time


def _look_near(detector: Detector, image: NDArray[np.uint8], box: Rectangle) -> Detection | None:
    """The face that overlaps a box most, seen in the box's surroundings alone."""
    x, y, width, height = box
    side = _NEAR_REACH * max(width, height)
    left, top = x + (width - side) / 2, y + (height - side) / 2
    region = Box.inside(left, top, side, side, image=(image.shape[0], image.shape[1]))
    if region is None:
        return None
    part = image[region.y : region.y + region.height, region.x : region.x + region.width]
    small = shrink(part, _NEAR_SIDE)
    stretch = part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]
    return _best([_placed(face, stretch, (region.x, region.y)) for face in detected(detector.detect(small))], box)


def _best(faces: Sequence[Detection], box: Rectangle) -> Detection | None:
    overlap = iou([box], [face.box for face in faces])[0]
    return faces[int(overlap.argmax())] if len(faces) and overlap.max() >= _NEAR_IOU else None


def _placed(face: Detection, stretch: tuple[float, float], corner: tuple[int, int]) -> Detection:
    """A face seen in a part of an image that was made smaller, in coordinates of the image."""
    (across, down), (left, top) = stretch, corner
    x, y, width, height = face.box
    box = left + x * across, top + y * down, width * across, height * down
    return Detection(box, face.score, tuple((left + px * across, top + py * down) for px, py in face.landmarks))

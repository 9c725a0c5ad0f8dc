"""Multi-object tracking: stable numbers for the faces of a video.

ByteTrack's assignment in two stages (Zhang et al., arXiv 2110.06864) with a constant-velocity motion model. There is no
re-identification: a face that was away for longer than `MAX_LOST` gets a new number. States are values; `advance`
gives the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mien.faces.detection import Detection, Rectangle

MAX_LOST: Final = 1.0
"""Seconds after which a face that is not found any more is given up."""

_LEAST_IOU: Final = 0.2
_LEAST_IOU_WEAK: Final = 0.5
_FORESIGHT: Final = 0.3
_GAIN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Track:
    """One face followed through time.

    Args:
        number: its identity, from 1, never given twice.
        box: where it was found last, (x, y, width, height) in pixels.
        velocity: of its centre, pixels a second.
        seen: when it was found last, seconds.
        sightings: how often it was found.
    """

    number: int
    box: Rectangle
    seen: float
    velocity: tuple[float, float] = (0.0, 0.0)
    sightings: int = 1

    def box_at(self, time: float) -> Rectangle:
        """Where the face should be; it is taken to move on for 0.3 s after it was found, then to stand still."""
        ahead = min(max(0.0, time - self.seen), _FORESIGHT)
        x, y, width, height = self.box
        return x + ahead * self.velocity[0], y + ahead * self.velocity[1], width, height


@dataclass(frozen=True, slots=True)
class Tracks:
    """All faces followed at a moment, and the number that the next one gets."""

    alive: tuple[Track, ...] = ()
    next_number: int = 1


def advance(
    tracks: Tracks, time: float, detections: Sequence[Detection], min_score: float
) -> tuple[Tracks, list[int | None]]:
    """The state after one more frame, and whose face each detection is.

    Good detections are assigned first, to all tracks; weak ones then go to the tracks that found none. A good detection
    that belongs to nobody begins a track. A track ends when it is not found in the frame after its first, or for longer
    than `MAX_LOST`.

    Args:
        tracks: the state so far.
        time: of this frame, seconds; not before that of the frame before.
        detections: the faces of this frame.
        min_score: of good detections, 0..1; weaker ones only continue tracks.

    Returns:
        The next state, and for each detection the number of its track, None for a weak one that continues none.
    """
    known = [track for track in tracks.alive if time - track.seen <= MAX_LOST]
    matches = _matches(known, time, detections, min_score)
    alive = [
        _moved(track, time, detections[matches[index]]) if index in matches else track
        for index, track in enumerate(known)
        if index in matches or track.sightings > 1
    ]
    owners: list[int | None] = [None] * len(detections)
    for index, found in matches.items():
        owners[found] = known[index].number
    number = tracks.next_number
    for found, detection in enumerate(detections):
        if owners[found] is None and detection.score >= min_score:
            owners[found] = number
            alive.append(Track(number, detection.box, time))
            number += 1
    return Tracks(tuple(alive), number), owners


def _matches(tracks: Sequence[Track], time: float, detections: Sequence[Detection], min_score: float) -> dict[int, int]:
    """Index of the detection by index of the track, for those that belong together."""
    overlap = iou([track.box_at(time) for track in tracks], [detection.box for detection in detections])
    good = [found for found, detection in enumerate(detections) if detection.score >= min_score]
    weak = [found for found, detection in enumerate(detections) if detection.score < min_score]
    first = _pair(overlap, range(len(tracks)), good, _LEAST_IOU)
    left = [index for index in range(len(tracks)) if index not in first]
    return first | _pair(overlap, left, weak, _LEAST_IOU_WEAK)


def _pair(overlap: NDArray[np.float64], rows: Sequence[int], columns: Sequence[int], least: float) -> dict[int, int]:
    """The one-to-one assignment of rows to columns of the largest sum, pairs that overlap too little left out."""
    part = overlap[np.ix_(rows, columns)]
    part = np.where(part >= least, part, 0.0)
    return {rows[row]: columns[column] for row, column in assign(-part) if part[row, column] > 0}


def _moved(track: Track, time: float, detection: Detection) -> Track:
    """A track that was found again; its velocity follows what was seen by half."""
    passed = time - track.seen
    if passed <= 0:
        return replace(track, box=detection.box, sightings=track.sightings + 1)
    steps = zip(_centre(track.box), _centre(detection.box), track.velocity, strict=True)
    gain = 1.0 if track.sightings == 1 else _GAIN
    across, down = (before + gain * ((end - start) / passed - before) for start, end, before in steps)
    return Track(track.number, detection.box, time, (across, down), track.sightings + 1)


def _centre(box: Rectangle) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def iou(boxes: Sequence[Rectangle], others: Sequence[Rectangle]) -> NDArray[np.float64]:
    """Intersection over union of each of N boxes (x, y, width, height) with each of M others: (N, M), 0..1."""
    first, second = (np.asarray(some, np.float64).reshape(-1, 4) for some in (boxes, others))
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - shared
    return np.asarray(np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0))


def assign(cost: NDArray[Any]) -> list[tuple[int, int]]:
    """The pairs (row, column) of a one-to-one assignment of least total cost, min(N, M) of them, ordered by row.

    The Hungarian method with shortest augmenting paths (Jonker and Volgenant, 1987). It does what scipy's
    ``linear_sum_assignment`` does, for the faces of a frame, without scipy's 100 MB.

    Args:
        cost: finite numbers (N, M).
    """
    rows, columns = cost.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(cost.T))
    prices = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.intp)  # row of each column, both from 1; 0 is nobody
    for row in range(1, rows + 1):
        owner[0] = row
        _give_column(cost, owner, *prices)
    return sorted((int(row) - 1, column) for column, row in enumerate(owner[1:]) if row)


def _give_column(
    cost: NDArray[Any], owner: NDArray[np.intp], row_price: NDArray[np.float64], column_price: NDArray[np.float64]
) -> None:
    """Give the row ``owner[0]`` a column by the cheapest chain of changes; owners and prices change in place."""
    distance = np.full(len(owner), np.inf)
    previous = np.zeros(len(owner), np.intp)
    reached = np.zeros(len(owner), bool)
    column = 0
    while owner[column] or not column:
        reached[column] = True
        row = owner[column]
        slack = np.append(np.inf, cost[row - 1] - row_price[row] - column_price[1:])
        nearer = ~reached & (slack < distance)
        distance[nearer], previous[nearer] = slack[nearer], column
        nearest = int(np.where(reached, np.inf, distance).argmin())
        step = distance[nearest]
        row_price[owner[reached]] += step
        column_price[reached] -= step
        distance[~reached] -= step
        column = nearest
    while column:
        owner[column] = owner[previous[column]]
        column = int(previous[column])

"""Zero-phase smoothing of expressions in files: as much before a moment counts as after it, so that nothing moves.

A causal mean lags behind what it follows: with a time constant of half a second an onset comes half a second late. The
mean of as many readings before as after does not, where both expressions are equally strong; where one is stronger, it
seems to last longer at the other's cost. So the mean says which expressions follow each other, and the readings say
when one takes over from the other. All this has to wait for what comes after (fixed lag): time constant and
three quarters, by which frames are given later.
"""

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.output.recognized import Recognized
from mien.probabilities import Probabilities
from mien.recognition.smoothing import FORGET, MARGIN, TIME_CONSTANT
from mien.results import Face

_HOLE: Final = 0.5
"""Seconds without a reading of somebody beyond which no mean reaches."""

_FORESIGHT: Final = 0.25
"""Share of the time constant for which the next expression is looked at before it is named."""

_ROOM: Final = 0.5
"""Share of the time constant by which a change of the mean may be moved to where the readings change."""

_EPSILON: Final = 1e-9

Readings = NDArray[np.float64]


@dataclass(slots=True)
class _Person:
    """Readings of one track that are still needed, and the expression named last."""

    readings: deque[tuple[float, Readings]] = field(default_factory=deque)
    label: int | None = None
    changes: deque[tuple[float, int]] = field(default_factory=deque)
    """When which expression begins, the one shown now first."""

    def begins(self, label: int, time: float, room: float) -> None:
        """Note that the mean goes over to an expression at a time."""
        if self.label is not None and self.label != label:
            earliest = max(time - room, self.changes[-1][0] + _EPSILON)
            near = [reading for reading in self.readings if earliest <= reading[0] <= time + room + _EPSILON]
            time = _change(near, self.label, label, time)
        if self.label != label:
            self.changes.append((time, label))
        self.label = label

    def shown(self, time: float) -> int:
        """The expression at a time, no earlier than the last one asked for."""
        while len(self.changes) > 1 and self.changes[1][0] <= time + _EPSILON:
            self.changes.popleft()
        return self.changes[0][1]


@dataclass(slots=True)
class _Steadied:
    """An image and the smoothed probabilities of its faces, by track."""

    seen: Recognized
    means: dict[int, Readings]

    @property
    def time(self) -> float:
        return self.seen.frame.time or 0.0


class Symmetric:
    """Smooths the faces of one video, track by track.

    The weight of a reading at a distance of t seconds is exp(-2 |t| / time_constant), up to the time constant. It takes
    away nearly as much noise as a causal mean exp(-t / time_constant) does. Near the first and the last reading of a
    track the mean reaches as far to both sides as there are readings on both. Another expression is named when it
    leads, if it soon leads by the margin (hysteresis): from the reading near by on that parts best those in which it is
    likelier than the one before from those in which it is not.

    Args:
        time_constant: seconds, more than 0.
        margin: probability by which another expression must lead before it is named.
    """

    def __init__(self, time_constant: float = TIME_CONSTANT, margin: float = MARGIN) -> None:
        self._reach, self._margin = time_constant, margin
        self._foresight, self._room = _FORESIGHT * time_constant, _ROOM * time_constant
        self._people: dict[int, _Person] = {}
        self._waiting: deque[Recognized] = deque()
        self._steadied: deque[_Steadied] = deque()
        self._decided: deque[_Steadied] = deque()

    def steadied(self, images: Iterable[Recognized]) -> Generator[Recognized, None, None]:
        """The same images, later, with smoothed faces. When reading fails, what was read comes before the error."""
        try:
            for seen in images:
                self._note(seen)
                yield from self._ready((seen.frame.time or 0.0) - self._reach)
        except Exception:
            yield from self._ready(math.inf)
            raise
        yield from self._ready(math.inf)

    def _note(self, seen: Recognized) -> None:
        self._waiting.append(seen)
        for face in seen.frame.faces:
            if face.track is not None:
                values = np.array(list(face.probabilities.values()))
                self._people.setdefault(face.track, _Person()).readings.append((seen.frame.time or 0.0, values))

    def _ready(self, until: float) -> Iterator[Recognized]:
        """The images up to a time, all readings around which are known."""
        while self._waiting and (self._waiting[0].frame.time or 0.0) <= until + _EPSILON:
            seen = self._waiting.popleft()
            time = seen.frame.time or 0.0
            tracks = {face.track for face in seen.frame.faces if face.track is not None}
            means = {track: _mean(self._people[track].readings, time, self._reach) for track in tracks}
            self._steadied.append(_Steadied(seen, means))
        ended = until == math.inf
        while self._steadied and (ended or _reaches(self._steadied, self._foresight)):
            self._decide()
        while self._decided and (ended or _reaches(self._decided, self._room)):
            yield self._named()

    def _decide(self) -> None:
        """Find out which expressions the means of the first image that waits for it go over to."""
        place = self._steadied[0]
        soon = [later for later in islice(self._steadied, 1, None) if later.time <= place.time + self._foresight]
        for track, mean in place.means.items():
            person = self._people[track]
            following = (later.means[track] for later in soon if track in later.means)
            person.begins(_label(mean, following, person.label, self._margin), place.time, self._room)
        self._decided.append(self._steadied.popleft())

    def _named(self) -> Recognized:
        """The first image that waits for names, with them."""
        first = self._decided.popleft()
        faces = tuple(self._face(face, first) for face in first.seen.frame.faces)
        self._forget(first.time)
        return replace(first.seen, frame=replace(first.seen.frame, faces=faces))

    def _face(self, face: Face, place: _Steadied) -> Face:
        if face.track is None:
            return face
        names = tuple(face.probabilities)
        steady = Probabilities.of(place.means[face.track].tolist(), names)
        return replace(face, probabilities=steady, steady=names[self._people[face.track].shown(place.time)])

    def _forget(self, time: float) -> None:
        """Drop the readings that no later mean reaches, and people who are gone."""
        for track, person in list(self._people.items()):
            while len(person.readings) > 1 and person.readings[0][0] < time - self._reach - _HOLE:
                person.readings.popleft()
            if person.readings[-1][0] < time - FORGET:
                del self._people[track]


def _reaches(places: Sequence[_Steadied], seconds: float) -> bool:
    """Whether the last of some images comes so much later than the first."""
    return places[-1].time - places[0].time >= seconds - _EPSILON


def _mean(readings: Sequence[tuple[float, Readings]], time: float, reach: float) -> Readings:
    """The weighted mean of the readings around a time, as far to one side as to the other."""
    times = np.array([when for when, _ in readings])
    holes = np.flatnonzero(np.diff(times) > _HOLE) + 1
    here = int(np.searchsorted(times, time - _EPSILON))
    first = holes[holes <= here].max(initial=0)
    last = holes[holes > here].min(initial=len(times))
    distances = np.abs(times[first:last] - time)
    inside = distances <= min(reach, distances[0], distances[-1]) + _EPSILON
    weights = np.where(inside, np.exp(-2 * distances / reach), 0.0)
    values = np.array([value for _, value in islice(readings, int(first), int(last))])
    return np.asarray(weights @ values / weights.sum())


def _label(mean: Readings, following: Iterable[Readings], shown: int | None, margin: float) -> int:
    """The expression to name: another than the one shown when it leads, and will lead by the margin before it falls
    back.
    """
    best = int(mean.argmax())
    if shown is None or best == shown or mean[best] - mean[shown] > margin:
        return best
    for later in following:
        lead = later[best] - later[shown]
        if lead > margin:
            return best
        if lead <= 0:
            break
    return shown


def _change(readings: Sequence[tuple[float, Readings]], before: int, after: int, time: float) -> float:
    """The time of the reading that parts best those in which one expression is likelier from those in which another is.

    How much likelier does not count, so that a strong expression does not outlast its own readings. Among equals it is
    the one nearest to `time`, which is returned where there are no readings.
    """
    if not readings:
        return time
    signs = np.array([np.sign(values[after] - values[before]) for _, values in readings])
    scores = signs.sum() - 2 * np.concatenate([[0.0], np.cumsum(signs[:-1])])
    best = [when for (when, _), score in zip(readings, scores, strict=True) if score == scores.max()]
    return min(best, key=lambda when: abs(when - time))

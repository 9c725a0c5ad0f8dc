"""Causal temporal smoothing of expressions, separately for every track of a video.

`mode` is the majority vote of the last labels; `ema` is an exponential moving average in time, so that it means the
same at any frame rate. With hysteresis: the named expression changes only when another one leads by a margin.
For files: `mien.recognition.symmetric`.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.choices import SMOOTHINGS
from mien.defaults import DEFAULT_SMOOTHING
from mien.errors import UsageError
from mien.given import real, shown
from mien.probabilities import Probabilities
from mien.results import Face, Frame

WINDOW: Final = 10
"""Labels that `mode` looks back on."""

TIME_CONSTANT: Final = 0.5
"""Seconds after which `ema` has followed a change by 63 %."""

MARGIN: Final = 0.1
"""Hysteresis: probability by which another expression must lead before `ema` names it."""

FORGET: Final = 5.0
"""Seconds after which somebody who is not seen any more is forgotten."""

Readings = NDArray[np.float64]


class Smoothing(ABC):
    """Steadies the expression of one person over time; one of your own is a subclass with `update`.

    An object is made for every person of a video, so it may keep what it needs between readings.
    """

    margin: float = 0.0
    """Probability by which another expression must be ahead before it is named; 0: by anything."""

    @abstractmethod
    def update(self, probabilities: Readings, time: float) -> Readings:
        """Steadied probabilities (C,) of at least 0, sum 1, after one more reading (C,) at a time in seconds."""


class Mode(Smoothing):
    """Majority vote: shares of the last labels, of which the likeliest is their mode.

    Args:
        window: how many labels, at least 1.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self._labels: deque[int] = deque(maxlen=window)

    def update(self, probabilities: Readings, time: float) -> Readings:
        self._labels.append(int(probabilities.argmax()))
        return np.bincount(self._labels, minlength=len(probabilities)) / len(self._labels)


class Exponential(Smoothing):
    """An exponential moving average of the probabilities.

    Args:
        time_constant: seconds, more than 0.
        margin: see `Smoothing`.
    """

    def __init__(self, time_constant: float = TIME_CONSTANT, margin: float = MARGIN) -> None:
        self.margin = margin
        self._time_constant = time_constant
        self._last: tuple[Readings, float] | None = None

    def update(self, probabilities: Readings, time: float) -> Readings:
        if self._last is not None:
            before, then = self._last
            kept = math.exp(-max(0.0, time - then) / self._time_constant)
            probabilities = kept * before + (1 - kept) * probabilities
        self._last = probabilities, time
        return probabilities


MakeSmoothing = Callable[[], Smoothing]

SYMMETRIC: Final = "symmetric"
CAUSAL: Final = "ema"
"""What ``auto`` is for live sources."""
TIMED: Final = (DEFAULT_SMOOTHING, SYMMETRIC, CAUSAL)
"""Smoothings that have a time constant."""

_SMOOTHINGS: Final[dict[str, Callable[[float], MakeSmoothing | None]]] = {
    DEFAULT_SMOOTHING: lambda seconds: partial(Exponential, seconds),
    SYMMETRIC: lambda seconds: partial(Exponential, seconds),
    CAUSAL: lambda seconds: partial(Exponential, seconds),
    "mode": lambda _: Mode,
    "none": lambda _: None,
}


@dataclass(slots=True)
class _Person:
    smoothing: Smoothing
    label: str | None = None
    seen: float = 0.0


class Smoother:
    """Steadies the faces of a live source's frames, given in order; each track by itself, faces without one not at all.

    Args:
        smooth: one of `mien.choices.SMOOTHINGS`, or what makes a `Smoothing` for a new person, such as its class.
            ``auto`` is ``ema``.
        time_constant: seconds, more than 0, of ``auto`` and ``ema``; None: `TIME_CONSTANT`.

    Raises:
        UsageError: another name, something else, a value out of range, or ``symmetric``, which looks ahead.
    """

    def __init__(self, smooth: str | MakeSmoothing, time_constant: float | None = None) -> None:
        time_constant = check_smoothing(smooth, time_constant)
        if smooth == SYMMETRIC:
            raise UsageError("smoothing symmetric looks ahead, which a live source does not allow: use auto or ema")
        self._make = smooth if callable(smooth) else _SMOOTHINGS[smooth](time_constant or TIME_CONSTANT)
        self._people: dict[int, _Person] = {}

    def smooth(self, frame: Frame) -> Frame:
        """The frame with steadied probabilities and expressions."""
        if self._make is None:
            return frame
        time = frame.time or 0.0
        faces = tuple(self._steadied(face, time, self._make) for face in frame.faces)
        self._people = {number: person for number, person in self._people.items() if time - person.seen <= FORGET}
        return replace(frame, faces=faces)

    def _steadied(self, face: Face, time: float, make: MakeSmoothing) -> Face:
        if face.track is None:
            return face
        person = self._people.setdefault(face.track, _Person(make()))
        before = np.array(list(face.probabilities.values()))
        steady = Probabilities.of(np.asarray(person.smoothing.update(before, time)).tolist(), face.probabilities)
        person.label = _label(steady, person.label, person.smoothing.margin)
        person.seen = time
        return replace(face, probabilities=steady, steady=person.label)


def check_smoothing(smooth: object, time_constant: object) -> float | None:
    """Refuse a smoothing that there is not; its time constant.

    Args:
        smooth: one of `mien.choices.SMOOTHINGS`, or what makes a `Smoothing`.
        time_constant: seconds, more than 0, where the smoothing has one.

    Raises:
        UsageError: another name, something else, a value out of range, or a time constant that would change nothing.
    """
    if not callable(smooth) and (not isinstance(smooth, str) or smooth not in _SMOOTHINGS):
        known = ", ".join(SMOOTHINGS)
        raise UsageError(f"unknown smoothing {shown(smooth)}: expected one of {known}, or a subclass of mien.Smoothing")
    if time_constant is None:
        return None
    seconds = real("time_constant", time_constant, "seconds above 0", lambda number: 0 < number < math.inf)
    if smooth not in TIMED:
        raise UsageError(f"time_constant is for smoothing {', '.join(TIMED)}: leave it out")
    return seconds


def _label(probabilities: Probabilities, shown: str | None, margin: float) -> str:
    """The expression to name: the one shown so far unless another is ahead by more than the margin."""
    best = max(probabilities, key=probabilities.__getitem__)
    if shown is not None and probabilities[best] - probabilities[shown] <= margin:
        return shown
    return best

"""Expressions steadied over time, for every person of a video apart.

`mode` is what S3 did, with one window for each track instead of one for all faces; `ema` knows time, so that it means
the same at any frame rate. The expression that is named changes only when another one is clearly ahead.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.labels import EMOTIONS
from mien.results import Face, Frame

WINDOW: Final = 10
"""Labels that `mode` looks back on."""

TIME_CONSTANT: Final = 0.5
"""Seconds after which `ema` has followed a change by 63 %."""

MARGIN: Final = 0.1
"""Probability by which another expression must be ahead before `ema` names it."""

_FORGET: Final = 5.0

Probabilities = NDArray[np.float64]


class Memory(Protocol):
    """What is remembered of one person."""

    margin: float
    """By how much another expression must be ahead before it is named; 0: by anything."""

    def update(self, probabilities: Probabilities, time: float) -> Probabilities:
        """Steadied probabilities (7,), sum 1, after one more reading at a time in seconds."""
        ...


class Mode:
    """Shares of the last labels: the likeliest is their mode. Sources: S3, 10 labels.

    Args:
        window: how many labels, at least 1.
    """

    margin = 0.0

    def __init__(self, window: int = WINDOW) -> None:
        self._labels: deque[int] = deque(maxlen=window)

    def update(self, probabilities: Probabilities, time: float) -> Probabilities:
        self._labels.append(int(probabilities.argmax()))
        return np.bincount(self._labels, minlength=len(EMOTIONS)) / len(self._labels)


class Exponential:
    """An exponential moving average of the probabilities.

    Args:
        time_constant: seconds, more than 0.
        margin: see `Memory`.
    """

    def __init__(self, time_constant: float = TIME_CONSTANT, margin: float = MARGIN) -> None:
        self.margin = margin
        self._time_constant = time_constant
        self._last: tuple[Probabilities, float] | None = None

    def update(self, probabilities: Probabilities, time: float) -> Probabilities:
        if self._last is not None:
            before, then = self._last
            kept = math.exp(-max(0.0, time - then) / self._time_constant)
            probabilities = kept * before + (1 - kept) * probabilities
        self._last = probabilities, time
        return probabilities


_MEMORIES: Final[dict[str, Callable[[], Memory] | None]] = {"none": None, "mode": Mode, "ema": Exponential}

SMOOTHINGS: Final = tuple(_MEMORIES)
"""Names that `Smoother.named` knows."""


@dataclass(slots=True)
class _Person:
    memory: Memory
    label: str | None = None
    seen: float = 0.0


class Smoother:
    """Steadies the faces of a video's frames, given in order; each track by itself, faces without one not at all.

    Args:
        memory: makes what is remembered of a new person; None leaves every face as it is.
    """

    def __init__(self, memory: Callable[[], Memory] | None) -> None:
        self._memory = memory
        self._people: dict[int, _Person] = {}

    @classmethod
    def named(cls, name: str) -> "Smoother":
        """The smoother called ``none``, ``mode`` or ``ema``.

        Raises:
            UsageError: another name.
        """
        if name not in _MEMORIES:
            raise UsageError(f"unknown smoothing {name!r}: expected one of {', '.join(SMOOTHINGS)}")
        return cls(_MEMORIES[name])

    def smooth(self, frame: Frame) -> Frame:
        """The frame with steadied probabilities and expressions."""
        if self._memory is None:
            return frame
        time = frame.time or 0.0
        faces = tuple(self._steadied(face, time, self._memory) for face in frame.faces)
        self._people = {number: person for number, person in self._people.items() if time - person.seen <= _FORGET}
        return replace(frame, faces=faces)

    def _steadied(self, face: Face, time: float, memory: Callable[[], Memory]) -> Face:
        if face.track is None:
            return face
        person = self._people.setdefault(face.track, _Person(memory()))
        probabilities = person.memory.update(np.array(face.probabilities), time)
        person.label = _label(probabilities, person.label, person.memory.margin)
        person.seen = time
        return replace(face, probabilities=tuple(probabilities.tolist()), steady=person.label)


def _label(probabilities: Probabilities, shown: str | None, margin: float) -> str:
    """The expression to name: the one shown so far unless another is ahead by more than the margin."""
    best = int(probabilities.argmax())
    if shown is not None and probabilities[best] - probabilities[EMOTIONS.index(shown)] <= margin:
        return shown
    return EMOTIONS[best]

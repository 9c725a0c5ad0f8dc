"""One clock for a stream whose time stamps jump: seconds from a beginning, never falling."""

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Final

_SLACK: Final = Fraction(1, 10)
"""Seconds, or three frames if that is more, by which a stamp may lie behind before it is a jump, as FFmpeg has it."""

_LEAP: Final = Fraction(10)
_LONGEST_GAP: Final = Fraction(600)
"""Seconds without a frame that are a jump: where a format lets its clock jump, as FFmpeg has it, and elsewhere."""

_TICK: Final = Fraction(1, 2000)
"""Seconds, or a hundredth of a frame if that is less, that are no progress: some writers add it to a still clock."""

_STANDSTILL: Final = 3
"""Frames at one stamp that are said."""

_REMEMBERED: Final = 9
_ENOUGH: Final = 3
"""Differences of which the median is the frame rate."""


class Clock:
    """Times from the time stamps of a stream, in order.

    Where the stamps jump back, leap ahead or stand still, the times go on by the frame rate. It is the median of the
    last differences, so that a jump does not change it.

    Args:
        step: seconds between two frames, by the header; used until differences are known.
        jumps: whether the format lets its clock jump (MPEG-TS, MPEG program streams).
        origin: stamp whose time is 0; None: the first.
        tick: of sound: seconds between two stamps that can be told apart, so that shorter packets share some. Its times
            may fall by a tenth of a second, for parsers guess its stamps between those of the file.
        warn: takes one sentence about each jump.
    """

    def __init__(
        self,
        step: Fraction,
        *,
        jumps: bool = False,
        origin: Fraction | None = None,
        tick: Fraction | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.origin = origin
        self.shift = -origin if origin is not None else Fraction(0)
        """What is added to a stamp now."""
        self._nominal, self._tick, self._warn = step, tick, warn
        self._leap = _LEAP if jumps else _LONGEST_GAP
        self._steps: deque[Fraction] = deque(maxlen=_REMEMBERED)
        self._time = self._stamp = None  # type: Fraction | None
        self._still = 0

    def time(self, stamp: Fraction | None) -> Fraction:
        """The time of the next frame, seconds.

        Args:
            stamp: seconds by the stream's clock; None where it has none.
        """
        if stamp is not None and self.origin is None:
            self.origin = stamp
            self.shift = (Fraction(0) if self._time is None else self._next(self._time)) - stamp
        expected = stamp + self.shift if stamp is not None else None
        if self._time is None:
            time = expected if expected is not None else Fraction(0)
        else:
            time = self._after(self._time, stamp, expected)
        self._time, self._stamp = time, stamp if stamp is not None else self._stamp
        return time

    def _after(self, last: Fraction, stamp: Fraction | None, expected: Fraction | None) -> Fraction:
        if stamp is None or expected is None:
            return self._next(last)
        step = expected - last
        if self._stamp is not None and self._is_still(stamp - self._stamp):
            if self._tick is not None and self._step() <= self._tick:
                return expected
            self._stands_still(stamp)
            return self._next(last)
        if self._tick is not None and -_SLACK < step <= 0:
            return expected
        if step > 0 and (step <= self._leap or step <= 10 * self._step()):
            self._steps.append(step)
            self._still = 0
            return expected
        return self._jumped(stamp, expected, self._next(last))

    def _jumped(self, stamp: Fraction, expected: Fraction, time: Fraction) -> Fraction:
        """Go on at a time; what lies behind by a few frames only is expected to catch up."""
        if abs(time - expected) > max(_SLACK, 3 * self._step()):
            if self._still < _STANDSTILL:  # else it was said
                way = "back" if expected < time else "ahead"
                self._warn(f"jumps {way} from {float(self._stamp or 0):.2f} s to {float(stamp):.2f} s")
            self.shift += time - expected
        self._still = 0
        return time

    def _is_still(self, progress: Fraction) -> bool:
        return 0 <= progress < _TICK and progress < self._step() / 100

    def _stands_still(self, stamp: Fraction) -> None:
        self._still += 1
        if self._still == _STANDSTILL:
            self._warn(f"stands still at {float(stamp):.2f} s")

    def _step(self) -> Fraction:
        return sorted(self._steps)[len(self._steps) // 2] if len(self._steps) >= _ENOUGH else self._nominal

    def _next(self, last: Fraction) -> Fraction:
        return last + self._step()

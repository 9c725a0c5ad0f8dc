"""Frame noise of a video: answers that change from one frame to the next although the face does not."""

from dataclasses import dataclass
from typing import Any

from mien.results import Face


@dataclass(frozen=True, slots=True)
class FrameNoise:
    """How often answers changed without a change of the face.

    Args:
        pairs: of successive frames in which the face looks the same.
        before: share of them, 0..1, in which the answer to the frame alone changed; None without pairs.
        after: share in which the smoothed answer changed; likewise.
    """

    pairs: int
    before: float | None
    after: float | None


@dataclass(slots=True)
class NoiseMeter:
    """Counts for one person while frames come."""

    pairs: int = 0
    before: int = 0
    after: int = 0
    last: tuple[str, str] | None = None

    def see(self, face: Face) -> None:
        """Take in the person's face in the next frame."""
        if face.moment is None:
            return
        answers = face.moment.emotion, face.emotion
        if face.moment.still and self.last is not None:
            self.pairs += 1
            self.before += answers[0] != self.last[0]
            self.after += answers[1] != self.last[1]
        self.last = answers

    def noise(self) -> FrameNoise:
        """What came of it."""
        shares: tuple[Any, ...] = (self.before / self.pairs, self.after / self.pairs) if self.pairs else (None, None)
        return FrameNoise(self.pairs, *shares)

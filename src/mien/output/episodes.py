"""Episodes: the stretches of a video during which a person showed one expression."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from mien.given import keep, real, share
from mien.output.followed_faces import FollowedFaces, Sight, each_frame
from mien.results import Frame

GAP: Final = 1.0
"""Seconds for which somebody may be out of sight without an episode ending."""

_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of time during which a person showed one expression.

    Args:
        person: number of the person, as `Face.track`.
        emotion: name of the expression.
        onset: time of its first frame, seconds from the start of the video.
        apex: time of the frame in which it was likeliest, seconds; the first of several.
        offset: time of the first frame that shows something else, seconds; at the end of what was seen, when the last
            frame ends.
        mean_probability: of the expression over the frames of the stretch, 0..1.
        peak_probability: at the apex, 0..1.
    """

    person: int
    emotion: str
    onset: float
    apex: float
    offset: float
    mean_probability: float
    peak_probability: float

    @property
    def duration(self) -> float:
        """How long it lasted, seconds."""
        return self.offset - self.onset

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, in the order of the columns of tables."""
        numbers = ("onset", "apex", "offset", "duration", "mean_probability", "peak_probability")
        values = {name: round(getattr(self, name), _DIGITS) for name in numbers}
        return {"person": self.person, "emotion": self.emotion, **values}


@dataclass(slots=True)
class _Stretch:
    """An episode that lasts."""

    emotion: str
    onset: float
    apex: float
    offset: float
    peak: float = -1.0
    total: float = 0.0
    frames: int = 0

    def see(self, probability: float, start: float, end: float) -> None:
        self.offset, self.total, self.frames = end, self.total + probability, self.frames + 1
        if probability > self.peak:
            self.peak, self.apex = probability, start

    def ended(self, person: int) -> Episode:
        mean = self.total / self.frames
        return Episode(person, self.emotion, self.onset, self.apex, self.offset, mean, self.peak)


@dataclass(frozen=True, slots=True)
class EpisodeLimits:
    """Which stretches are episodes.

    Args:
        min_probability: frames in which the expression is less probable belong to no episode, 0..1.
        min_seconds: shorter ones are left out, at least 0.

    Raises:
        UsageError: a value out of range.
    """

    min_probability: float = 0.0
    min_seconds: float = 0.0

    def __post_init__(self) -> None:
        least = "the least duration of an episode"
        keep(
            self,
            min_probability=share("the least probability of an episode", self.min_probability),
            min_seconds=real(least, self.min_seconds, "seconds, at least 0", lambda seconds: 0 <= seconds < inf),
        )


class EpisodeFinder:
    """Finds the episodes of a video while its frames come, in memory that grows with episodes, not with frames.

    How long a frame lasts, `FollowedFaces` says. Expressions that are not certain (see `Face.certain`) belong to no
    episode.

    Args:
        limits: which stretches are episodes.
    """

    def __init__(self, limits: EpisodeLimits | None = None) -> None:
        self._limits = limits or EpisodeLimits()
        self._faces = FollowedFaces()
        self._lasting: dict[int, _Stretch] = {}
        self._ended: list[Episode] = []

    def add(self, frame: Frame) -> None:
        """Take in the next frame of the same video."""
        self.see(self._faces.before(frame))

    def finish(self) -> list[Episode]:
        """All episodes, by their onsets; call it once, at the end."""
        self.see(self._faces.before(None))
        for person in tuple(self._lasting):
            self._end(person)
        return sorted(self._ended, key=lambda episode: (episode.onset, episode.person))

    def see(self, sights: Iterable[Sight]) -> None:
        """Take in what frames show, for those who follow the faces themselves, instead of `add`."""
        for person, face, start, end in sights:
            shows = face.certain and face.probability >= self._limits.min_probability
            lasting = self._lasting.get(person)
            if lasting is not None and (not shows or lasting.emotion != face.emotion or start - lasting.offset > GAP):
                self._end(person)
            if shows:
                stretch = self._lasting.setdefault(person, _Stretch(face.emotion, start, start, start))
                stretch.see(face.probability, start, end)

    def _end(self, person: int) -> None:
        episode = self._lasting.pop(person).ended(person)
        if episode.duration >= self._limits.min_seconds - 1e-9:
            self._ended.append(episode)


def find_episodes(frames: Iterable[Frame], *, min_probability: float = 0.0, min_seconds: float = 0.0) -> list[Episode]:
    """The episodes of a video, by their onsets: ``find_episodes(recognizer.stream("clip.mp4"))``.

    Args:
        frames: of one video, in order.
        min_probability: frames in which the expression is less probable belong to no episode, 0..1.
        min_seconds: shorter episodes are left out, at least 0.

    Raises:
        UsageError: a value out of range, or something else than frames.

    Example:
        >>> import mien
        >>> smile = mien.Face(mien.Box(0, 0, 60, 70), 0.9, {"happy": 0.8, "other": 0.2}, track=1)
        >>> frames = [mien.Frame("clip.mp4", n, n / 4, 640, 480, (smile,)) for n in range(8)]
        >>> (episode,) = mien.find_episodes(frames)
        >>> episode.emotion, episode.onset, episode.offset
        ('happy', 0.0, 2.0)
    """
    finder = EpisodeFinder(EpisodeLimits(min_probability, min_seconds))
    for frame in each_frame(frames):
        finder.add(frame)
    return finder.finish()

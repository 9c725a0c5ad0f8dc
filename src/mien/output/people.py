"""What a whole video showed: each person summed up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from mien.errors import InputError
from mien.files import write_text
from mien.output.episodes import Episode, EpisodeFinder
from mien.output.followed_faces import FollowedFaces, Sight, each_frame
from mien.output.frame_noise import FrameNoise, NoiseMeter
from mien.output.recognized import Recognized
from mien.output.sink import Sink, finished
from mien.results import Frame, Header
from mien.toml_json import to_json

LONGEST: Final = 3
"""Episodes that a summary names for each person."""


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """One person of a video.

    Args:
        track: the person's number.
        start, end: when the face was seen first and last, seconds.
        seconds: for how long it was seen.
        frames: in how many frames.
        shares: of ``seconds`` in which each of the model's classes was shown; with ``uncertain`` their sum is 1.
        uncertain: share of ``seconds`` in which no expression was certain (see `Face.certain`).
        changes: how often the expression changed from one to another; what is not certain is passed over.
        longest: the longest episodes, longest first.
        noise: how often answers changed although the face did not.
    """

    track: int
    start: float
    end: float
    seconds: float
    frames: int
    shares: dict[str, float]
    uncertain: float
    changes: int
    longest: tuple[Episode, ...]
    noise: FrameNoise

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        spans = [{"emotion": one.emotion, "start": one.onset, "end": one.offset} for one in self.longest]
        return asdict(self) | {"longest": spans}


@dataclass(slots=True)
class _Record:
    """What is kept of a person while frames come."""

    start: float
    seconds: dict[str, float]
    uncertain: float = 0.0
    frames: int = 0
    changes: int = 0
    certain: str | None = None
    until: float = 0.0
    noise: NoiseMeter = field(default_factory=NoiseMeter)

    def see(self, emotion: str | None, start: float, end: float) -> None:
        """The expression from the time of one frame to that of the next; None: no expression is certain."""
        self.until = end
        self.frames += 1
        if emotion is None:
            self.uncertain += end - start
        else:
            self.changes += self.certain not in {None, emotion}
            self.certain = emotion
            self.seconds[emotion] = self.seconds.get(emotion, 0.0) + (end - start)  # of frames of several models


class Summary:
    """Sums up the people of a video while its frames come, in memory that grows with changes, not with frames."""

    def __init__(self) -> None:
        self._records: dict[int, _Record] = {}
        self._episodes, self._faces = EpisodeFinder(), FollowedFaces()

    def add(self, frame: Frame) -> None:
        """Take in the next frame of the same video."""
        self._see(self._faces.before(frame))

    def tracks(self) -> list[TrackSummary]:
        """Everybody who was followed, in the order of their numbers; call it once, at the end."""
        self._see(self._faces.before(None))
        episodes = sorted(self._episodes.finish(), key=lambda episode: -episode.duration)
        return [
            _summed_up(track, record, [episode for episode in episodes if episode.person == track][:LONGEST])
            for track, record in sorted(self._records.items())
        ]

    def _see(self, sights: Sequence[Sight]) -> None:
        self._episodes.see(sights)
        for person, face, start, end in sights:
            record = self._records.setdefault(person, _Record(start, dict.fromkeys(face.probabilities, 0.0)))
            record.noise.see(face)
            record.see(face.emotion if face.certain else None, start, end)


def _summed_up(track: int, record: _Record, longest: Sequence[Episode]) -> TrackSummary:
    total = sum(record.seconds.values()) + record.uncertain
    shares = {name: seconds / (total or 1.0) for name, seconds in record.seconds.items()}
    uncertain = record.uncertain / (total or 1.0)
    if not total:  # a video of one frame
        uncertain = float(record.certain is None)
        shares |= {} if record.certain is None else {record.certain: 1.0}
    seen, noise = (record.start, record.until, total, record.frames), record.noise.noise()
    return TrackSummary(track, *seen, shares, uncertain, record.changes, tuple(longest), noise)


def summarize(frames: Iterable[Frame]) -> list[TrackSummary]:
    """Each person of a video summed up: ``summarize(recognizer.stream("clip.mp4"))``.

    Args:
        frames: of one video, in order.

    Raises:
        UsageError: something else than frames.

    Example:
        >>> import mien
        >>> face = mien.Face(mien.Box(0, 0, 60, 70), 0.9, {"happy": 0.8, "other": 0.2}, track=1)
        >>> seen = [mien.Frame("clip.mp4", n, n / 10, 640, 480, (face,)) for n in range(20)]
        >>> (person,) = mien.summarize(seen)
        >>> person.frames
        20
    """
    summary = Summary()
    for frame in each_frame(frames):
        summary.add(frame)
    return summary.tracks()


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """The people of one video.

    Args:
        source: of its frames.
        frames: how many there were.
        people: everybody who was followed.
        header: what the frames come from, if that is known.
    """

    source: str
    frames: int
    people: tuple[TrackSummary, ...]
    header: Header | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, after those of the header."""
        header = self.header.to_dict() if self.header is not None else {}
        return {**header, "source": self.source, "people": [person.to_dict() for person in self.people]}

    def write(self, target: Path) -> Path:
        """Write `to_dict` as a JSON file; returns its path.

        Raises:
            InputError: it cannot be written.
        """
        return write_text(target, to_json(self.to_dict()), InputError)


class People(Sink):
    """Sums up the people of one video once, for everything that wants to know.

    Args:
        show: takes the summary of a video that had at least one frame.
        target: the JSON file that it is written to, if any.
    """

    def __init__(self, show: Callable[[VideoSummary], object] | None = None, target: Path | None = None) -> None:
        self._show, self._target = show, target
        self._summary = Summary()
        self._last: Frame | None = None
        self._count = 0

    def add(self, recognized: Recognized) -> None:
        self._last = recognized.frame
        self._count += 1
        self._summary.add(recognized.frame)

    def close(self) -> Sequence[Path]:
        """Show and write the summary.

        Raises:
            SinkError: it cannot be written.
        """
        if self._last is None:
            return ()
        tracks = tuple(self._summary.tracks())
        summary = VideoSummary(self._last.source, self._count, tracks, self._last.header)
        try:
            if self._show is not None:
                self._show(summary)
        finally:
            written = finished([partial(summary.write, self._target)]) if self._target is not None else []
        return written

"""Hours at hand and hours trained, from a log of one JSON line a stretch::

    {"session": "3f0c…", "kind": "queue", "began": 1.0, "ended": 9.0}
    {"session": "3f0c…", "kind": "training", "name": "pupil", "began": 2.0, "ended": 8.0, "lost": 0.5,
     "epochs": [3, 7], "result": "stopped"}

A session is the time from a machine's start to its end. Its hours are at hand from the first start of the queue on,
whether the queue ran or not. The log travels with packed checkpoints.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time during which a queue was up, or a training ran; seconds since 1970.

    Args:
        session: see `current_session`.
        kind: "queue" or "training".
        began: first second.
        ended: last second.
        name: of the training.
        lost: seconds at its end that came after the last whole epoch and are trained again.
        epochs: whole epochs at its beginning and at its end.
        result: how it ended: done, failed, stopped or killed.
    """

    session: str
    kind: str
    began: float
    ended: float
    name: str = ""
    lost: float = 0.0
    epochs: tuple[int, int] = (0, 0)
    result: str = ""


@dataclass(frozen=True, slots=True)
class Hours:
    """Sums over sessions, in hours.

    Args:
        at_hand: from the first start of the queue in each session to the session's end, or to now.
        up: while a queue ran.
        trained: spent on epochs that were kept.
        lost: spent on epochs that a stop or a kill cut short.
    """

    at_hand: float
    up: float
    trained: float
    lost: float

    @property
    def share(self) -> float:
        """Hours trained of hours at hand, 0..1."""
        return self.trained / self.at_hand if self.at_hand else 0.0


def current_session() -> str:
    """Names the time since this machine started; one name for all time where the system does not tell (Linux does)."""
    return _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else "this machine"


def append(path: Path, stretch: Stretch) -> None:
    """Add a line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(stretch)) + "\n")


def read(path: Path) -> list[Stretch]:
    """All stretches; a last line that a kill cut short is left out."""
    if not path.exists():
        return []
    return [_stretch(json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _stretch(values: dict[str, Any]) -> Stretch:
    return Stretch(**{**values, "epochs": tuple(values["epochs"])})


def summary(stretches: Iterable[Stretch], session: str, now: float) -> Hours:
    """Add up stretches.

    Args:
        stretches: of `read`, and those that have not ended, as if they ended now.
        session: the current one, whose hours at hand go on to ``now``.
        now: seconds since 1970.
    """
    stretches = list(stretches)
    begins: dict[str, float] = {}
    ends: dict[str, float] = {session: now}
    for stretch in stretches:
        begins[stretch.session] = min(stretch.began, begins.get(stretch.session, stretch.began))
        ends[stretch.session] = max(stretch.ended, ends.get(stretch.session, stretch.ended))
    trainings = [stretch for stretch in stretches if stretch.kind == "training"]
    return Hours(
        at_hand=sum(ends[name] - begins[name] for name in begins) / 3600,
        up=sum(stretch.ended - stretch.began for stretch in stretches if stretch.kind == "queue") / 3600,
        trained=sum(max(0.0, stretch.ended - stretch.began - stretch.lost) for stretch in trainings) / 3600,
        lost=sum(stretch.lost for stretch in trainings) / 3600,
    )

"""Accounts of parts: what became of their inputs, kept in the part's own file and sent to whoever drives the job."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

ACCOUNT: Final = "mien_job"
"""Key of a part's account in the metadata of its Parquet file."""

RECENT: Final = 600.0
"""Seconds before the last part that count for the rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of a part.

    Args:
        part: its name.
        inputs: how many it has.
        rows: in its file.
        errors: a line for each input that failed.
        started, finished: seconds since 1970, UTC, by the clock of the machine that did it.
    """

    part: str
    inputs: int
    rows: int
    errors: tuple[str, ...]
    started: float
    finished: float

    @property
    def failed(self) -> int:
        """How many inputs failed."""
        return len(self.errors)

    def to_json(self) -> str:
        """One line of ASCII JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The account that `to_json` wrote."""
        values = json.loads(text)
        return cls(**{**values, "errors": tuple(values["errors"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """Where a job stands.

    Args:
        folder: of the job.
        inputs: all of them.
        done: inputs whose part is there, those that failed among them.
        failed: of these.
        parts, parts_done: likewise.
        rows: in the parts that are there.
        rate: inputs a second over the last ten minutes in which parts were finished; None before the first part.
        finished: whether every part is there and `_SUCCESS` says so.
    """

    folder: str
    inputs: int
    done: int
    failed: int
    parts: int
    parts_done: int
    rows: int
    rate: float | None
    finished: bool

    @property
    def owed(self) -> int:
        """Inputs whose part is not there."""
        return self.inputs - self.done

    @property
    def seconds_left(self) -> float | None:
        """At that rate; None where it is not known."""
        if not self.owed:
            return 0.0
        return self.owed / self.rate if self.rate else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        left = self.seconds_left
        return {
            "folder": self.folder,
            "inputs": self.inputs,
            "owed": self.owed,
            "done": self.done,
            "failed": self.failed,
            "rows": self.rows,
            "parts": self.parts,
            "parts_done": self.parts_done,
            "rate": None if self.rate is None else round(self.rate, 3),
            "seconds_left": None if left is None else round(left, 1),
            "finished": self.finished,
        }


def rate(accounts: Iterable[Account]) -> float | None:
    """Inputs a second, by the parts that were finished in the last ten minutes; None where there are none.

    Times in which no part was being done, such as those between a kill and a resumption, do not count.
    """
    known = list(accounts)
    newest = max((account.finished for account in known), default=0.0)
    recent = [account for account in known if account.finished >= newest - RECENT]
    seconds, until = 0.0, 0.0
    for account in sorted(recent, key=lambda account: account.started):
        seconds += max(0.0, account.finished - max(until, account.started))
        until = max(until, account.finished)
    return sum(account.inputs for account in recent) / seconds if seconds > 0 else None

"""What is known of a job's parts: which are there, what became of their inputs, how fast they come."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final

from mien.errors import InputError
from mien.jobs.accounts import ACCOUNT, RECENT, Account, JobStatus, rate
from mien.jobs.manifest import MANIFEST, Manifest, Part, read_head, read_parts
from mien.jobs.place import Place, part_file

SUCCESS: Final = "_SUCCESS"
"""An empty file that is there when every part is."""


class Ledger:
    """Adds up the accounts of a job.

    Args:
        place: where the job lies.
        manifest: of the job.
    """

    def __init__(self, place: Place, manifest: Manifest) -> None:
        self._place, self._manifest = place, manifest
        self._done = self._failed = self._rows = self._parts = 0
        self._recent: deque[Account] = deque()

    def add(self, account: Account) -> None:
        """Take the account of one more part."""
        self._done += account.inputs
        self._failed += account.failed
        self._rows += account.rows
        self._parts += 1
        self._recent.append(account)
        while self._recent[0].finished < account.finished - RECENT:
            self._recent.popleft()

    def status(self, *, finished: bool = False) -> JobStatus:
        """Where the job stands; it is finished if `SUCCESS` is there and no part was removed since."""
        return JobStatus(
            folder=self._place.name,
            inputs=self._manifest.inputs,
            done=self._done,
            failed=self._failed,
            parts=self._manifest.parts,
            parts_done=self._parts,
            rows=self._rows,
            rate=rate(self._recent),
            finished=finished and self._parts == self._manifest.parts,
        )


def read_manifest(place: Place) -> tuple[Manifest, Iterator[Part]]:
    """The manifest of a job; the parts are read as they are asked for.

    Raises:
        InputError: there is none, or it is damaged.
    """
    if not place.exists(MANIFEST):
        raise InputError(f"{place.name}: holds no job (no {MANIFEST}); mien predict ... --out DIR --resume begins one")
    name = f"{place.name}/{MANIFEST}"
    lines = _lines(place)
    return read_head(lines, name), read_parts(lines, name)


def _lines(place: Place) -> Iterator[str]:
    with closing(place.opened(MANIFEST)) as file:
        for line in file:
            yield line.decode("ascii", "replace")


def read_account(place: Place, part: str) -> Account | None:
    """The account of a part that is there; None where its file is damaged, so that the part is owed.

    Raises:
        InputError: it cannot be opened.
    """
    from pyarrow import parquet

    with closing(place.opened(part_file(part))) as file:
        try:
            metadata: dict[bytes, bytes] = parquet.ParquetFile(file).metadata.metadata
            return Account.from_json(metadata[ACCOUNT.encode()])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def read_status(place: Place) -> JobStatus:
    """Where a job stands, by its files alone.

    Raises:
        InputError: there is no job, or a file is unreadable.
    """
    manifest, parts = read_manifest(place)
    ledger, there = Ledger(place, manifest), place.parts()
    for account in sorted(_accounts(place, parts, there), key=lambda account: account.finished):
        ledger.add(account)
    return ledger.status(finished=place.exists(SUCCESS))


def _accounts(place: Place, parts: Iterable[Part], there: set[str]) -> Iterator[Account]:
    for part in parts:
        account = read_account(place, part.name) if part.name in there else None
        if account is not None:
            yield account


def refuse_foreign(place: Place, parts: Iterable[Part], there: set[str]) -> None:
    """Refuse a folder that holds parts of something else, whose rows would be taken for this job's.

    Raises:
        InputError: there is such a file.
    """
    if foreign := there - {part.name for part in parts}:
        name = f"{place.name}/{part_file(min(foreign))}"
        raise InputError(f"{name}: belongs to no part of this job; remove it, or name another --out")

"""The exceptions of mien.

MienError
├── UsageError       the call or the command line contradicts itself
├── InputError       a picture, folder or stream cannot be read
│   └── TooLargeError  it exceeds a size limit
├── SinkError        some results could not be written
├── WorkerError      a worker process died or failed
│   └── LimitError     a task needed more time or memory than it may have
├── JobError         a job ended with parts missing
├── RequestError     the service refuses a request
├── DataError        a data set is malformed
├── ModelFileError   a model file or checkpoint is missing, damaged or without its metadata
├── ConfigError      a recipe has an unknown key, a wrong type or a contradiction
├── TrainingError    a training cannot start or go on
│   └── DivergedError  its loss became NaN or infinite
├── ExportError      an exported model disagrees with its source
├── InstallationError  a package that mien needs is damaged or missing
└── MissingExtraError  an optional part of the package is not installed

Every message is one line: what is wrong, where, what was expected, how to mend it.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from pathlib import Path


class MienError(Exception):
    """Base of all errors that mien raises on purpose."""

    exit_status: ClassVar[int] = 1
    """Exit status of the command line: 1 an input failed, 2 wrong use."""


class UsageError(MienError):
    """The call or the command line contradicts itself."""

    exit_status = 2


class InputError(MienError):
    """A picture, folder or stream cannot be read."""


class TooLargeError(InputError):
    """A picture or video exceeds a limit of size or length."""


class SinkError(MienError):
    """Some results could not be written.

    Args:
        failures: a line for each.
        paths: the files that were written all the same.
    """

    def __init__(self, failures: Sequence[str], paths: "Sequence[Path]") -> None:
        super().__init__("; ".join(failures))
        self.failures, self.paths = tuple(failures), tuple(paths)


class WorkerError(MienError):
    """A worker process died, failed in a way that nobody foresaw, or does not start.

    Args:
        message: one line.
        signal: that ended it; 0 or less: none did.
    """

    def __init__(self, message: str, signal: int = 0) -> None:
        super().__init__(message)
        self.signal = signal


class LimitError(WorkerError):
    """A task needed more than it may have.

    Args:
        limit: of what: ``memory``, ``processor time``, ``time``; ``busy``: of time, on a machine that had none for it.
        message: one line.
    """

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.limit, str(self))


class JobError(MienError):
    """A job ended and parts are missing; what is there is whole, and the job can be resumed."""

    exit_status = 3


class RequestError(MienError):
    """The service refuses a request.

    Args:
        status: of the HTTP answer, 400..599.
        message: one line.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self) -> tuple[type[Self], tuple[int, str]]:
        return type(self), (self.status, str(self))


class DataError(MienError):
    """A data set is malformed; the message names file and row."""


class ModelFileError(MienError):
    """A model file or checkpoint is missing, damaged or without its metadata."""


class ConfigError(MienError):
    """A recipe has an unknown key, a wrong type or a contradiction; the message names the key."""

    exit_status = 2


class TrainingError(MienError):
    """A training cannot start or go on."""


class DivergedError(TrainingError):
    """The loss of a training became NaN or infinite."""


class ExportError(MienError):
    """An exported model disagrees with its source."""


class InstallationError(MienError):
    """A package that mien needs is damaged or missing; the message names the command that mends it."""

    exit_status = 2


class MissingExtraError(MienError):
    """An optional part of the package is needed and not installed."""

    exit_status = 2

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs packages that are not installed: pip install 'mien[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for a near miss of a known name, else nothing."""
    matches = get_close_matches(name, known, n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""

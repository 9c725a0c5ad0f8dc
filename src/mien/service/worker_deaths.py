"""What a client is told when the worker that had its picture or video was ended."""

import signal
from collections.abc import Callable

from mien.errors import InputError, LimitError, MienError, RequestError, WorkerError
from mien.media.costly import too_costly


def refused(name: str, error: WorkerError, count: Callable[[str], None]) -> MienError:
    """The error to answer with.

    Args:
        name: of the picture or video.
        error: how its worker ended.
        count: told the reason: see `mien.service.metrics.Metrics.worker_ended`.
    """
    reason, answer = _judged(name, error)
    count(reason)
    return answer


def _judged(name: str, error: WorkerError) -> tuple[str, MienError]:
    if isinstance(error, LimitError):
        if error.limit == "busy":
            return error.limit, RequestError(503, f"{name}: the service is overloaded ({error}); try again")
        if error.limit == "time":
            said = f"{name}: the service is overloaded, or this costs too much: {error}; try again, or shrink it"
            return error.limit, RequestError(503, said)
        return error.limit, too_costly(name, str(error), "shrink it")
    if error.signal == getattr(signal, "SIGKILL", None):
        return "killed", RequestError(503, f"{name}: the service is overloaded (a worker was ended); try again")
    if error.signal:
        return "crash", InputError(f"{name}: damaged, its decoder crashed")
    return "failed", RequestError(503, f"{name}: a worker failed ({error}); try again")

"""Several live sources at once: a thread for each, and their results as they come."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from queue import Full, Queue
from threading import Event, Thread
from typing import Final

from mien.ordered import next_of
from mien.output.recognized import Recognized

Stream = Callable[[], Generator[Recognized, None, None]]

_WAITING: Final = 2
"""Results of each source that wait to be taken; while they do, the source drops frames."""

_POLL: Final = 0.1
"""Seconds after which a thread that hands on a result looks whether anybody takes it."""


def side_by_side(streams: Sequence[Stream]) -> Generator[Recognized, None, None]:
    """The results of several streams, each in its own order. An error of one ends all, after what came before it.

    Args:
        streams: each makes the results of one; it is called, used and closed in a thread of its own.
    """
    results: Queue[Recognized | BaseException | None] = Queue(_WAITING * len(streams))
    stopped = Event()
    threads = [
        Thread(target=_run, args=(stream, results, stopped), name=f"mien-stream-{number}", daemon=True)
        for number, stream in enumerate(streams)
    ]
    for thread in threads:
        thread.start()
    try:
        left = len(threads)
        while left:
            result = next_of(results)
            if isinstance(result, BaseException):
                raise result
            if result is None:
                left -= 1
            else:
                yield result
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _run(stream: Stream, results: "Queue[Recognized | BaseException | None]", stopped: Event) -> None:
    try:
        with closing(stream()) as images:
            for recognized in images:
                if not _put(results, recognized, stopped):
                    return
    except BaseException as error:  # whatever it is, the thread that takes the results is to raise it
        _put(results, error, stopped)
        return
    _put(results, None, stopped)


def _put(
    results: "Queue[Recognized | BaseException | None]", result: Recognized | BaseException | None, stopped: Event
) -> bool:
    """Hand on a result; False when nobody takes it any more."""
    while not stopped.is_set():
        try:
            results.put(result, timeout=_POLL)
        except Full:
            continue
        return True
    return False

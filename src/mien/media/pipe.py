"""A picture that comes through a pipe, such as a shell's ``<(cat photo.jpg)``: bounded in size and time."""

import os
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from mien.errors import InputError, TooLargeError

SILENCE: Final = 30.0
"""Seconds for which a pipe may bring nothing."""

_PIECE: Final = 1 << 16
_PAUSE: Final = 0.05
"""Seconds between two looks where the system does not tell a pipe that ended from one that nobody has opened."""

_OTHERS_DESCRIPTORS: Final = ("/dev/fd/", "/proc/self/fd/")


def read_pipe(path: Path, most_bytes: int, silence: float = SILENCE) -> bytes:
    """What is written into a pipe until its writers close it.

    Args:
        path: of a FIFO, or a descriptor of this process.
        most_bytes: more are refused.
        silence: seconds for which nothing may come.

    Raises:
        InputError: nothing came for so long.
        TooLargeError: too many bytes came.
        OSError: it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without a writer, opening it would wait
    parts: list[bytes] = []
    size = 0
    try:
        while part := _next_part(descriptor, path, silence, begun=bool(parts)):
            parts.append(part)
            size += len(part)
            if size > most_bytes:
                raise TooLargeError(f"{path}: more than {most_bytes >> 20} MB came through the pipe; name a file")
    finally:
        os.close(descriptor)
    return b"".join(parts)


def _next_part(descriptor: int, path: Path, silence: float, *, begun: bool) -> bytes:
    """The next bytes of a pipe; none at its end."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    deadline = monotonic() + silence
    while (left := deadline - monotonic()) > 0:
        for _, event in poll.poll(1000 * left):
            part = os.read(descriptor, _PIECE)
            if part or begun or event & select.POLLHUP:
                return part
            sleep(_PAUSE)
    raise InputError(
        f"{path}: nothing came through this pipe for {silence:g} s; write a picture into it, or name a file"
    )


def hint_for_missing(path: Path) -> str:
    """What to do about a descriptor of another process that is not there: workers have their own."""
    if str(path).startswith(_OTHERS_DESCRIPTORS):
        return " in a worker process; give one picture without --isolate, or mien predict - < FILE"
    return ""

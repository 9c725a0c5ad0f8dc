"""Standard output that stays valid when its disk is full: what cannot be written whole is taken back."""

import io
import os
import stat
import sys

from mien.errors import InputError


def write_stdout(text: str) -> None:
    """Write a text to standard output, whole or, where that is a file, not at all.

    Raises:
        InputError: it cannot be written.
        BrokenPipeError: its reader has gone.
    """
    descriptor = _descriptor()
    if descriptor is None:  # a test's or a notebook's
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    encoded = text.encode(sys.stdout.encoding, sys.stdout.errors or "strict")
    start = None
    try:
        sys.stdout.flush()
        start = _end_of_file(descriptor)
        _write(descriptor, encoded)
    except BrokenPipeError:
        raise
    except OSError as error:
        if start is not None:
            os.ftruncate(descriptor, start)
            os.lseek(descriptor, start, os.SEEK_SET)
        raise InputError(f"standard output: cannot be written ({error.strerror})") from None


def replace_closed_streams() -> None:
    """Put something in the place of standard output and standard error that were closed (``>&-``).

    Else the next file that is opened would take their numbers. Writing to standard output then fails, as it does for
    other programs; messages go nowhere.
    """
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def silence_stdout() -> None:
    """Drop what standard output still holds back, so that Python does not try to write it again when it ends."""
    descriptor = _descriptor()
    if descriptor is not None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, descriptor)
        os.close(nothing)


def _descriptor() -> int | None:
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError, ValueError, io.UnsupportedOperation):
        return None


def _end_of_file(descriptor: int) -> int | None:
    """Where the next byte goes in a regular file; None of pipes, terminals and devices."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return None
    return max(os.lseek(descriptor, 0, os.SEEK_CUR), found.st_size)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]

"""Locks of files that end with the process that holds them, however it ends: a kill leaves no stale lock."""

import errno
import sys
from pathlib import Path
from typing import IO, Final

_WITHOUT_LOCKS: Final = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What file systems that know no locks answer."""


def try_lock(path: Path) -> IO[str] | None:
    """The open lock file, made if it is not there, or None while another holds it.

    It is an advisory lock of the operating system (flock): it is held until the file is closed, and by processes that
    inherit the file until they end. Where there is none, on Windows and some network file systems, nobody is kept out.

    Raises:
        OSError: the file cannot be written.
    """
    file = path.open("a+", encoding="utf-8")
    try:
        _lock(file)
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            file.close()
            raise
    return file


def _lock(file: IO[str]) -> None:
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""A job in a folder of a file system."""

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from mien.errors import InputError, UsageError
from mien.files import made_folder, writing
from mien.jobs.place import PARTS, SUFFIX

_PARTIAL: Final = ".partial"
_ABANDONED: Final = 24 * 3600.0
"""Seconds after which an unfinished file of another machine is taken for abandoned."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, which all machines of the job see under the same path.

    A file is written under a hidden name of its own, flushed to the disk, and renamed.

    Args:
        path: absolute.
        rename: gives a whole file its name; a test may put a kill in its place.
    """

    path: Path
    rename: Callable[[Path, Path], object] = os.replace

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.path)

    def prepare(self) -> None:
        """Make the folder, or raise `UsageError`."""
        made_folder(self.path / PARTS)

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        return os.path.exists(self.path / name)  # noqa: PTH110 - which raises nothing where it may not look

    def opened(self, name: str) -> BinaryIO:
        """A file to read, or `InputError`."""
        try:
            return (self.path / name).open("rb")
        except OSError as error:
            raise InputError(f"{self.path / name}: cannot be read ({error.strerror})") from None

    def parts(self) -> set[str]:
        """Names of the parts that are there."""
        files = (self.path / PARTS).glob(f"*{SUFFIX}") if self.path.is_dir() else ()
        return {file.stem for file in files if not file.name.startswith(".")}

    def write_once(self, name: str, content: bytes) -> bool:
        """Write a file unless it exists; of two processes that try, one does."""
        target = self.path / name
        if self.exists(name):  # the folder may be read-only by now
            return False
        partial = _partial(target)
        with writing(target, UsageError, mend="; name another folder"):
            try:
                _write(partial, content)
                if not self._named(partial, target):
                    return False
            finally:
                partial.unlink(missing_ok=True)
        _flush_folder(target.parent)
        return True

    def remove(self, name: str) -> None:
        """Remove a file if it is there; `UsageError` when it cannot be."""
        with writing(self.path / name, UsageError):
            (self.path / name).unlink(missing_ok=True)

    def _named(self, partial: Path, target: Path) -> bool:
        """Give a whole file its name unless another has it; whether it got it."""
        try:
            os.link(partial, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            if target.exists():
                return False
            self.rename(partial, target)
        return True

    @contextmanager
    def whole(self, name: str) -> Iterator[BinaryIO]:
        """A file that is there when the block succeeds, and else is not; `UsageError` when it cannot be written."""
        target = self.path / name
        partial = _partial(target)
        with writing(target, UsageError):
            try:
                with partial.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                self.rename(partial, target)
            finally:
                partial.unlink(missing_ok=True)
            _flush_folder(target.parent)

    def tidy(self) -> None:
        """Remove unfinished files of processes of this machine that are gone, and those that are a day old."""
        for folder in (self.path, self.path / PARTS):
            for file in folder.glob(f".*{_PARTIAL}"):
                with suppress(OSError):
                    if _is_abandoned(file):
                        file.unlink()


def _partial(target: Path) -> Path:
    """A hidden name that no other process uses; it says which process does."""
    owner = f"{socket.gethostname().replace('~', '')}~{os.getpid()}~{os.urandom(4).hex()}"
    return target.with_name(f".{target.name}~{owner}{_PARTIAL}")


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_abandoned(file: Path) -> bool:
    match file.name.removesuffix(_PARTIAL).rsplit("~", 3):
        case [_, host, process, _] if host == socket.gethostname().replace("~", "") and process.isdecimal():
            return not _is_alive(int(process))
    return time.time() - file.stat().st_mtime > _ABANDONED


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # where asking would interrupt it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, or the system cannot tell
        return True
    return True

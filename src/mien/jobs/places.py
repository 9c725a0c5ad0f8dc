"""Where a job lies: a folder, or an object store. Every file there is whole or absent (atomic writes)."""

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from mien.errors import InputError, UsageError
from mien.files import made_folder, writing
from mien.jobs.stores import OBJECT_STORES, Address, address_of, is_store, reading_store

PARTS: Final = "parts"
SUFFIX: Final = ".parquet"
_PARTIAL: Final = ".partial"
_ABANDONED: Final = 24 * 3600.0
"""Seconds after which an unfinished file of another machine is taken for abandoned."""


class Place(Protocol):
    """Where a job lies. Names are relative, with ``/`` between folders."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def prepare(self) -> None:
        """Make it ready to be written to.

        Raises:
            UsageError: it cannot be.
        """
        ...

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        ...

    def opened(self, name: str) -> BinaryIO:
        """A file to read.

        Raises:
            InputError: there is none, or it cannot be read.
        """
        ...

    def parts(self) -> set[str]:
        """Names of the parts that are there, without suffix."""
        ...

    def write_once(self, name: str, content: bytes) -> bool:
        """Write a file unless it exists; whether it was written."""
        ...

    def whole(self, name: str) -> Any:
        """A context manager: a file that is there when the block succeeds, and else is not."""
        ...

    def tidy(self) -> None:
        """Remove what killed processes left unfinished, but nothing of one that lives."""
        ...


def part_file(name: str) -> str:
    """Where the file of a part lies."""
    return f"{PARTS}/{name}{SUFFIX}"


def place_of(out: str | Path) -> Place:
    """The folder or object store that an argument names.

    Raises:
        UsageError: a store in which a file is seen before it is whole.
    """
    text = str(out)
    if not is_store(text):
        return Folder(Path(out).absolute())
    address = address_of(text)
    if address.scheme == "file":
        return Folder(Path(f"/{address.key}"))
    if address.scheme not in OBJECT_STORES:
        raise UsageError(f"{address.name}: a job needs a folder, or one of {', '.join(OBJECT_STORES)}://")
    return Bucket(address)


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
        return (self.path / name).exists()

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


@dataclass(frozen=True, slots=True)
class Bucket:
    """A folder of an object store. A file is sent in one request, and appears when its last byte is there.

    Args:
        address: of the folder.
    """

    address: Address

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.address.name

    def prepare(self) -> None:
        """See that the store answers, or raise `InputError`."""
        self.exists(PARTS)

    def exists(self, name: str) -> bool:
        """Whether a file is there."""
        from pyarrow import fs

        with reading_store(self._named(name)):
            system, path = self._at(name)
            return bool(system.get_file_info(path).type == fs.FileType.File)

    def opened(self, name: str) -> BinaryIO:
        """A file to read, or `InputError`."""
        with reading_store(self._named(name)):
            system, path = self._at(name)
            return io.BufferedReader(system.open_input_file(path))

    def parts(self) -> set[str]:
        """Names of the parts that are there."""
        from pyarrow import fs

        with reading_store(self._named(PARTS)):
            system, path = self._at(PARTS)
            infos = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
        names = [info.base_name for info in infos if info.type == fs.FileType.File]
        return {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}

    def write_once(self, name: str, content: bytes) -> bool:
        """Write a file unless it exists; two processes that begin at once may both, with the same content."""
        if self.exists(name):
            return False
        with self.whole(name) as file:
            file.write(content)
        return True

    @contextmanager
    def whole(self, name: str) -> Iterator[BinaryIO]:
        """A file that is sent when the block succeeds, and else is not; `UsageError` when it cannot be."""
        buffer = io.BytesIO()
        yield buffer
        system, path = self._at(name)
        with writing(Path(self._named(name)), UsageError, ValueError), system.open_output_stream(path) as stream:
            stream.write(buffer.getbuffer())

    def tidy(self) -> None:
        """Nothing is ever left unfinished."""

    def _named(self, name: str) -> str:
        return f"{self.address.name.rstrip('/')}/{name}"

    def _at(self, name: str) -> tuple[Any, str]:
        system, path = self.address.system
        return system, f"{path.rstrip('/')}/{name}"


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
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, or the system cannot tell
        return True
    return True

"""Files inside .zip, .tar, .tar.gz, .tgz and .gz, read without unpacking them to disk.

The type of a file is detected from its content (magic bytes), not its name.
"""

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from typing import IO, Final, cast

from mien.errors import DataError

ALONE: Final = ""
"""Name of the one member of a file that is no archive."""

UNREADABLE: Final = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)
"""What the standard library raises while it reads a truncated or damaged archive."""

_ZIP: Final = b"PK"
_GZIP: Final = b"\x1f\x8b"
_READ_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Members:
    """The regular files in an archive; a file that is no archive has one, called `ALONE`, unpacked if it is gzipped."""

    names: tuple[str, ...]
    _open: Callable[[str], IO[bytes]]

    def open(self, name: str) -> BufferedReader:
        """One of them for reading, from its start."""
        return BufferedReader(cast(RawIOBase, self._open(name)), _READ_SIZE)


@contextmanager
def opened_members(file: BufferedReader) -> Iterator[Members]:
    """What lies in a file, open as long as the block lasts.

    Raises:
        DataError: a member is encrypted, or compressed in a way that Python cannot read.
        Exception: one of `UNREADABLE`, when the archive is truncated or damaged.
    """
    magic = file.read(2)
    file.seek(0)
    if magic == _ZIP:
        with zipfile.ZipFile(file) as archive:
            names = tuple(entry.filename for entry in archive.infolist() if not entry.is_dir())
            yield Members(names, lambda name: _open_in_zip(archive, name))
    elif tar := _tar_in(file):
        with tar:
            names = tuple(entry.name for entry in tar if entry.isfile())
            yield Members(names, lambda name: cast(IO[bytes], tar.extractfile(name)))
    else:
        yield Members((ALONE,), lambda _name: _from_start(file, gzipped=magic == _GZIP))


def _open_in_zip(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return archive.open(name)
    except RuntimeError as error:  # also NotImplementedError: an unknown compression
        raise DataError(f"{name}: cannot be unpacked ({error})") from None


def _tar_in(file: BufferedReader) -> tarfile.TarFile | None:
    try:
        return tarfile.open(fileobj=file)
    except (tarfile.ReadError, EOFError):
        return None


def _from_start(file: BufferedReader, *, gzipped: bool) -> IO[bytes]:
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if gzipped else file

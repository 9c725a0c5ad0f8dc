"""Object stores and other file systems that are named by an address, through pyarrow's file systems."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, BinaryIO, Final

from mien.errors import InputError, MissingExtraError, UsageError

OBJECT_STORES: Final = ("s3", "gs", "gcs", "abfs", "abfss")
"""Schemes of stores in which a file appears when its last byte is there."""

_SCHEMES: Final = (*OBJECT_STORES, "file", "hdfs", "viewfs")
_ADDRESS: Final = re.compile(rf"({'|'.join(_SCHEMES)})://([^/?]*)/?(.*?)(\?[a-z_]+=[^/]*)?", re.IGNORECASE | re.DOTALL)
_DELAYED: Final = "allow_delayed_open"
"""An option of pyarrow's S3: small files are sent in one request instead of three."""

_PIECE: Final = 2**22


@dataclass(frozen=True, slots=True)
class Address:
    """Where something lies in a file system that pyarrow opens.

    Args:
        scheme: lower-case, such as ``s3``.
        place: bucket, container or host.
        key: path in it.
        query: options of the file system with their question mark, such as ``?region=eu-central-1``; may be empty.
    """

    scheme: str
    place: str
    key: str
    query: str = ""

    @property
    def name(self) -> str:
        """What results call it: without options."""
        return f"{self.scheme}://{self.place}/{self.key}"

    def __str__(self) -> str:
        return self.name + self.query

    @property
    def system(self) -> tuple[Any, str]:
        """The file system, and the path in it.

        Raises:
            MissingExtraError: pyarrow is not installed.
            InputError: it cannot be opened.
        """
        system, root = _opened(self.scheme, self.place, self.query)
        return system, f"{root.rstrip('/')}/{self.key}".rstrip("/") or "/"


def is_store(source: str) -> bool:
    """Whether a source is an address of a file system that pyarrow opens."""
    return source.lower().startswith(tuple(f"{scheme}://" for scheme in _SCHEMES))


def address_of(source: str) -> Address:
    """The parts of an address.

    Raises:
        UsageError: it holds a password, which the manifest would keep.
    """
    found = _ADDRESS.fullmatch(source)
    if found is None:
        raise UsageError(f"{source}: expected an address such as s3://BUCKET/FOLDER")
    scheme, place, key, query = found[1].lower(), found[2], found[3], found[4] or ""
    if ":" in place.rpartition("@")[0] or (scheme in {"s3", "gs", "gcs"} and "@" in place):
        raise UsageError(f"{scheme}://...@{place.rpartition('@')[2]}: give keys by the environment, not in the address")
    return Address(scheme, place, key, query)


@contextmanager
def reading_store(address: object) -> Iterator[None]:
    """Turns what pyarrow raises inside the block into an `InputError` that names the address."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise InputError(f"{address}: cannot be read ({reason})") from None


def read_bytes(address: Address) -> bytes:
    """The content of a file.

    Raises:
        InputError: it cannot be read.
    """
    with reading_store(address.name):
        system, path = address.system
        with system.open_input_stream(path) as stream:
            content: bytes = stream.read()
            return content


def copied(address: Address, file: BinaryIO) -> Iterator[None]:
    """Copy a file's content, one piece between two steps of the iterator.

    Raises:
        InputError: it cannot be read.
    """
    with reading_store(address.name):
        system, path = address.system
        with system.open_input_stream(path) as stream:
            while piece := stream.read(_PIECE):
                file.write(piece)
                yield
    file.flush()


@lru_cache(maxsize=16)
def _opened(scheme: str, place: str, query: str) -> tuple[Any, str]:
    try:
        from pyarrow import fs
    except ImportError:
        raise MissingExtraError("reading object stores", "tables") from None
    if scheme == "s3" and _DELAYED not in query:
        query = f"{query or '?'}{'&' if query else ''}{_DELAYED}=true"
    with reading_store(f"{scheme}://{place}"):
        system, root = fs.FileSystem.from_uri(f"{scheme}://{place}/{query}")
        return system, root

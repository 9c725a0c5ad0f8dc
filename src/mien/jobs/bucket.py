"""A job in an object store."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mien.errors import UsageError
from mien.files import writing
from mien.jobs.place import PARTS, SUFFIX
from mien.jobs.stores import Address, reading_store


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
        """Write a file unless it exists; whether it has this content then.

        Two processes that begin at once may both write it. The content is of the later one; the other finds that out
        here, unless it looks too early.
        """
        if self.exists(name):
            return False
        with self.whole(name) as file:
            file.write(content)
        with closing(self.opened(name)) as file:
            return file.read() == content

    def remove(self, name: str) -> None:
        """Remove a file if it is there; `InputError` when it cannot be."""
        if self.exists(name):
            with reading_store(self._named(name)):
                system, path = self._at(name)
                system.delete_file(path)

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

"""What `make web` built: the library, its worker and onnxruntime's WebAssembly, checked against their hashes."""

import hashlib
import json
import lzma
from importlib import resources
from typing import Any, Final

from mien.errors import InstallationError

_NOTICES: Final = "onnxruntime-notices.txt.xz"


def built_record() -> dict[str, Any]:
    """What was built from which sources: hashes of ``files``, and ``runtime``: its version, file and hash."""
    record: dict[str, Any] = json.loads(_read("build.json"))
    return record


def built_scripts() -> dict[str, bytes]:
    """The library and its worker by name.

    Raises:
        InstallationError: a file is missing or damaged.
    """
    return {name: _checked(name, _read(name), digest) for name, digest in built_record()["files"].items()}


def runtime() -> tuple[str, bytes]:
    """Name and content of onnxruntime's WebAssembly, 14 MB, of which the package carries 2.2 MB.

    Raises:
        InstallationError: the file is missing or damaged.
    """
    record = built_record()["runtime"]
    return record["file"], _checked(record["file"], _unpacked(f"{record['file']}.xz"), record["sha256"])


def runtime_notices() -> bytes:
    """The licence of onnxruntime and the notices of what it is made of."""
    return _unpacked(_NOTICES)


def _unpacked(name: str) -> bytes:
    try:
        return lzma.decompress(_read(name))
    except lzma.LZMAError:
        raise _damaged(name) from None


def _checked(name: str, content: bytes, digest: str) -> bytes:
    if hashlib.sha256(content).hexdigest() != digest:
        raise _damaged(name)
    return content


def _read(name: str) -> bytes:
    try:
        return (resources.files("mien.web") / "built" / name).read_bytes()
    except OSError:
        raise _damaged(name) from None


def _damaged(name: str) -> InstallationError:
    return InstallationError(f"mien/web/built/{name}: missing or damaged; reinstall mien (in its repository: make web)")

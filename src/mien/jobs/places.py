"""Which place an argument names: a folder, or an object store."""

from pathlib import Path

from mien.errors import UsageError
from mien.jobs.bucket import Bucket
from mien.jobs.folder import Folder
from mien.jobs.place import Place
from mien.jobs.stores import OBJECT_STORES, address_of, is_store
from mien.media.video_source import is_address, without_password


def place_of(out: str | Path) -> Place:
    """The folder or object store that an argument names.

    Raises:
        UsageError: an address of something else, or of a store in which a file is seen before it is whole.
    """
    text = str(out)
    if not is_store(text):
        if is_address(text):
            raise UsageError(f"{without_password(text)}: a job needs a folder, or one of {', '.join(OBJECT_STORES)}://")
        return Folder(Path(out).absolute())
    address = address_of(text)
    if address.scheme == "file":
        return Folder(Path(f"/{address.key}"))
    if address.scheme not in OBJECT_STORES:
        raise UsageError(f"{address.name}: a job needs a folder, or one of {', '.join(OBJECT_STORES)}://")
    return Bucket(address)

"""Request bodies: one picture as it is, several as multipart form or JSON. Everything is parsed in memory."""

import base64
import json
import re
import sys
from collections.abc import AsyncGenerator
from typing import Any, Final

from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mien.errors import RequestError
from mien.service.media_types import ANY, PICTURES, normalized
from mien.service.schemas import Pictures
from mien.service.searching import Upload

FORM: Final = "multipart/form-data"
JSON: Final = "application/json"
FIELD: Final = "picture"
"""Name of the form field, which may be repeated."""

_DATA_URL: Final = re.compile(r"data:[^,]*;\s*base64\s*", re.IGNORECASE)
_LONGEST_HEAD: Final = 1000
"""Of a data URL, up to its comma."""
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_BLANKS: Final = b" \t\n\f\r"
_LONGEST_NAME: Final = 255
_MOST_FILES: Final = 1000
"""After which the rest of a form is not even read."""
_PADDING: Final = 64
"""Blanks after a boundary, which hardly anybody writes; the parser reads them one by one in Python."""
_MARKS: Final = (b"{", b"[", b",")
_MOST_MARKS: Final = 300
"""That JSON of one picture may have: a few, and those in its name."""


class _InMemory(MultiPartParser):
    """Keeps every part in memory, never in a temporary file; `mien.service.guard` limits the size of the body."""

    spool_max_size = sys.maxsize


async def read_pictures(headers: Headers, body: AsyncGenerator[bytes, None], most: int) -> list[Upload]:
    """The pictures of a request.

    Args:
        headers: of the request.
        body: its parts, bounded.
        most: how many pictures are taken.

    Raises:
        RequestError: 400, malformed; 413, too many pictures; 415, no content type that is taken.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(415, "compressed requests are not read; send the picture as it is")
    kind = normalized(headers.get("content-type", ""))
    if kind == FORM:
        uploads = await _read_form(headers, body, most)
    elif kind == JSON:
        uploads = _read_json(await joined(body), most)
    elif kind == ANY or kind.startswith("image/"):
        uploads = [Upload("picture", await joined(body))]
    else:
        known = ", ".join((*PICTURES, ANY, FORM, JSON))
        raise RequestError(415, f"content type {kind[:100]!r} is not read; send one of {known}")
    if len(uploads) > most:
        raise RequestError(413, f"{len(uploads)} pictures in one request; send at most {most}")
    return uploads


async def joined(body: AsyncGenerator[bytes, None]) -> bytes:
    """A whole body."""
    return b"".join([part async for part in body])


async def _read_form(headers: Headers, body: AsyncGenerator[bytes, None], most: int) -> list[Upload]:
    options = parse_options_header(headers["content-type"])[1]
    _check_charset(options.get(b"charset", b"utf-8"))
    parts = _with_few_boundaries(options.get(b"boundary", b""), body)
    try:
        form = await _InMemory(headers, parts, max_files=_MOST_FILES, max_fields=0).parse()
    except MultiPartException as error:
        raise RequestError(400, f"the form is malformed: {error.message}") from None
    uploads = [await _of_part(name, part) for name, part in form.multi_items()]
    await form.close()
    if not uploads:
        raise RequestError(400, f"no picture in the form; send files in the field {FIELD!r}")
    return uploads


async def _with_few_boundaries(name: bytes, body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The parts of a form; lines that begin with its boundary and do not end with it take the parser microseconds each.

    Raises:
        RequestError: 400, there are more boundaries than there may be files, or blanks after one.
    """
    boundary = b"\r\n--" + name
    padded = re.compile(re.escape(boundary) + rb"[ \t]{%d}" % _PADDING)
    count, before = 0, b""
    async for part in body:
        seen = before + part
        count += seen.count(boundary) - before.count(boundary)
        if count > _MOST_FILES or padded.search(seen):
            raise RequestError(400, f"the form is malformed: more than {_MOST_FILES} boundaries, or blanks after one")
        before = seen[-len(boundary) - _PADDING :]
        yield part


def _check_charset(charset: bytes) -> None:
    """Reject forms in another charset than UTF-8: some of Python's codecs do not decode text, and would raise."""
    if charset.lower() not in {b"utf-8", b"utf8", b"us-ascii"}:
        raise RequestError(415, "forms are read as UTF-8; leave the charset out of the content type")


async def _of_part(name: str, part: Any) -> Upload:
    if name != FIELD or not isinstance(part, UploadFile):
        raise RequestError(400, f"unknown form field {name[:100]!r}; send files in the field {FIELD!r}")
    return Upload((part.filename or "picture")[:_LONGEST_NAME], await part.read())


def _read_json(content: bytes, most: int) -> list[Upload]:
    if sum(map(content.count, _MARKS)) > _MOST_MARKS * (most + 1):  # or parsing takes minutes and gigabytes
        raise RequestError(413, f"more JSON than {most} pictures need; send at most {most}, with short names")
    try:
        pictures = Pictures.model_validate(json.loads(content, strict=False)).pictures  # base64 may hold line breaks
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the JSON is malformed: {_reason(error)}") from None
    return [
        Upload(picture.name or f"picture-{number}", _bytes(picture.data, number))
        for number, picture in enumerate(pictures, 1)
    ]


def _bytes(data: str, number: int) -> bytes:
    """What base64 stands for, read as browsers do (https://infra.spec.whatwg.org/#forgiving-base64): with line breaks
    and blanks, without padding, as a data URL; besides in the alphabet for addresses.
    """
    head, comma, _ = data[:_LONGEST_HEAD].partition(",")
    if comma and not _DATA_URL.fullmatch(head.strip()):
        raise RequestError(400, f"picture {number}: its data is not base64, nor a data URL in base64")
    try:
        text = data.encode("ascii")[len(head) + 1 if comma else 0 :]
        text = text.translate(_URL_SAFE, _BLANKS).rstrip(b"=")
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:  # UnicodeEncodeError and binascii.Error are such
        raise RequestError(400, f"picture {number}: its data is not base64") from None


def _reason(error: Exception) -> str:
    """What is wrong and where; the input itself is not echoed."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"
    return str(error).partition("\n")[0] or type(error).__name__

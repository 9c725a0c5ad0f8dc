"""Request bodies: one picture as it is, several as multipart form or JSON. Everything is parsed in memory."""

import asyncio
import base64
import re
import sys
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mien.errors import RequestError
from mien.service.media_types import ANY, PICTURES, normalized
from mien.service.schemas import Pictures
from mien.service.searching import Upload
from mien.strict_json import strict_json, what_is_wrong

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
_SMALL: Final = 2**20
_ONE_AT_A_TIME: Final = ThreadPoolExecutor(1, thread_name_prefix="mien-json")
"""Parses documents of more than `_SMALL` bytes, which take up to six times their size."""
_MARKS: Final = (b"{", b"[", b",")
_MOST_MARKS: Final = 300
"""That JSON of one picture may have: a few, and those in its name."""
_DEEP: Final = re.compile(rb"(?:[\[{][^\[\]{}]*){10}")
"""Brackets inside of brackets, which no document of pictures has; it is looked for at the start of the document."""
_START: Final = 2**16

_PICTURE: Final = '{"data": "BASE64"}'
_DOCUMENT: Final = f'{{"pictures": [{_PICTURE}]}}'
_WRONG_SHAPE: Final = frozenset({"missing", "model_type", "list_type", "string_type", "too_short"})
"""Pydantic's errors that an example answers."""


class _InMemory(MultiPartParser):
    """Keeps every part in memory, never in a temporary file; `mien.service.guard` limits the size of the body."""

    spool_max_size = sys.maxsize
    ended = False
    """Whether the boundary at the end of the form was there."""

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        if self._current_part.file is None:
            name = self._current_part.field_name[:100]
            raise RequestError(400, f"field {name!r} is text: send a file, as in curl -F {FIELD}=@FILE")

    def on_end(self) -> None:
        self.ended = True


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
        uploads = await _read_json(await joined(body), most)
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
    parser = _InMemory(headers, parts, max_files=_MOST_FILES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RequestError(400, f"the form is malformed: {error.message}") from None
    uploads = [await _of_part(name, part) for name, part in form.multi_items()]
    await form.close()
    if not parser.ended:
        raise RequestError(400, "the form breaks off: the boundary at its end is not there")
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


async def _of_part(name: str, part: UploadFile | str) -> Upload:
    if name != FIELD or not isinstance(part, UploadFile):
        raise RequestError(400, f"unknown form field {name[:100]!r}; send files in the field {FIELD!r}")
    return Upload((part.filename or "picture")[:_LONGEST_NAME], await part.read())


async def _read_json(content: bytes, most: int) -> list[Upload]:
    """The pictures of a document; a large one takes a tenth of a second, for which nobody else is to wait."""
    if len(content) <= _SMALL:
        return _parsed(content, most)
    return await asyncio.get_running_loop().run_in_executor(_ONE_AT_A_TIME, _parsed, content, most)


def _parsed(content: bytes, most: int) -> list[Upload]:
    if sum(map(content.count, _MARKS)) > _MOST_MARKS * (most + 1):  # or parsing takes minutes and gigabytes
        if _DEEP.search(content[:_START]):
            raise RequestError(400, f"the JSON is malformed: {_reason(RecursionError())}")
        raise RequestError(413, f"more JSON than {most} pictures need; send at most {most}, with short names")
    try:
        pictures = Pictures.model_validate(strict_json(content, line_breaks=True)).pictures  # base64 may have them
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
        return _reason_of(first["type"], first["loc"], first["msg"])
    said = what_is_wrong(error)
    return f"{said}: expected {_DOCUMENT}" if isinstance(error, RecursionError) else said


def _reason_of(kind: str, where: tuple[int | str, ...], said: str) -> str:
    """What is wrong by pydantic: an example says more than its names of types."""
    if kind == "extra_forbidden":
        return f"{_path(where[:-1])}: unknown key {str(where[-1])[:100]!r}"
    if kind in _WRONG_SHAPE and len(where) < 2:
        return f"expected {_DOCUMENT}"
    if kind in _WRONG_SHAPE and where[-1] != "name":
        return f"{_path(where[:2])}: expected {_PICTURE}"
    return f"{_path(where)}: {said}"


def _path(where: tuple[int | str, ...]) -> str:
    """As in `pictures[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)[1:] or "document"

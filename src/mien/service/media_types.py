"""Which pictures and videos the service takes. What a picture is, its first bytes say, whatever a client calls it."""

from typing import Final

from mien.errors import RequestError
from mien.media.boxes import Content
from mien.media.signatures import kind_of

ANY: Final = "application/octet-stream"
"""Media type of a client that declares none."""

PICTURES: Final = {
    "image/jpeg": frozenset({"JPEG", "MPO"}),
    "image/png": frozenset({"PNG"}),
    "image/webp": frozenset({"WEBP"}),
    "image/gif": frozenset({"GIF"}),
    "image/bmp": frozenset({"BMP", "DIB"}),
    "image/avif": frozenset({"AVIF"}),
}
"""Media types of pictures, and Pillow's names of the formats that they may turn out to be."""

VIDEOS: Final = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
}
"""Media types of videos, and FFmpeg's name of the one demuxer that is tried: none that follows references (SSRF)."""

_KINDRED: Final = {"video/quicktime": "video/mp4", "video/webm": "video/x-matroska"}
"""Types of which one demuxer reads what it reads of the other."""

_ALIASES: Final = {"image/jpg": "image/jpeg", "image/x-ms-bmp": "image/bmp", "video/avi": "video/x-msvideo"}


def normalized(content_type: str) -> str:
    """The media type of a ``Content-Type`` header: lower case, without parameters, by its usual name."""
    name = content_type.partition(";")[0].strip().lower()
    return _ALIASES.get(name, name)


def picture_type(content: bytes, name: str) -> str:
    """The media type of a picture by its magic bytes.

    Args:
        content: of the file.
        name: what to call it in errors.

    Raises:
        RequestError: 415, none of `PICTURES`.
    """
    if not content:
        raise RequestError(415, f"{name}: an empty file, not a picture")
    found = _sniffed(content)
    if found is None:
        raise RequestError(415, f"{name}: not a picture that is read; send one of {', '.join(PICTURES)}")
    return found


def video_type(content: Content) -> str | None:
    """The media type of a video by its first bytes; None: none of `VIDEOS`."""
    if kind_of(start := content[:400]) != "video":
        return None
    if start[4:8] in {b"ftyp", b"moov", b"mdat", b"wide"}:
        return "video/mp4" if start[4:8] == b"ftyp" and start[8:12] != b"qt  " else "video/quicktime"
    if start.startswith(b"RIFF"):
        return "video/x-msvideo"
    if start.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in start[:64] else "video/x-matroska"
    return None


def are_kindred(kind: str, other: str) -> bool:
    """Whether videos of one type can be sent as the other."""
    return _KINDRED.get(kind, kind) == _KINDRED.get(other, other)


def _sniffed(content: bytes) -> str | None:
    """See https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return "image/avif" if kind_of(content) == "picture" else None
    starts = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"BM": "image/bmp"}
    starts |= {b"GIF87a": "image/gif", b"GIF89a": "image/gif"}
    return next((kind for start, kind in starts.items() if content.startswith(start)), None)

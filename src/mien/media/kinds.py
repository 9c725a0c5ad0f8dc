"""Which files are pictures, which are videos, and which mien made itself: by their names and first bytes."""

from pathlib import Path
from typing import Final

from mien.media.signatures import Kind, kind_of
from mien.media.video_source import VIDEO_SUFFIXES

PICTURE_SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".avif"}
    | {".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".ico", ".heic", ".heif", ".hif"}
)
"""Lower-case suffixes of pictures that are read; HEIF with an extra."""

_RAW: Final = "a camera raw file"
UNREAD: Final = {
    **dict.fromkeys((".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".orf", ".rw2"), _RAW),
    **dict.fromkeys((".raf", ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".erf", ".mrw", ".kdc", ".dcr"), _RAW),
    **dict.fromkeys((".heics", ".heifs", ".avifs"), "a sequence of HEIF or AVIF pictures"),
    **dict.fromkeys((".svg", ".svgz", ".eps", ".emf", ".wmf"), "a drawing, not a photograph"),
    **dict.fromkeys((".psd", ".psb", ".xcf", ".kra", ".afphoto"), "the file of a picture editor"),
    **dict.fromkeys((".jxl", ".jxr", ".wdp", ".hdp"), "in JPEG XL or JPEG XR"),
    **dict.fromkeys((".exr", ".hdr", ".pfm", ".dds", ".pcx", ".sgi", ".icns"), "in a rare format"),
    **dict.fromkeys((".qoi", ".bpg", ".flif"), "in a rare format"),
    **dict.fromkeys((".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm"), "in a rare form of JPEG 2000"),
}
"""What pictures of other lower-case suffixes are: they are named, and not read."""

_MORE_VIDEOS: Final = frozenset(
    {
        ".mpv",
        ".mp4v",
        ".nut",
        ".ogm",
        ".rm",
        ".rmvb",
        ".wtv",
        ".3gp2",
        ".3gpp",
        ".tod",
        ".insv",
        ".lrv",
        ".braw",
        ".r3d",
    }
    | {".mpv", ".amv", ".gifv", ".mjp", ".xvid", ".av1", ".obu"}
)
"""Lower-case suffixes by which videos are found in folders, beside those that `is_video` goes by."""

_AMBIGUOUS: Final = frozenset({".ts", ".mts", ".rm", ".mod", ".hdr", ".pfm", ".obu", ".fff", ".264", ".265"})
"""Suffixes of other files too, TypeScript for example: what lies in such a file must look like a video or picture."""

_RARE_STARTS: Final = {".hdr": (b"#?",), ".pfm": (b"PF", b"Pf")}
"""First bytes that tell Radiance's pictures from headers of scans, and portable float maps from metrics of fonts."""

_SOUNDS: Final = frozenset({".m4a", ".m4b", ".m4r", ".mka", ".wma", ".oga", ".ogg", ".opus", ".weba", ".aac", ".mp3"})

MARK: Final = "made by mien, which leaves it out of folders"
"""Stands as a comment in every picture and video that mien writes."""

SORTED_FILE: Final = "sorted.mien.json"
"""Lies in a folder of sorted copies, which is left out where the folder around it is searched."""

_OWN: Final = ".mien."
_ENDS: Final = 1 << 14
"""Bytes at both ends of a file in which its kind and `MARK` are looked for."""


def suffix(path: str | Path) -> str:
    """The lower-case suffix of a file's name."""
    return Path(path).suffix.lower()


def kind_of_file(path: Path) -> Kind | None:
    """What a regular file is by its first bytes; None for other files, and for those that cannot be read."""
    return kind_of(first_bytes(path))


def first_bytes(path: Path) -> bytes:
    """Enough of a regular file to tell what it is; nothing of other files, and of those that cannot be read."""
    return _ends(path)[0]


def looks_like_one(path: Path) -> bool:
    """Whether a file that is found in a folder looks like a picture or video, by its name or else by its content."""
    name = suffix(path)
    if name in _SOUNDS:
        return False
    if name not in _AMBIGUOUS and (name in PICTURE_SUFFIXES | VIDEO_SUFFIXES | _MORE_VIDEOS or name in UNREAD):
        return True
    content = first_bytes(path)
    return kind_of(content) is not None or content.startswith(_RARE_STARTS.get(name, ()))


def is_video_file(path: Path) -> bool:
    """Whether a file is a video: by its suffix, or by its content where its suffix says nothing."""
    name = suffix(path)
    if name in VIDEO_SUFFIXES | _MORE_VIDEOS:
        return True
    return name not in UNREAD and kind_of_file(path) == "video"


def has_own_name(name: str) -> bool:
    """Whether a file is called as mien calls those that it makes: with ``.mien.`` in the name."""
    return _OWN in name.lower()


def is_own(path: Path) -> bool:
    """Whether mien made a file: its name says so, or `MARK` stands near the beginning or end of it."""
    return has_own_name(path.name) or any(MARK.encode() in end for end in _ends(path))


def _ends(path: Path) -> tuple[bytes, bytes]:
    """The first and the last bytes of a regular file; nothing of other files, and where it cannot be read."""
    try:
        if not path.is_file():  # a pipe would be read empty
            return b"", b""
        with path.open("rb") as file:
            head = file.read(_ENDS)
            file.seek(max(_ENDS, path.stat().st_size - _ENDS))
            return head, file.read(_ENDS)
    except (OSError, ValueError):
        return b"", b""

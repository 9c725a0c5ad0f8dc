"""What a file is, by its first bytes.

The signatures are those of https://mimesniff.spec.whatwg.org, of ISO/IEC 14496-12 and of FFmpeg's probes.
"""

from typing import Final, Literal

Kind = Literal["picture", "heif", "video"]

_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_OTHER_BRANDS: Final = frozenset({b"M4A ", b"M4B ", b"M4P ", b"crx "})
"""Of sound, and of Canon's raw files."""
_PICTURE_STARTS: Final = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"),
    b"\0\0\0\x0cjP  \r\n\x87\n",
)
_VIDEO_STARTS: Final = (
    *(b"\x1aE\xdf\xa3", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"0&\xb2u\x8ef\xcf\x11", b".RMF"),
    *(b"DKIF", b"YUV4MPEG2", b"\0\0\0\x01g", b"\0\0\x01g", b"\0\0\0\x01@\x01"),
)
_PACKETS: Final = ((0, 188), (4, 192))
"""Where the first sync byte of an MPEG transport stream stands, and how far the next one is."""


def kind_of(content: bytes) -> Kind | None:
    """What a file is by its first 400 bytes; None when it looks like neither a picture nor a video."""
    if content[4:8] == b"ftyp":
        return _kind_of_brands(content)
    if content.startswith(_PICTURE_STARTS) or (content.startswith(b"RIFF") and content[8:12] == b"WEBP"):
        return "picture"
    if content.startswith(_VIDEO_STARTS) or (content.startswith(b"RIFF") and content[8:12] == b"AVI "):
        return "video"
    if content[4:8] in {b"moov", b"mdat", b"wide"} or _is_transport_stream(content):
        return "video"
    return None


def _kind_of_brands(content: bytes) -> Kind | None:
    """What a file in ISO's base media format is, by the brands of its first box (ISO/IEC 14496-12, 4.3)."""
    size = min(int.from_bytes(content[:4], "big"), 400)
    major = content[8:12]
    brands = {major, *(content[start : start + 4] for start in range(16, size, 4))}
    if major in _OTHER_BRANDS:
        return None
    if major in _AVIF_BRANDS or (major in {b"mif1", b"msf1"} and brands & _AVIF_BRANDS):
        return "picture"
    return "heif" if major in _HEIC_BRANDS | {b"mif1", b"msf1"} else "video"


def _is_transport_stream(content: bytes) -> bool:
    return any(
        len(content) > start + step and content[start] == content[start + step] == 0x47 for start, step in _PACKETS
    )

"""The main header of a JPEG 2000 codestream: tiles, layers and precincts, each of which costs memory and time.

Source: ITU-T T.800, A.5.1 (SIZ) and A.6.1 (COD).
"""

from typing import Final

from mien.media.boxes import Content
from mien.media.costly import too_costly

_SIZ: Final = b"\xff\x4f\xff\x51"
_COD: Final = b"\xff\x52"
_HEADER: Final = 2**16
"""Bytes after SIZ in which COD must begin."""
_TILES: Final = 4096
_COMPONENTS: Final = 4
_LAYERS: Final = 100
_PRECINCT: Final = 6
"""Least exponent of the sides of a precinct, 64 pixels; each lower resolution has half of the pixels a side."""


def check_jpeg2000(content: Content, name: str, max_pixels: int) -> None:
    """Refuse a JPEG 2000 file of too many pixels, tiles, components, layers or precincts.

    Args:
        content: the whole file; one without a codestream passes.
        name: what to call it in errors.
        max_pixels: that one picture may have.

    Raises:
        TooLargeError: it has.
    """
    at = content.find(_SIZ) + 4
    if at < 4:
        return
    right, low, left, top, *tile = (
        int.from_bytes(content[start : start + 4], "big") for start in range(at + 4, at + 36, 4)
    )
    pixels = max(0, right - left) * max(0, low - top)
    across, down = (-(-edge // (side or 1)) for edge, side in zip((right, low), tile, strict=False))
    components = int.from_bytes(content[at + 36 : at + 38], "big")
    few = pixels <= max_pixels and across * down <= _TILES and components <= _COMPONENTS
    if not few or not _is_simple(content, content.find(_COD, at, at + _HEADER) + 4):
        what = f"more than {max_pixels / 10**6:g} megapixels, {_TILES:,} tiles, {_COMPONENTS} components or {_LAYERS} "
        what += "layers, or tiny precincts"
        raise too_costly(name, what)


def _is_simple(content: Content, at: int) -> bool:
    """Whether a coding style, from behind the length of its segment on, has few layers and no tiny precincts."""
    if at < 4 or at + 10 > len(content):
        return True
    layers, levels = int.from_bytes(content[at + 2 : at + 4], "big"), content[at + 5]
    precincts = content[at + 10 : at + 11 + min(levels, 32)] if content[at] & 1 else b""
    wide = all(min(side & 15, side >> 4) >= _PRECINCT - place for place, side in enumerate(reversed(precincts)))
    return layers <= _LAYERS and wide

"""How large H.265 pictures are by their own headers: the sequence parameter sets in the box ``hvcC``.

Sources: ITU-T H.265, 7.3.2.2 and 7.3.3; ISO/IEC 14496-15, 8.3.3.1.
"""

from collections.abc import Iterator
from typing import Final

from mien.media.boxes import Content

_SPS: Final = 33
_HEAD: Final = 22
_NAL_HEAD: Final = 2
_LONGEST: Final = 512
"""Bytes of a parameter set that are looked at; width and height come first."""
_ZEROS: Final = 32


class Bits:
    """Bits, read from the highest of the first byte on; 0 after the last.

    Args:
        content: the bytes.
    """

    def __init__(self, content: bytes) -> None:
        self._value, self._left = int.from_bytes(content, "big"), 8 * len(content)

    def take(self, count: int) -> int:
        """The next bits, as a number."""
        self._left -= count
        return (self._value >> max(0, self._left)) & ((1 << count) - 1) if self._left >= 0 else 0

    def golomb(self) -> int:
        """The next number in Exp-Golomb code, ``ue(v)``: H.265, 9.2."""
        zeros = 0
        while zeros < _ZEROS and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def hevc_pixels(content: Content, start: int, end: int) -> Iterator[int]:
    """Width times height of every sequence parameter set in a box ``hvcC``.

    Args:
        content: of the file.
        start: of the box's content.
        end: of it.
    """
    at = start + _HEAD + 1
    for _ in range(content[start + _HEAD] if start + _HEAD < end else 0):
        kind, count, at = content[at] & 63 if at < end else 0, int.from_bytes(content[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            if at + 2 > end:
                return
            size = int.from_bytes(content[at : at + 2], "big")
            if kind == _SPS:
                yield _pixels(content[at + 2 : at + 2 + min(size, _LONGEST)])
            at += 2 + size


def _pixels(parameters: bytes) -> int:
    bits = Bits(parameters[_NAL_HEAD:].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    flags = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in flags:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:  # separate colour planes
        bits.take(1)
    return bits.golomb() * bits.golomb()

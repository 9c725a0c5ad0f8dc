"""Drawing of explanations: for each face a row of pictures, with the evidence for an expression laid over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.media.decode_picture import Pixels
from mien.output.fonts import Font, Lettering, lettering

_TILE: Final = 240
_GAP: Final = 12
_TEXT: Final = 15
_LINE: Final = 24
_BAR: Final = (340, 14)
_FOR: Final = np.array([213, 94, 0])
_AGAINST: Final = np.array([0, 114, 178])
"""Vermilion and blue, which all eyes tell apart (Okabe and Ito, 2008)."""

_CUT: Final = "..."

_STRONGEST: Final = 0.7
"""How much of the face the strongest evidence covers."""

_PAPER: Final = (255, 255, 255)
_INK: Final = (20, 20, 20)
_UNITS: Final = {"rise": "log odds gained by showing it", "grad-cam": "gradient-weighted activation, no unit"}


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceRow:
    """What is drawn of one face.

    Args:
        picture: the face, uint8 (H, H) or (H, H, 3).
        maps: an expression, its probability, and the evidence for it over the picture, (S, S).
    """

    picture: Pixels
    maps: Sequence[tuple[str, float, NDArray[np.float64]]]


def draw_evidence(rows: Sequence[EvidenceRow], labels: tuple[str, ...], method: str) -> Pixels:
    """A sheet with a row for each face: the face, and the same with the evidence for each expression laid over it.

    Strengths are relative to the strongest place of the sheet, so that its maps can be compared; the legend says how
    strong that is.

    Args:
        rows: at least one.
        labels: the model's classes.
        method: ``rise`` or ``grad-cam``.

    Returns:
        RGB uint8 (H, W, 3).
    """
    strongest = float(max(np.abs(values).max() for row in rows for _, _, values in row.maps))
    columns = 1 + max(len(row.maps) for row in rows)
    width = max(columns * (_TILE + _GAP) + _GAP, _BAR[0] + 2 * _GAP)
    sheet = Image.new("RGB", (width, len(rows) * (_TILE + _LINE + _GAP) + 4 * _LINE), _PAPER)
    letters = lettering(labels)
    for number, row in enumerate(rows):
        _draw_row(sheet, number, row, strongest, letters)
    _draw_legend(sheet, method, strongest, letters)
    return np.array(sheet)


def _draw_row(sheet: Image.Image, number: int, row: EvidenceRow, strongest: float, letters: Lettering) -> None:
    top = _GAP + number * (_TILE + _LINE + _GAP)
    grey = Image.fromarray(row.picture).convert("L").resize((_TILE, _TILE), Image.Resampling.BICUBIC)
    face = np.asarray(grey.convert("RGB"), np.float64)
    pen, font = ImageDraw.Draw(sheet), letters.font(_TEXT)
    tiles = [(f"face {number}", face)]
    for name, probability, values in row.maps:
        tiles.append((_caption(letters.words[name], probability, font), _laid_over(face, values, strongest)))
    for column, (words, pixels) in enumerate(tiles):
        left = _GAP + column * (_TILE + _GAP)
        pen.text((left, top + _LINE / 2), words, font=font, fill=_INK, anchor="lm")
        sheet.paste(Image.fromarray(np.rint(pixels).astype(np.uint8)), (left, top + _LINE))


def _caption(name: str, probability: float, font: Font) -> str:
    """What stands above a map; a name that is too long for it loses its end, the probability stays."""
    cuts = (name, *(f"{name[:length]}{_CUT}" for length in range(len(name) - 1, -1, -1)))
    captions = (f"for {shown}, {probability:.0%}" for shown in cuts)
    return next((words for words in captions if font.getlength(words) <= _TILE), "")


def _laid_over(face: NDArray[np.float64], values: NDArray[np.float64], strongest: float) -> NDArray[np.float64]:
    """A face (H, W, 3), 0..255, coloured by the evidence in each place."""
    image = Image.fromarray(values.astype(np.float32))
    large = np.asarray(image.resize((_TILE, _TILE), Image.Resampling.BILINEAR), np.float64)
    return _coloured(face, large / (strongest or 1.0))


def _coloured(ground: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (H, W, 3) of strengths -1..1 (H, W) on a ground."""
    share = _STRONGEST * np.abs(strength)[..., None]
    return np.asarray((1 - share) * ground + share * np.where(strength[..., None] > 0, _FOR, _AGAINST))


def _draw_legend(sheet: Image.Image, method: str, strongest: float, letters: Lettering) -> None:
    """A bar of the colours, what its ends mean, and the unit."""
    pen, font, (long, high) = ImageDraw.Draw(sheet), letters.font(_TEXT), _BAR
    left, top = _GAP, sheet.height - 2 * _LINE - _GAP
    signed = method == "rise"
    strength = np.tile(np.linspace(-1 if signed else 0, 1, long), (high, 1))
    bar = _coloured(np.full((high, long, 3), 160.0), strength)
    sheet.paste(Image.fromarray(np.rint(bar).astype(np.uint8)), (left, top))
    low = "speaks against" if signed else "no evidence"
    pen.text((left, top - 4), low, font=font, fill=_INK, anchor="lb")
    pen.text((left + long, top - 4), "speaks for", font=font, fill=_INK, anchor="rb")
    ends = (f"{-strongest:.2g}" if signed else "0"), f"{strongest:+.2g}" if signed else f"{strongest:.2g}"
    pen.text((left, top + high + 4), ends[0], font=font, fill=_INK, anchor="lt")
    pen.text((left + long, top + high + 4), ends[1], font=font, fill=_INK, anchor="rt")
    middle = left + long / 2, top + high + 4
    pen.text(middle, _UNITS[method], font=letters.font(_TEXT - 3), fill=_INK, anchor="mt")

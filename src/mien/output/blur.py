"""Faces made unrecognisable, for pictures and videos that are shared.

A face and what surrounds it is averaged over a few large cells. Nothing finer is left in the picture, so no filter
brings it back; what a few cells tell (the colour of hair and skin, whether glasses are dark) stays.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from PIL import Image

from mien.media.decode_picture import Pixels
from mien.results import Box

CELLS: Final = 5
"""Cells along the longer side of what is averaged, about three across the face."""

LEAST_CELL: Final = 8
"""Pixels of a cell at least: small faces have fewer cells."""

AROUND: Final = 0.35
"""Of the longer side of a face's box, what is averaged beyond it to every side: hair, ears, chin."""


def blurred(image: Pixels, boxes: Iterable[Box]) -> Pixels:
    """A copy of a picture whose faces cannot be recognised.

    Args:
        image: RGB uint8 (H, W, 3) or grayscale uint8 (H, W).
        boxes: of the faces.
    """
    result = image.copy()
    for box in boxes:
        margin = AROUND * max(box.width, box.height)
        wide, high = box.width + 2 * margin, box.height + 2 * margin
        part = Box.inside(box.x - margin, box.y - margin, wide, high, image=(image.shape[0], image.shape[1]))
        if part is not None:
            rows, columns = slice(part.y, part.y + part.height), slice(part.x, part.x + part.width)
            result[rows, columns] = _averaged(image[rows, columns])
    return result


def _averaged(part: Pixels) -> Pixels:
    height, width = part.shape[:2]
    cell = max(LEAST_CELL, max(height, width) / CELLS)
    cells = max(1, round(width / cell)), max(1, round(height / cell))
    small = Image.fromarray(part).resize(cells, Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))

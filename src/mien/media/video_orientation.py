"""Images of videos turned and mirrored as they are to be seen."""

from collections.abc import Sequence

import numpy as np

from mien.media.decode_picture import Pixels


def upright(image: Pixels, matrix: Sequence[int]) -> Pixels:
    """An image as it is to be seen.

    Args:
        image: uint8 (H, W, 3) as stored.
        matrix: the nine numbers of a display matrix (ISO 14496-12, 6.2.2): the stored point (x, y) is shown at
            (m0 x + m3 y, m1 x + m4 y). The nearest of the eight orientations is taken.
    """
    across_x, down_x, _, across_y, down_y = (int(number) for number in matrix[:5])
    if abs(across_x) + abs(down_y) >= abs(down_x) + abs(across_y):
        turned, down, across = image, down_y, across_x
    else:
        turned, down, across = image.swapaxes(0, 1), down_x, across_y
    return np.ascontiguousarray(turned[:: _direction(down), :: _direction(across)])


def _direction(number: int) -> int:
    return -1 if number < 0 else 1

import cv2
import numpy as np
import pytest
from skimage import data

from mien.faces.align import crop_face
from mien.faces.quality import quality_of
from mien.output.blur import AROUND, CELLS, LEAST_CELL, blurred
from mien.output.blurred_results import HELD, with_blurred
from mien.output.recognized import Recognized
from mien.results import Box, Face, Frame

FACE = Box(178, 63, 90, 113)


def face(box):
    return Face(box, 0.9, (0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1))


def edges(part):
    """Mean difference of neighbouring pixels, grey levels."""
    return np.abs(np.diff(part.astype(float), axis=1)).mean()


@pytest.mark.parametrize("scale", [0.25, 1, 3])
def test_a_face_and_its_surroundings_lose_every_detail_and_nothing_else_is_touched(scale):
    photo = cv2.resize(data.astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    box = Box(*(round(value * scale) for value in FACE))
    before = photo.copy()
    result = blurred(photo, [box])
    inside = np.s_[box.y : box.y + box.height, box.x : box.x + box.width]
    assert edges(result[inside]) < 0.2 * edges(photo[inside])
    assert quality_of(box, (), crop_face(result, tuple(box))).sharpness < 15
    np.testing.assert_array_equal(photo, before)
    margin = AROUND * max(box.width, box.height) + 1
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    outside = (rows < box.y - margin) | (rows > box.y + box.height + margin)
    outside |= (columns < box.x - margin) | (columns > box.x + box.width + margin)
    np.testing.assert_array_equal(result[outside], photo[outside])


@pytest.mark.parametrize(("side", "cells"), [(400, CELLS), (60, CELLS), (12, 2)])
def test_what_is_left_is_what_a_few_cells_hold(side, cells):
    """Pictures that differ, but not in the means of the cells, are the same when they are blurred."""
    random = np.random.default_rng(0)
    width = round(side * (1 + 2 * AROUND))
    assert cells == min(CELLS, round(width / LEAST_CELL))
    cell = 2 * (width // (2 * cells))
    image = np.full((cells * cell, cells * cell), 128, np.uint8)
    pattern = random.integers(-90, 90, (cell, cell))
    other = (image + np.tile(pattern - pattern[::-1, ::-1], (cells, cells)) // 2).astype(np.uint8)  # of mean 0
    box = Box(0, 0, *image.shape)
    assert np.abs(image.astype(int) - other).max() > 40
    assert np.abs(blurred(image, [box]).astype(int) - blurred(other, [box])).max() <= 2


def test_a_place_of_a_video_stays_blurred_while_its_face_is_missed():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    found = (face(Box(30, 20, 20, 20)),)
    frames = [Frame("v.mp4", n, n / 10, 80, 60, found if n == 0 else ()) for n in range(9)]
    frames += [Frame("w.mp4", 0, 0.0, 80, 60), Frame("a.png", width=80, height=60)]
    results = list(with_blurred(Recognized(frame, image) for frame in frames))
    touched = [(result.image != image).any() for result in results]
    assert touched == [n / 10 <= HELD for n in range(9)] + [False, False]
    assert [result.frame for result in results] == frames
    (unread,) = with_blurred([Recognized(Frame("a.png", error="a.png: broken"), None)])
    assert unread.image is None

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mien.faces.tiles import LONGEST, OVERLAP, tiles

LENGTHS = st.integers(1, 6000)


@given(LENGTHS, LENGTHS)
def test_tiles_are_bounded_and_cover_an_image(height, width):
    seen = np.zeros((height, width), np.uint8)
    for tile in tiles(height, width):
        part = tile.of(seen)
        assert 0 < part.shape[0] <= LONGEST
        assert 0 < part.shape[1] <= LONGEST
        part[:] = 1
    assert seen.all()


@given(st.integers(1281, 6000), st.data())
def test_every_box_up_to_the_overlap_is_whole_in_a_tile(width, data):
    side = data.draw(st.integers(1, OVERLAP - 5))
    left = data.draw(st.integers(0, width - side))
    whole = [
        tile.whole(np.array([[left - tile.left, 3, side, side]], np.float32)).item()
        for tile in tiles(200, width)
        if tile.left <= left and left + side <= tile.right
    ]
    assert any(whole)


def test_the_pixels_seen_grow_with_the_image():
    for height, width in ((1280, 1280), (2000, 2667), (667, 5333), (8000, 12_000)):
        seen = sum((tile.bottom - tile.top) * (tile.right - tile.left) for tile in tiles(height, width))
        assert seen <= 1.4 * height * width


def test_boxes_that_an_inner_edge_cuts_are_not_whole():
    first, second = tiles(100, 2000)
    at_the_end = np.array([[first.right - 50, 10, 49, 60], [first.right - 80, 10, 49, 60]], np.float32)
    assert first.whole(at_the_end).tolist() == [False, True]
    assert second.whole(np.array([[1, 0, 30, 30], [900, 0, 300, 30]], np.float32)).tolist() == [False, True]

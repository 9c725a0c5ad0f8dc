import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from mien.data.audit.near_duplicates import MIN_CORRELATION, REACH, near_duplicates


def clouds(count, seed=0):
    """Smooth random pictures of strong contrast, with some fine grain."""
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.normal(size=(count, 48, 48)), (0, 3, 3))
    grain = gaussian_filter(random.normal(size=(count, 48, 48)), (0, 1, 1))
    mixed = smooth / smooth.std(axis=(1, 2), keepdims=True) + 0.15 * grain / grain.std()
    return np.clip(128 + 45 * mixed, 0, 255).astype(np.uint8)


CLOUDS = clouds(600)


def shifted(face, down, right):
    """A face moved, its edge repeated where it leaves a gap."""
    padded = np.pad(face, REACH, mode="edge")
    return padded[REACH - down : REACH - down + 48, REACH - right : REACH - right + 48]


def reencoded(face, quality):
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(face)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def pairs(near):
    return list(zip(near.rows.tolist(), near.others.tolist(), strict=True))


@settings(max_examples=40)
@given(
    down=st.integers(-REACH, REACH),
    right=st.integers(-REACH, REACH),
    mirror=st.booleans(),
    quality=st.sampled_from([None, 50, 75, 95]),
    source=st.integers(0, 39),
)
def test_finds_a_copy_however_it_was_made(down, right, mirror, quality, source):
    copy = shifted(CLOUDS[source], down, right)[:, :: -1 if mirror else 1]
    copy = reencoded(copy, quality) if quality else copy
    near = near_duplicates(np.concatenate([CLOUDS[:40], copy[None]]))
    assert pairs(near) == [(source, 40)]
    assert near.mirrored.tolist() == [mirror]
    assert near.shifts.tolist() == [max(abs(down), abs(right))]


def test_states_correlation_and_difference_of_the_shared_window():
    face = CLOUDS[0]
    copy = reencoded(shifted(face, 2, -1), 60)
    near = near_duplicates(np.stack([face, copy]))
    window, other = copy[5:47, 2:44].astype(float), face[3:45, 3:45].astype(float)
    assert near.correlation[0] == pytest.approx(np.corrcoef(window.ravel(), other.ravel())[0, 1], abs=1e-4)
    assert near.difference[0] == pytest.approx(np.abs(window - other).mean(), abs=1e-3)


def test_different_pictures_are_no_pairs():
    assert pairs(near_duplicates(CLOUDS)) == []


def test_finds_most_of_what_comparing_all_pairs_finds():
    """Blends of two pictures, from equal to unrelated; the oracle correlates every pair at every alignment."""
    random = np.random.default_rng(1)
    shares = random.uniform(0, 0.45, (200, 1, 1))
    blends = (1 - shares) * CLOUDS[:200] + shares * CLOUDS[200:400]
    faces = np.concatenate([CLOUDS[:200], blends.astype(np.uint8)])
    middles = faces[:, REACH:-REACH, REACH:-REACH].reshape(len(faces), -1)
    correlation = np.triu(np.corrcoef(middles), 1)
    expected = set(zip(*(ends.tolist() for ends in np.nonzero(correlation >= MIN_CORRELATION)), strict=True))
    found = set(pairs(near_duplicates(faces)))
    assert len(expected) > 80
    assert len(found & expected) >= 0.9 * len(expected)


def test_a_jpeg_copy_of_a_set_matches_its_original_row_by_row():
    copies = np.stack([reencoded(face, 70) for face in CLOUDS])
    near = near_duplicates(np.concatenate([CLOUDS, copies]))
    assert pairs(near) == [(row, 600 + row) for row in range(600)]


def test_many_alike_are_linked_into_one_group():
    noise = np.random.default_rng(2).integers(-3, 4, (80, 48, 48))
    near = near_duplicates(np.clip(CLOUDS[0] + noise, 0, 255).astype(np.uint8))
    reached = {0}
    for _ in range(3):
        reached |= {end for pair in pairs(near) if reached & set(pair) for end in pair}
    assert reached == set(range(80))


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    assert len(near_duplicates(CLOUDS[:count])) == 0

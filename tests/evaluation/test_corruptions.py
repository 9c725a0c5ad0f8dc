"""Corruptions against second implementations (Pillow, SciPy) and closed forms."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from scipy import ndimage

from mien.errors import UsageError
from mien.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupted

BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
DRAWN_BY_NUMPY = Path(__file__).with_name("corruptions.sha256")
THROUGH_PILLOW = {"jpeg", "low_resolution", "pixelate", "rotation"}
"""Whose bytes depend on the version of Pillow."""
AUGMENT_FAMILIES = {
    "noise", "shot_noise", "blur", "motion_blur", "jpeg", "low_resolution", "gamma", "brightness", "contrast",
    "occlusion", "rotation", "shift", "scale",
}  # fmt: skip


def spoilt(faces, name, strength, seed=0):
    return corrupted(faces, BY_NAME[name], strength, seed)


def flat(level, count=40):
    return np.full((count, 48, 48), level, np.uint8)


@pytest.fixture(scope="module")
def faces():
    """Smooth pictures with detail of every size, as faces have."""
    noise = np.random.default_rng(1).normal(size=(60, 48, 48))
    smooth = sum(ndimage.gaussian_filter(noise, (0, sd, sd)) * sd for sd in (1, 2, 5))
    return np.clip(128 + 60 * smooth / smooth.std(), 0, 255).astype(np.uint8)


@pytest.fixture(params=CORRUPTIONS, ids=lambda corruption: corruption.name)
def corruption(request):
    return request.param


def test_every_corruption_keeps_shape_and_type_and_its_argument(corruption, faces):
    before = faces.copy()
    for strength in corruption.strengths:
        result = corrupted(faces, corruption, strength)
        assert (result.shape, result.dtype) == (faces.shape, np.uint8)
    np.testing.assert_array_equal(faces, before)
    assert corrupted(faces[:0], corruption, corruption.strengths[0]).shape == (0, 48, 48)


def test_each_severity_changes_the_faces_more_than_the_one_before(corruption, faces):
    changes = [
        np.abs(corrupted(faces, corruption, strength).astype(int) - faces).mean() for strength in corruption.strengths
    ]
    assert len(changes) == len(SEVERITIES)
    assert changes[0] > 0
    least = -0.5 if corruption.name == "rotation" else 0  # what is turned by 45 degrees no longer resembles itself
    assert np.all(np.diff(changes) > least)


def test_equal_seeds_give_equal_bytes_and_the_others_do_not(corruption, faces):
    strength = corruption.strengths[2]
    first, again, other = (corrupted(faces, corruption, strength, seed) for seed in (7, 7, 8))
    assert first.tobytes() == again.tobytes()
    drawn = {"gaussian_noise", "shot_noise", "impulse_noise", "motion_blur", "side_light", "hand", "rotation", "shift"}
    assert (first.tobytes() != other.tobytes()) == (corruption.name in drawn)


def test_what_numpy_draws_is_the_same_on_every_machine():
    """SHA-256 of severity 3 with seed 0 of a fixed ramp, one a line; made once, on another processor than yours."""
    ramp = (np.arange(3 * 48 * 48) * 7 % 256).astype(np.uint8).reshape(3, 48, 48)
    found = [
        f"{hashlib.sha256(corrupted(ramp, entry, entry.strengths[2])).hexdigest()}  {entry.name}"
        for entry in CORRUPTIONS
        if entry.name not in THROUGH_PILLOW
    ]
    assert found == DRAWN_BY_NUMPY.read_text().splitlines()


def test_names_are_unique_and_some_families_are_never_trained_on():
    assert len(BY_NAME) == len(CORRUPTIONS)
    strangers = {corruption.family for corruption in CORRUPTIONS} - AUGMENT_FAMILIES
    assert strangers == {"impulse_noise", "defocus_blur", "pixelate", "side_light", "sunglasses"}


def test_a_chunk_gets_what_the_first_faces_get(faces):
    many = np.concatenate([faces] * 10)
    for name in ("gaussian_noise", "hand", "rotation"):
        np.testing.assert_array_equal(spoilt(many, name, 10)[:512], spoilt(many[:512], name, 10))
        assert spoilt(many, name, 10)[512:].tobytes() != spoilt(many, name, 10)[: len(many) - 512].tobytes()


@pytest.mark.parametrize("bad", [np.zeros((2, 48, 48), np.float32), np.zeros((2, 44, 48), np.uint8), flat(0)[0]])
def test_other_faces_are_refused(bad):
    with pytest.raises(UsageError, match=r"expected uint8 \(N, S, S\)"):
        spoilt(bad, "jpeg", 20)


@pytest.mark.parametrize("name", ["mask", "shift", "pixelate", "darkness", "contrast", "side_light"])
def test_of_an_enlarged_face_the_same_part_is_spoilt(faces, name):
    twice = faces.repeat(2, axis=1).repeat(2, axis=2)
    strength = BY_NAME[name].strengths[2]
    expected = spoilt(faces, name, strength).repeat(2, axis=1).repeat(2, axis=2).astype(int)
    apart = np.abs(spoilt(twice, name, strength) - expected)
    assert apart.max() <= (2 if name == "side_light" else 0)  # whose steps are half as wide


def test_lengths_grow_with_the_face(faces):
    wide = np.full((40, 120, 120), 100, np.uint8)
    wide[:, ::2] = 140
    side = BY_NAME["hand"].strengths[1]
    hidden = (spoilt(wide, "hand", side) == 120).sum(axis=(1, 2))
    assert set(hidden.tolist()) == {(side * 120 // 48) ** 2}
    larger = np.stack([np.asarray(Image.fromarray(face).resize((96, 96))) for face in faces])
    expected = ndimage.gaussian_filter(larger.astype(float), (0, 2.4, 2.4), mode="nearest", truncate=4)
    assert np.abs(spoilt(larger, "gaussian_blur", 1.2) - expected).max() < 1


def test_equal_colours_are_spoilt_as_grey_and_each_colour_by_itself(corruption, faces):
    strength = corruption.strengths[2]
    if corruption.name in {"gaussian_noise", "shot_noise", "impulse_noise"}:
        result = corrupted(np.stack([faces] * 3, axis=3), corruption, strength).astype(int)
        assert (result[..., 0] != result[..., 1]).mean() > 0.02
        return
    result = corrupted(np.stack([faces] * 3, axis=3), corruption, strength)
    apart = np.abs(result.astype(int) - corrupted(faces, corruption, strength)[..., None])
    assert apart.max() <= (3 if corruption.name == "jpeg" else 0)  # which turns colours into others and back


@pytest.mark.parametrize("deviation", [5, 15, 30])
def test_gaussian_noise_has_the_deviation_it_names(deviation):
    noise = spoilt(flat(128), "gaussian_noise", deviation).astype(float) - 128
    assert noise.std() == pytest.approx(np.sqrt(deviation**2 + 1 / 12), rel=0.02)  # and that of rounding
    assert abs(noise.mean()) < 4 * deviation / np.sqrt(noise.size)


@pytest.mark.parametrize("level", [20, 128, 200])
@pytest.mark.parametrize("photons", [800, 150])
def test_shot_noise_has_the_variance_of_a_count(level, photons):
    noisy = spoilt(flat(level), "shot_noise", photons).astype(float)
    assert noisy.mean() == pytest.approx(level, abs=1)
    if level + 4 * 255 / photons * np.sqrt(level / 255 * photons) < 255:  # nothing is cut off at white
        assert noisy.var() == pytest.approx(level * 255 / photons, rel=0.05)


def test_impulse_noise_is_as_frequent_as_it_names_and_half_white():
    noisy = spoilt(flat(128), "impulse_noise", 0.1)
    assert set(np.unique(noisy)) == {0, 128, 255}
    for level in (0, 255):
        assert (noisy == level).mean() == pytest.approx(0.05, abs=0.004)


@pytest.mark.parametrize("deviation", BY_NAME["gaussian_blur"].strengths)
def test_gaussian_blur_is_that_of_scipy(faces, deviation):
    theirs = ndimage.gaussian_filter(faces.astype(float), (0, deviation, deviation), mode="nearest", truncate=4.0)
    assert np.abs(spoilt(faces, "gaussian_blur", deviation) - theirs).max() < 1


@pytest.mark.parametrize("radius", BY_NAME["defocus_blur"].strengths)
def test_defocus_blur_is_the_convolution_with_a_disc(faces, radius):
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
    theirs = ndimage.convolve(faces.astype(float), disc[None] / disc.sum(), mode="nearest")
    assert np.abs(spoilt(faces, "defocus_blur", radius) - theirs).max() < 1
    assert disc.sum() == pytest.approx(np.pi * radius**2, rel=0.2)


@pytest.mark.parametrize("length", BY_NAME["motion_blur"].strengths)
def test_motion_blur_is_a_line_in_one_of_four_directions(length):
    point = flat(0)
    point[:, 24, 24] = 255
    lines = {"-": np.ones((1, length)), "|": np.ones((length, 1)), "\\": np.eye(length), "/": np.eye(length)[::-1]}
    found = set()
    for result in spoilt(point, "motion_blur", length):
        rows, columns = np.nonzero(result)
        box = result[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        matching = [name for name, line in lines.items() if np.array_equal(box > 0, line > 0)]
        assert len(matching) == 1
        assert (rows.mean(), columns.mean()) == (24, 24)
        assert set(result[result > 0]) == {round(255 / length)}
        found.update(matching)
    assert found == set(lines)


def test_jpeg_is_that_of_pillow(faces):
    for face, result in zip(faces[:5], spoilt(faces[:5], "jpeg", 20), strict=True):
        file = io.BytesIO()
        Image.fromarray(face).save(file, "JPEG", quality=20)
        np.testing.assert_array_equal(result, np.asarray(Image.open(file)))


def test_a_mosaic_of_24_cells_holds_means_of_four_pixels(faces):
    means = faces.reshape(-1, 24, 2, 24, 2).mean(axis=(2, 4))
    result = spoilt(faces, "pixelate", 24)
    assert np.abs(result[:, ::2, ::2] - means).max() <= 1  # Pillow rounds rows, then columns
    np.testing.assert_array_equal(result, result[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.floats(0.1, 3))
def test_brightness_multiplies_and_stops_at_white(level, factor):
    assert np.all(spoilt(flat(level, 1), "darkness", factor) == min(255, np.rint(level * factor)))


@pytest.mark.parametrize("factor", BY_NAME["contrast"].strengths)
def test_contrast_scales_the_deviation_and_keeps_the_mean(faces, factor):
    result = spoilt(faces, "contrast", factor).astype(float)
    np.testing.assert_allclose(result.mean(axis=(1, 2)), faces.mean(axis=(1, 2)), atol=0.3)
    np.testing.assert_allclose(result.std(axis=(1, 2)), factor * faces.std(axis=(1, 2)), atol=0.3)


def test_side_light_falls_off_evenly_away_from_each_of_four_sides():
    lit = spoilt(flat(200), "side_light", 0.7)
    ramp = np.rint(200 * np.linspace(1, 0.3, 48))
    sides = {tuple(result[:, 0]) + tuple(result[0]) for result in lit}
    assert len(sides) == 4
    for result in lit:
        along = result[0] if result[0].std() else result[:, 0]
        assert np.abs(np.sort(along)[::-1] - ramp).max() <= 1
        assert min(result.std(axis=0).max(), result.std(axis=1).max()) == 0


def test_a_mask_hides_the_rows_below_and_nothing_else(faces):
    for first in BY_NAME["mask"].strengths:
        result = spoilt(faces, "mask", first)
        np.testing.assert_array_equal(result[:, :first], faces[:, :first])
        assert np.all(result[:, first:] == 128)


def test_sunglasses_hide_the_eyes_and_leave_mouth_and_forehead(faces):
    for half_width in BY_NAME["sunglasses"].strengths:
        hidden = np.all(spoilt(faces, "sunglasses", half_width) == 30, axis=0)
        assert hidden[17:19, [14, 15, 32, 33]].all()
        assert not hidden[:10].any()
        assert not hidden[26:].any()
        two_lenses = 2 * np.pi * half_width * 0.75 * half_width
        assert hidden.sum() == pytest.approx(two_lenses, rel=0.25, abs=20)
        shifted = hidden[:, :-1]  # the eyes' middle lies at column 23.75, between the grid's mirror axes
        assert (shifted != hidden[:, 1:][:, ::-1]).mean() < 0.03


@pytest.mark.parametrize("side", BY_NAME["hand"].strengths)
def test_a_hand_is_a_square_of_the_mean_grey_anywhere_within(side):
    random = np.random.default_rng(3)
    black_and_white = random.integers(0, 2, (300, 48, 48)).astype(np.uint8) * 255
    result = spoilt(black_and_white, "hand", side)
    corners = []
    for before, after in zip(black_and_white, result, strict=True):
        rows, columns = np.nonzero(after == np.rint(before.mean()))
        assert len(rows) == side**2
        assert np.ptp(rows) == np.ptp(columns) == side - 1
        corners.append((rows.min(), columns.min()))
    assert np.min(corners) == 0
    assert np.max(corners) == 48 - side


@pytest.mark.parametrize("degrees", [10, 30, 60])
def test_rotation_is_that_of_scipy_one_way_or_the_other(faces, degrees):
    result = spoilt(faces, "rotation", degrees).astype(float)
    both = [
        ndimage.rotate(faces.astype(float), sign * degrees, axes=(1, 2), reshape=False, order=1) for sign in (1, -1)
    ]
    inner = (slice(12, 36), slice(12, 36))
    errors = np.array([np.abs(result - theirs)[:, *inner].max(axis=(1, 2)) for theirs in both])
    assert errors.min(axis=0).max() < 2
    assert set(errors.argmin(axis=0)) == {0, 1}


@pytest.mark.parametrize("pixels", BY_NAME["shift"].strengths)
def test_shift_moves_to_one_of_four_sides_and_repeats_the_edge(faces, pixels):
    steps = [(pixels, 0), (-pixels, 0), (0, pixels), (0, -pixels)]
    moved = [ndimage.shift(faces, (0, *step), order=0, mode="nearest") for step in steps]
    result = spoilt(faces, "shift", pixels)
    matches = np.array([[np.array_equal(one, other) for one, other in zip(result, m, strict=True)] for m in moved])
    assert matches.sum(axis=0).tolist() == [1] * len(faces)
    assert matches.any(axis=1).all()


def test_the_strengths_of_the_earlier_table_are_among_the_severities_and_give_its_pictures(faces):
    """docs/experiments.md: noise 10 and 20, JPEG 20, blur 1.2, 24 px, 30 degrees, light and contrast x .4, mouth."""
    for name, *strengths in [
        ("gaussian_noise", 10, 20), ("jpeg", 20), ("gaussian_blur", 1.2), ("low_resolution", 24), ("rotation", 30),
        ("darkness", 0.4), ("contrast", 0.4), ("mask", 28),
    ]:  # fmt: skip
        assert set(strengths) <= set(BY_NAME[name].strengths)
    pictures = [Image.fromarray(face) for face in faces]
    small = [face.resize((24, 24), Image.BILINEAR).resize((48, 48), Image.BILINEAR) for face in pictures]
    np.testing.assert_array_equal(spoilt(faces, "low_resolution", 24), np.stack([np.asarray(face) for face in small]))
    blurred = np.stack([np.asarray(face.filter(ImageFilter.GaussianBlur(1.2))) for face in pictures])
    assert np.abs(spoilt(faces, "gaussian_blur", 1.2).astype(int) - blurred).mean() < 1.5
    mean = faces.mean(axis=(1, 2), keepdims=True)
    assert np.abs(spoilt(faces, "contrast", 0.4) - (mean * 0.6 + faces * 0.4).astype(np.uint8).astype(int)).max() <= 1
    assert np.abs(spoilt(faces, "darkness", 0.4) - (faces * 0.4).astype(np.uint8).astype(int)).max() <= 1

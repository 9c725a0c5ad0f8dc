"""Each degradation against another implementation of it, or a closed form."""

import io
import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from mien.training.augment_config import AugmentConfig
from mien.training.degradation import (
    add_noise,
    add_shot_noise,
    blur,
    compress,
    degrade,
    lower_resolution,
    motion_blur,
    occlude,
)
from mien.training.make_card import augment_families

KINDS = ("occlude", "blur", "motion_blur", "low_resolution", "noise", "shot_noise", "jpeg")


def smooth_faces(count=8, side=48):
    """Clouds: neighbouring pixels are alike, as in a photo. uint8 (count, side, side)."""
    noise = np.random.default_rng(3).normal(size=(count, side, side))
    clouds = ndimage.gaussian_filter(noise, (0, 2.5, 2.5))
    return np.clip(128 + 60 * clouds / clouds.std(), 0, 255).astype(np.uint8)


def grey(faces):
    return torch.from_numpy(faces)[:, None].float()


def each(value, count=8):
    return torch.full((count,), float(value))


@pytest.mark.parametrize("sigma", [0.5, 1.2, 2.0])
def test_blur_is_scipys_away_from_the_border(sigma):
    faces = smooth_faces()
    expected = ndimage.gaussian_filter(faces.astype(float), (0, sigma, sigma), truncate=8)
    found = blur(grey(faces), each(sigma))[:, 0].numpy()
    np.testing.assert_allclose(found[:, 12:-12, 12:-12], expected[:, 12:-12, 12:-12], atol=0.05)


def test_blur_keeps_a_constant_face_up_to_the_border():
    constant = torch.full((8, 1, 44, 44), 70.0)
    torch.testing.assert_close(blur(constant, each(2)), constant)


@pytest.mark.parametrize("side", [12, 16, 19, 24, 31, 48])
def test_low_resolution_is_opencvs(side):
    faces = smooth_faces().astype(np.float32)
    small = [cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces]
    expected = [cv2.resize(face, (48, 48), interpolation=cv2.INTER_LINEAR) for face in small]
    found = lower_resolution(grey(faces), each(side))[:, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("quality", [10, 20, 50, 75, 90])
def test_compression_is_pillows_jpeg(quality):
    faces = smooth_faces()
    expected = []
    for face in faces:
        file = io.BytesIO()
        Image.fromarray(face).save(file, "JPEG", quality=quality)
        expected.append(np.asarray(Image.open(file), float))
    found = compress(grey(faces), each(quality))[:, 0].round().clamp(0, 255).numpy()
    assert np.abs(found - expected).mean() < 0.6
    assert np.abs(found - faces).mean() == pytest.approx(np.abs(np.array(expected) - faces).mean(), rel=0.1, abs=0.1)


def test_compression_takes_sides_that_are_no_multiple_of_a_block():
    constant = torch.full((8, 1, 44, 44), 128.0)
    torch.testing.assert_close(compress(constant, each(10)), constant)


def test_noise_has_the_deviation_it_is_told():
    torch.manual_seed(0)
    plain = torch.full((3, 1, 200, 200), 100.0)
    noisy = add_noise(plain, torch.tensor([0.0, 5.0, 20.0]))
    assert noisy.std((1, 2, 3)).tolist() == pytest.approx([0, 5, 20], rel=0.02)
    assert noisy.mean((1, 2, 3)).tolist() == pytest.approx([100] * 3, abs=0.5)


def test_shot_noise_grows_with_the_square_root_of_the_light():
    torch.manual_seed(0)
    light = torch.tensor([0.0, 63.75, 255.0]).view(3, 1, 1, 1).expand(3, 1, 200, 200)
    noisy = add_shot_noise(light, each(16, 3))
    assert noisy.std((1, 2, 3)).tolist() == pytest.approx([0, 8, 16], rel=0.02)


@pytest.mark.parametrize(("angle", "size"), [(0.0, (1, 5)), (math.pi / 2, (5, 1))])
def test_motion_along_an_axis_is_a_mean_along_it(angle, size):
    faces = smooth_faces()
    expected = ndimage.uniform_filter(faces.astype(float), (0, *size), mode="nearest")
    found = motion_blur(grey(faces), each(5), each(angle), 9)[:, 0].numpy()
    np.testing.assert_allclose(found[:, 4:-4, 4:-4], expected[:, 4:-4, 4:-4], atol=0.05)


@given(st.floats(0, math.pi), st.floats(1, 9))
def test_motion_moves_no_light(angle, length):
    point = torch.zeros(1, 1, 31, 31)
    point[..., 15, 15] = 1
    spread = motion_blur(point, each(length, 1), each(angle, 1), 9)[0, 0].double()
    position = torch.arange(31, dtype=torch.float64)
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert (spread.sum(0) @ position).item() == pytest.approx(15, abs=1e-4)
    assert (spread.sum(1) @ position).item() == pytest.approx(15, abs=1e-4)


@given(st.integers(0, 500), st.floats(0.01, 1.0))
def test_an_occluding_patch_is_one_rectangle_of_one_level_within_its_area(seed, area):
    torch.manual_seed(seed)
    faces = torch.full((6, 1, 40, 40), -1.0)
    for face in occlude(faces, area)[:, 0]:
        hidden = face >= 0
        rows, columns = hidden.any(1), hidden.any(0)
        assert torch.equal(hidden, rows[:, None] & columns[None, :])
        assert len(face[hidden].unique()) <= 1
        # Each side is rounded to whole pixels.
        assert hidden.sum() <= area * 1600 + 2 * 40 * 2


def test_occluding_patches_cover_areas_evenly_up_to_the_largest():
    torch.manual_seed(0)
    shares = (occlude(torch.full((2000, 1, 40, 40), -1.0), 0.2) >= 0).flatten(1).float().mean(1)
    assert shares.mean().item() == pytest.approx(0.1, abs=0.005)
    assert shares.std().item() == pytest.approx(0.2 / 12**0.5, abs=0.005)  # of a uniform distribution


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_kind_acts_on_its_share_of_the_batch_and_stays_within_grey_levels(kind, share):
    torch.manual_seed(1)
    faces = grey(np.random.default_rng(0).integers(0, 256, (80, 44, 44), np.uint8))
    before = faces.clone()
    found = degrade(faces, AugmentConfig(**{kind: share}))
    changed = (found != before).flatten(1).any(1)
    assert torch.equal(faces, before)
    assert share * 80 - 12 <= changed.sum() <= share * 80  # weak draws may change nothing
    assert found.min() >= 0
    assert found.max() <= 255


def test_a_probability_is_met_on_average_where_batches_are_small():
    torch.manual_seed(2)
    faces = torch.full((1, 1, 8, 8), 50.0)
    touched = [not torch.equal(degrade(faces, AugmentConfig(noise=0.3)), faces) for _ in range(600)]
    assert np.mean(touched) == pytest.approx(0.3, abs=0.06)


def test_cards_name_the_kinds_that_a_training_shows():
    none = dict.fromkeys(("rotate", "scale", "shift", "brightness", "contrast", "erase"), 0.0)
    assert augment_families(AugmentConfig(**none)) == []
    assert augment_families(AugmentConfig(**none, jpeg=0.1, occlude=0.2)) == ["jpeg", "occlusion"]
    assert augment_families(AugmentConfig(**{**none, "erase": 0.1, "gamma": 1.5})) == ["gamma", "occlusion"]
    assert augment_families(AugmentConfig(**{**none, "contrast": 0.1, "contrast_probability": 0.0})) == []

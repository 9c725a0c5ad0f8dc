import math

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mien.preprocess import PreprocessSpec
from mien.training.augment import affine_maps, augment, erase, vary_tone
from mien.training.augment_config import AugmentConfig

OFF = {"flip": 0, "rotate": 0, "scale": 0, "shift": 0, "brightness": 0, "contrast": 0, "erase": 0}


def strengths(**values):
    return AugmentConfig(**{**OFF, **values})


def faces(count=16, side=48):
    return np.random.default_rng(0).integers(0, 256, (count, side, side), np.uint8)


@given(st.integers(8, 48))
def test_without_strengths_it_is_the_one_preprocessing(input_size):
    spec = PreprocessSpec(input_size=input_size)
    result = augment(torch.from_numpy(faces()), strengths(), spec, input_size)
    np.testing.assert_allclose(result.numpy(), spec.apply(faces()), atol=1e-4)


def test_flip_mirrors_left_and_right_only():
    spec = PreprocessSpec(input_size=44)
    result = augment(torch.from_numpy(faces()), strengths(flip=1), spec, 44)
    np.testing.assert_allclose(result.numpy(), spec.apply(faces())[..., ::-1], atol=1e-4)


def test_vertical_flip_turns_upside_down_only():
    spec = PreprocessSpec(input_size=44)
    result = augment(torch.from_numpy(faces()), strengths(vertical_flip=1), spec, 44)
    np.testing.assert_allclose(result.numpy(), spec.apply(faces())[..., ::-1, :], atol=1e-4)


def test_half_of_the_faces_are_mirrored_at_a_half():
    torch.manual_seed(0)
    spec = PreprocessSpec(input_size=44)
    result = augment(torch.from_numpy(faces(400)), strengths(flip=0.5), spec, 44).numpy()
    plain = spec.apply(faces(400))
    kept = np.isclose(result, plain, atol=1e-4).all((1, 2, 3))
    mirrored = np.isclose(result, plain[..., ::-1], atol=1e-4).all((1, 2, 3))
    assert (kept | mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_maps_stay_within_their_strengths():
    torch.manual_seed(0)
    spec = PreprocessSpec(input_size=44)
    maps = affine_maps(4000, strengths(rotate=15, scale=0.15, shift=0.1), spec, torch.device("cpu"))
    zoom = torch.hypot(maps[:, 0, 0], maps[:, 1, 0]) * 48 / 44
    angle = torch.atan2(maps[:, 1, 0], maps[:, 0, 0]) * 180 / math.pi
    shift = maps[:, :, 2].abs().max().item() * 24 / 44
    assert 1 / 1.15 - 1e-4 <= zoom.min() < 0.88
    assert 1.16 < zoom.max() <= 1 / 0.85 + 1e-4
    assert 14.5 < angle.abs().max() <= 15 + 1e-3
    assert 0.099 < shift <= 0.1 + 1e-5


def test_warp_is_opencvs():
    """The same map through a second implementation, away from the border."""
    torch.manual_seed(3)
    spec = PreprocessSpec(input_size=44)
    smooth = np.stack([cv2.GaussianBlur(face, (0, 0), 3) for face in faces(8)])
    config = strengths(rotate=20, scale=0.2, shift=0.05)
    result = augment(torch.from_numpy(smooth), config, spec, 44)
    torch.manual_seed(3)
    maps = affine_maps(8, config, spec, torch.device("cpu")).numpy()
    for face, matrix, found in zip(smooth, maps, result.numpy(), strict=True):
        # From pixel centres of the result to -1..1, through the map, to pixel centres of the frame.
        to_unit = np.array([[2 / 44, 0, 1 / 44 - 1], [0, 2 / 44, 1 / 44 - 1], [0, 0, 1]])
        to_frame = np.array([[24, 0, 23.5], [0, 24, 23.5]]) @ np.vstack([matrix, [0, 0, 1]]) @ to_unit
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        expected = cv2.warpAffine(face, to_frame, (44, 44), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        np.testing.assert_allclose(found[0], (expected / 255 - 0.5) / 0.25, atol=0.06)


def test_smaller_resolution_keeps_the_view():
    spec = PreprocessSpec(input_size=44)
    ramp = np.tile(np.linspace(0, 255, 48, dtype=np.uint8), (2, 48, 1))
    small = augment(torch.from_numpy(ramp), strengths(), spec, 22)[0, 0, 0]
    whole = torch.from_numpy(spec.apply(ramp))[0, 0, 0]
    np.testing.assert_allclose(small.numpy(), whole.reshape(22, 2).mean(1).numpy(), atol=0.02)


def test_tone_scales_about_the_mean_and_stays_in_range():
    torch.manual_seed(0)
    grey = torch.full((500, 1, 4, 4), 100.0)
    bright = vary_tone(grey, strengths(brightness=0.3))[:, 0, 0, 0]
    assert 70 - 1e-3 <= bright.min() < 73
    assert 127 < bright.max() <= 130 + 1e-3
    assert torch.allclose(vary_tone(grey, strengths(contrast=0.5)), grey, atol=1e-3)
    stripes = torch.tensor([0.0, 255.0]).repeat(8).view(1, 1, 4, 4).repeat(50, 1, 1, 1)
    varied = vary_tone(stripes, strengths(contrast=0.9, brightness=0.9))
    assert varied.min() >= 0
    assert varied.max() <= 255


@pytest.mark.parametrize("kind", ["brightness", "contrast", "gamma"])
def test_tone_varies_the_share_of_faces_that_is_asked_for(kind):
    stripes = torch.tensor([40.0, 180.0]).repeat(8).view(1, 1, 4, 4).repeat(2000, 1, 1, 1)
    strength = {kind: 2.0 if kind == "gamma" else 0.5}
    for share, allowed in ((0.0, 0), (0.3, 0.03), (1.0, 0.001)):
        torch.manual_seed(0)
        varied = vary_tone(stripes, strengths(**strength, **{f"{kind}_probability": share}))
        touched = ((varied - stripes).abs().amax((1, 2, 3)) > 1e-3).float().mean().item()
        assert touched == pytest.approx(share, abs=allowed)


@given(st.floats(0.05, 0.5), st.integers(0, 99))
def test_erased_part_is_one_rectangle_no_larger_than_asked(area, seed):
    torch.manual_seed(seed)
    erased = erase(torch.ones(20, 1, 40, 40), strengths(erase=1, erase_area=area))[:, 0] == 0
    for mask in erased.numpy():
        rows, columns = mask.any(1), mask.any(0)
        assert np.array_equal(mask, rows[:, None] & columns[None, :])
        assert mask.mean() <= area + 2 / 40


def test_erased_areas_lie_evenly_below_the_largest():
    torch.manual_seed(0)
    shares = (erase(torch.ones(2000, 1, 40, 40), strengths(erase=1, erase_area=0.2)) == 0).flatten(1).float().mean(1)
    assert shares.mean().item() == pytest.approx(0.1, abs=0.005)
    assert shares.std().item() == pytest.approx(0.2 / 12**0.5, abs=0.005)  # of a uniform distribution


def test_erasing_spares_the_others():
    torch.manual_seed(0)
    erased = (erase(torch.ones(1000, 1, 40, 40), strengths(erase=0.3, erase_area=0.3)) == 0).flatten(1).any(1)
    assert 0.22 < erased.float().mean() < 0.36


def test_same_seed_same_faces():
    def run():
        torch.manual_seed(5)
        return augment(torch.from_numpy(faces()), AugmentConfig(), PreprocessSpec(), 44)

    assert torch.equal(run(), run())


@pytest.mark.parametrize(("frame_size", "input_size"), [(16, 16), (24, 20), (64, 60), (48, 44)])
def test_faces_of_another_frame_are_those_of_the_one_preprocessing(frame_size, input_size):
    spec = PreprocessSpec(frame_size=frame_size, input_size=input_size)
    result = augment(torch.from_numpy(spec.frames(faces())), strengths(), spec, input_size)
    np.testing.assert_allclose(result.numpy(), spec.apply(faces()), atol=1e-4)

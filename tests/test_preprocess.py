"""Second implementations: NumPy for crop, scale and shrinking, Pillow for enlarging, torch for the training path."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from mien.errors import ConfigError, UsageError
from mien.preprocess import PreprocessSpec, face_crop, to_gray

unit = st.floats(0.01, 1)
specs = st.integers(8, 64).flatmap(
    lambda frame: st.builds(
        PreprocessSpec, frame_size=st.just(frame), input_size=st.integers(8, frame), mean=unit, std=unit
    )
)


def random_faces(n, height, width=None, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width or height), np.uint8)


def test_gray_is_made_as_opencv_does():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(to_gray(rgb), cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    np.testing.assert_allclose(to_gray(rgb), rgb @ (0.299, 0.587, 0.114), atol=1)
    np.testing.assert_array_equal(to_gray(rgb[:, :, 0]), rgb[:, :, 0])


@pytest.mark.parametrize("shape", [(48, 48), (48, 10), (10, 48), (48, 1), (20, 48)])
def test_a_picture_of_the_faces_height_or_width_is_padded_to_a_square_and_otherwise_unchanged(shape):
    picture = random_faces(1, *shape)[0]
    spare = 48 - shape[0], 48 - shape[1]
    padding = [(round(total / 2), total - round(total / 2)) for total in spare]
    np.testing.assert_array_equal(face_crop(picture), np.pad(picture, padding, mode="edge"))


@given(st.integers(1, 6), st.integers(1, 24), st.booleans())
def test_a_large_picture_is_averaged_and_then_padded(times, half, upright):
    picture = random_faces(1, 48 * times, 2 * half * times)[0]
    blocks = picture.reshape(48, times, 2 * half, times).mean(axis=(1, 3))
    expected = np.pad(blocks, [(0, 0), (24 - half, 24 - half)], mode="edge")
    found = face_crop(picture) if upright else face_crop(np.ascontiguousarray(picture.T)).T
    np.testing.assert_allclose(found, expected, atol=0.51)


@pytest.mark.parametrize("shape", [(24, 12), (8, 16), (16, 16), (1, 1), (3, 1)])
def test_a_small_picture_is_enlarged_as_pillow_does_and_then_padded(shape):
    picture = random_faces(1, *shape)[0]
    height, width = (side * 48 // max(shape) for side in shape)
    large = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    expected = np.pad(large, [((48 - side) // 2,) * 2 for side in (height, width)], mode="edge")
    np.testing.assert_allclose(face_crop(picture), expected, atol=1.01)


@given(specs, st.integers(0, 4))
def test_faces_of_the_frame_size_are_cropped_and_scaled(spec, n):
    faces = random_faces(n, spec.frame_size)
    start = (spec.frame_size - spec.input_size) // 2
    window = faces[:, start : start + spec.input_size, start : start + spec.input_size]
    expected = (window[:, None] / 255 - spec.mean) / spec.std
    made = spec.apply(faces)
    assert (made.dtype, made.flags.c_contiguous) == (np.float32, True)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=2e-5 / spec.std)


def area_weights(before, after):
    """Share of each old pixel in each new one, shape (after, before)."""
    edges, pixels = np.arange(after + 1) * before / after, np.arange(before)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return overlap.clip(min=0) * after / before


@given(st.integers(8, 40), st.integers(0, 40))
@settings(max_examples=40)
def test_larger_faces_are_averaged_by_area(frame_size, more):
    faces = random_faces(2, frame_size + more)
    weights = area_weights(frame_size + more, frame_size)
    resized = PreprocessSpec(frame_size=frame_size, input_size=8).frames(faces)
    np.testing.assert_allclose(resized, weights @ faces @ weights.T, atol=0.51)


@given(st.integers(8, 40), st.integers(0, 40))
@settings(max_examples=40)
def test_smaller_faces_are_enlarged_as_pillow_does(side, more):
    faces, size = random_faces(2, side), (side + more, side + more)
    expected = [np.asarray(Image.fromarray(face).resize(size, Image.Resampling.BILINEAR)) for face in faces]
    resized = PreprocessSpec(frame_size=side + more, input_size=8).frames(faces)
    assert np.abs(resized.astype(int) - np.asarray(expected, int)).max() <= 1


def test_histogram_equalisation_is_the_cumulative_distribution():
    faces = (random_faces(4, 48) // 3 + 40).astype(np.uint8)
    frames = PreprocessSpec(equalize="histogram").frames(faces)
    for face, frame in zip(faces, frames, strict=True):
        cumulative = np.cumsum(np.bincount(face.ravel(), minlength=256))
        lowest = cumulative[face.min()]
        expected = (cumulative - lowest) / (face.size - lowest) * 255
        np.testing.assert_allclose(frame, expected[face], atol=0.51)


def test_blur_is_the_binomial_kernel():
    faces = random_faces(3, 48)
    frames = PreprocessSpec(blur=True).frames(faces)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    expected = [ndimage.convolve(face.astype(float), kernel, mode="mirror") for face in faces]
    np.testing.assert_allclose(frames, expected, atol=0.51)


def test_clahe_raises_the_contrast_of_a_dull_face_and_keeps_its_order():
    dull = (np.add.outer(np.arange(48), np.arange(48)) // 8 + 100).astype(np.uint8)[None]
    frame = PreprocessSpec(equalize="clahe").frames(dull)[0]
    assert frame.std() > 1.5 * dull.std()
    assert np.corrcoef(frame.ravel(), dull.ravel())[0, 1] > 0.9


def test_equalisation_comes_before_blur():
    faces = random_faces(2, 48) // 4
    both = PreprocessSpec(equalize="histogram", blur=True).frames(faces)
    one = PreprocessSpec(blur=True).frames(PreprocessSpec(equalize="histogram").frames(faces))
    np.testing.assert_array_equal(both, one)


def test_a_dictionary_from_before_equalisation_means_none():
    old = {"frame_size": 48, "input_size": 44, "mean": 0.5, "std": 0.25}
    assert PreprocessSpec.from_dict(old) == PreprocessSpec()


@given(specs)
@settings(max_examples=30)
def test_the_scale_is_the_same_numbers_in_torch(spec):
    grey = np.arange(256, dtype=np.float32)
    np.testing.assert_allclose(spec.scale(torch.from_numpy(grey)).numpy(), spec.scale(grey), rtol=1e-6, atol=1e-6)
    assert spec.scale(torch.from_numpy(grey)).dtype == torch.float32


@pytest.mark.parametrize("side", [30, 48, 100])
def test_a_face_does_not_depend_on_its_batch(side):
    spec, faces = PreprocessSpec(), random_faces(5, side)
    together = spec.apply(faces)
    for face, expected in zip(faces, together, strict=True):
        np.testing.assert_array_equal(spec.apply(face[None])[0], expected)


@pytest.mark.parametrize("side", [48, 60])
def test_mapped_strided_and_mirrored_faces_give_what_a_copy_gives(side, tmp_path):
    spec, wide = PreprocessSpec(), random_faces(3, side, 2 * side)
    np.save(tmp_path / "faces.npy", random_faces(3, side))
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    for faces in (mapped, mapped[::-1], mapped[:, :, ::-1], wide[:, :, ::2], wide.transpose(0, 2, 1)[:, :side]):
        np.testing.assert_array_equal(spec.apply(faces), spec.apply(np.ascontiguousarray(faces)))


def test_the_input_is_not_changed():
    faces = random_faces(2, 48)
    before = faces.copy()
    made = PreprocessSpec(input_size=48).apply(faces)
    made[:] = 0
    np.testing.assert_array_equal(faces, before)


@pytest.mark.parametrize(
    "faces",
    [
        np.zeros((2, 48, 48), np.float32),
        np.zeros((48, 48), np.uint8),
        np.zeros((2, 48, 48, 4), np.uint8),
        np.zeros((2, 0, 48), np.uint8),
    ],
)
def test_other_arrays_are_refused(faces):
    with pytest.raises(UsageError, match="expected uint8, grayscale"):
        PreprocessSpec().apply(faces)


@given(specs)
def test_a_specification_survives_its_dictionary(spec):
    assert PreprocessSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    "change",
    [
        {"frame_size": 7},
        {"frame_size": 2000},
        {"frame_size": 48.0},
        {"input_size": 49},
        {"input_size": True},
        {"mean": 1.1},
        {"mean": float("nan")},
        {"mean": "0.5"},
        {"std": 0.0},
        {"std": None},
        {"gamma": 1.0},
        {"equalize": "stretch"},
        {"equalize": 1},
        {"blur": 1},
    ],
)
def test_malformed_dictionaries_are_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        PreprocessSpec.from_dict(PreprocessSpec().to_dict() | change)


def test_a_missing_field_is_refused():
    values = PreprocessSpec().to_dict()
    del values["std"]
    with pytest.raises(ConfigError, match="std"):
        PreprocessSpec.from_dict(values)

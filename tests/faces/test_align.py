import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import SimilarityTransform

from mien.errors import UsageError
from mien.faces.align import FRAME_LANDMARKS, align_face, crop_face, similarity
from mien.faces.alignments import align_by_eyes
from mien.preprocess import face_crop, to_gray

FRAME = np.array(FRAME_LANDMARKS)

coordinate = st.floats(-1000, 1000)
five_points = st.lists(st.tuples(coordinate, coordinate), min_size=5, max_size=5).map(np.array)


def planted(scale, degrees, shift):
    """A similarity as a (2, 3) matrix."""
    turn = scale * np.array(
        [
            [np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))],
            [np.sin(np.radians(degrees)), np.cos(np.radians(degrees))],
        ]
    )
    return np.column_stack([turn, shift])


def applied(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


def smooth_face(seed=0):
    """A 48x48 picture without detail finer than a few pixels, so that resampling can be undone."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6), np.uint8)
    return cv2.GaussianBlur(cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC), (0, 0), 2)


@given(five_points, st.floats(0.05, 20), st.floats(-180, 180), st.tuples(coordinate, coordinate))
def test_a_planted_similarity_is_recovered(points, scale, degrees, shift):
    extent = np.ptp(points, axis=0).max()
    if extent < 1:
        return
    truth = planted(scale, degrees, shift)
    np.testing.assert_allclose(
        applied(similarity(points, applied(truth, points)), points), applied(truth, points), atol=1e-6 * scale * 1e3
    )


@given(st.integers(0, 2**32 - 1))
def test_noisy_points_give_the_fit_of_scikit_image(seed):
    random = np.random.default_rng(seed)
    source = random.normal(50, 20, (5, 2))
    truth = planted(random.uniform(0.2, 5), random.uniform(-90, 90), random.normal(0, 50, 2))
    target = applied(truth, source) + random.normal(0, 3, (5, 2))
    expected = SimilarityTransform.from_estimate(source, target)
    np.testing.assert_allclose(similarity(source, target), expected.params[:2], rtol=1e-6, atol=1e-6)


def test_points_without_extent_are_refused():
    with pytest.raises(UsageError, match="coincide"):
        similarity([(3, 4)] * 5, FRAME)
    with pytest.raises(UsageError, match="coincide"):
        align_face(np.zeros((50, 50), np.uint8), [(3.0, 4.0)] * 5)
    with pytest.raises(UsageError, match="4 landmarks"):
        align_face(np.zeros((50, 50), np.uint8), FRAME_LANDMARKS[:4])


def test_landmarks_on_their_places_leave_a_face_unchanged():
    face = np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)
    np.testing.assert_array_equal(align_face(face, FRAME_LANDMARKS), face)


@given(st.floats(1.2, 8), st.floats(-180, 180), st.integers(0, 100))
def test_a_face_somewhere_in_a_picture_is_brought_back(scale, degrees, seed):
    face, side = smooth_face(seed), 800
    placement = planted(scale, degrees, (0, 0))
    placement[:, 2] = side / 2 - placement[:, :2] @ (24, 24)
    grid = placement.copy()
    grid[:, 2] += grid[:, :2] @ (0.5, 0.5) - 0.5
    picture = cv2.warpAffine(face, grid, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    aligned = align_face(picture, [tuple(point) for point in applied(placement, FRAME)])
    inner = np.s_[4:-4, 4:-4]
    assert np.abs(aligned[inner].astype(int) - face[inner]).mean() < 1.5


def test_fine_detail_is_averaged_not_aliased():
    checks = np.indices((960, 960)).sum(axis=0) % 2 * 255
    aligned = align_face(checks.astype(np.uint8), [tuple(20 * point + 0.3) for point in FRAME])
    assert aligned.min() > 110
    assert aligned.max() < 145


def test_what_lies_beyond_the_picture_repeats_its_edge():
    picture = np.full((30, 30), 77, np.uint8)
    assert (align_face(picture, [tuple(point - 20) for point in FRAME]) == 77).all()
    assert (align_face(picture, [tuple(point + 900) for point in FRAME]) == 77).all()


@pytest.mark.parametrize("shape", [(40, 40_000), (40_000, 40)])
def test_pictures_longer_than_opencv_can_warp_are_aligned(shape):
    picture = np.zeros(shape, np.uint8)
    picture[-30:, -30:] = 200
    corner = np.array([shape[1] - 40, shape[0] - 40])
    aligned = align_face(picture, [tuple(point + corner) for point in FRAME])
    assert aligned[20, 20] == 200
    assert aligned[2, 2] == 0
    assert align_face(picture, [tuple(1000 * point) for point in FRAME]).shape == (48, 48)


def test_a_face_of_the_frames_size_is_cropped_unchanged():
    picture = np.random.default_rng(2).integers(0, 256, (100, 120), np.uint8)
    np.testing.assert_array_equal(crop_face(picture, (0, 0, 48, 48)), picture[:48, :48])
    np.testing.assert_array_equal(crop_face(picture, (30, 20, 48, 48)), picture[20:68, 30:78])


def test_a_large_face_is_averaged_as_pillow_does():
    picture = np.random.default_rng(3).integers(0, 256, (192, 192), np.uint8)
    expected = np.asarray(Image.fromarray(picture).reduce(4))
    np.testing.assert_allclose(crop_face(picture, (0, 0, 192, 192)), expected, atol=1)


def test_the_square_around_an_oblong_box_is_taken():
    picture = np.zeros((200, 200), np.uint8)
    picture[50:146, 40:136] = np.kron(np.arange(9).reshape(3, 3) * 20, np.ones((32, 32)))
    np.testing.assert_array_equal(crop_face(picture, (64, 50, 48, 96)), crop_face(picture, (40, 50, 96, 96)))


@given(st.integers(1, 90), st.integers(1, 90), st.floats(-80, 80), st.floats(-80, 80), st.floats(1, 200))
def test_every_box_whose_square_holds_a_pixel_gives_a_face_and_no_other(height, width, x, y, side):
    picture = np.full((height, width), 9, np.uint8)
    box = (x, y, side, 0.7 * side)
    top = y + (0.7 * side - side) / 2
    columns = [column for column in range(width) if round(x) <= column < round(x + side)]
    rows = [row for row in range(height) if round(top) <= row < round(top + side)]
    if columns and rows:
        face = crop_face(picture, box)
        assert face.shape == (48, 48)
        assert (face == 9).all()
    else:
        with pytest.raises(UsageError, match="outside the picture"):
            crop_face(picture, box)


@pytest.mark.parametrize("shape", [(2, 40_000), (40_000, 2), (1, 1)])
def test_an_extreme_whole_image_costs_no_square_of_its_length(shape):
    assert crop_face(np.full(shape, 5, np.uint8), (0, 0, shape[1], shape[0])).tolist() == [[5] * 48] * 48


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 99))
def test_the_box_of_the_whole_picture_gives_the_face_of_data_sets(height, width, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    np.testing.assert_array_equal(crop_face(picture, (0, 0, width, height)), face_crop(picture))


def test_a_box_outside_is_refused():
    with pytest.raises(UsageError, match="outside the picture of 30x20 pixels"):
        crop_face(np.zeros((20, 30), np.uint8), (100, 100, 10, 10))


def test_a_gray_face_is_that_of_the_gray_picture_bit_for_bit():
    picture = np.random.default_rng(3).integers(0, 256, (120, 160, 3), np.uint8)
    landmarks = [
        (float(x), float(y)) for x, y in np.array(FRAME_LANDMARKS) @ np.array([[1.4, 0.2], [-0.2, 1.4]]) + (40, 20)
    ]
    box = 100.0, 60.0, 90.0, 80.0  # reaches beyond the picture
    gray = to_gray(picture)
    np.testing.assert_array_equal(align_face(picture, landmarks, gray=True), align_face(gray, landmarks))
    np.testing.assert_array_equal(align_by_eyes(picture, landmarks, gray=True), align_by_eyes(gray, landmarks))
    np.testing.assert_array_equal(crop_face(picture, box, gray=True), crop_face(gray, box))

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.choices import TTA_MODES
from mien.errors import UsageError
from mien.evaluation.tta import predict_logits, views
from mien.model.onnx_model import Bundle
from mien.preprocess import PreprocessSpec

specs = st.integers(16, 24).flatmap(
    lambda frame: st.builds(PreprocessSpec, frame_size=st.just(frame), input_size=st.integers(12, frame))
)


def random_faces(n, side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side), np.uint8)


def grey(view, spec):
    """Grey levels that a network input stands for."""
    return np.rint((view[:, 0] * spec.std + spec.mean) * 255).astype(int)


@given(specs, st.sampled_from(TTA_MODES), st.integers(10, 30))
@settings(max_examples=40)
def test_the_first_view_is_the_plain_input(spec, mode, side):
    faces = random_faces(3, side)
    made = list(views(faces, spec, mode))
    assert len(made) == {"none": 1, "flip": 2, "tencrop": 10}[mode]
    np.testing.assert_array_equal(made[0], spec.apply(faces))
    for view in made:
        assert (view.shape, view.dtype) == ((3, 1, spec.input_size, spec.input_size), np.float32)
        assert view.flags.c_contiguous


@given(specs, st.sampled_from(["flip", "tencrop"]))
@settings(max_examples=40)
def test_every_second_view_is_the_mirror_image_of_the_one_before(spec, mode):
    made = list(views(random_faces(2, spec.frame_size), spec, mode))
    for view, mirrored in zip(made[::2], made[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, view[..., ::-1])


def test_ten_crop_takes_centre_and_corners_of_the_frame():
    spec = PreprocessSpec(frame_size=48, input_size=40)
    face = random_faces(1, 48)
    crops = [grey(view, spec)[0] for view in list(views(face, spec, "tencrop"))[::2]]
    expected = [face[0, top : top + 40, left : left + 40] for top, left in [(4, 4), (0, 0), (0, 8), (8, 0), (8, 8)]]
    np.testing.assert_array_equal(crops, expected)


@pytest.mark.parametrize("margin", [0, 1, 2, 3])
def test_without_a_margin_the_crops_lie_two_pixels_off_and_repeat_the_edge(margin):
    spec = PreprocessSpec(frame_size=20, input_size=20 - margin)
    face = random_faces(1, 20)
    crops = [grey(view, spec)[0] for view in list(views(face, spec, "tencrop"))[::2]]
    offset, window = margin // 2, np.arange(20 - margin)
    for crop, (down, right) in zip(crops, [(0, 0), (-2, -2), (-2, 2), (2, -2), (2, 2)], strict=True):
        rows, columns = (np.clip(window + offset + shift, 0, 19) for shift in (down, right))
        np.testing.assert_array_equal(crop, face[0][np.ix_(rows, columns)])


@pytest.mark.parametrize("mode", TTA_MODES)
@pytest.mark.parametrize("n", [1, 256, 300])
def test_logits_are_the_mean_over_the_views(tmp_path, write_linear_model, linear_weights, mode, n):
    model = Bundle.load(write_linear_model(tmp_path / "m.onnx"))
    faces = random_faces(n, 48)
    mean_view = np.mean(list(views(faces, model.card.preprocess, mode)), axis=0, dtype=np.float64)
    expected = mean_view.reshape(n, -1) @ linear_weights  # a linear network commutes with the mean
    logits = predict_logits(model, faces, mode)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_none_is_what_the_model_file_answers(tmp_path, write_linear_model):
    model = Bundle.load(write_linear_model(tmp_path / "m.onnx"))
    faces = random_faces(5, 48)
    np.testing.assert_array_equal(predict_logits(model, faces), model.logits(faces))


def test_mirrored_faces_get_the_same_logits_under_flip(tmp_path, write_linear_model):
    model = Bundle.load(write_linear_model(tmp_path / "m.onnx"))
    faces = random_faces(8, 16)
    mirrored = np.ascontiguousarray(faces[:, :, ::-1])
    np.testing.assert_allclose(predict_logits(model, faces, "flip"), predict_logits(model, mirrored, "flip"), atol=1e-5)


def test_no_faces_give_no_logits(tmp_path, write_linear_model):
    model = Bundle.load(write_linear_model(tmp_path / "m.onnx"))
    assert predict_logits(model, np.empty((0, 48, 48), np.uint8), "tencrop").shape == (0, 7)


def test_progress_sees_every_chunk(tmp_path, write_linear_model):
    model, seen = Bundle.load(write_linear_model(tmp_path / "m.onnx")), []

    def track(chunks):
        for chunk in chunks:
            seen.append(chunk)
            yield chunk

    predict_logits(model, random_faces(600, 48), track=track)
    assert seen == [0, 256, 512]


def test_an_unknown_mode_is_refused():
    with pytest.raises(UsageError, match="tencrop"):
        list(views(random_faces(1, 48), PreprocessSpec(), "fivecrop"))

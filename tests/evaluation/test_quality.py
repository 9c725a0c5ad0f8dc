import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.errors import UsageError
from mien.evaluation.quality import accuracy_by_quarter, sharpness

faces = arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(3, 12), st.integers(3, 12)))


@given(faces)
def test_sharpness_is_the_variance_of_opencvs_laplacian(found):
    inner = [cv2.Laplacian(face.astype(np.float64), cv2.CV_64F)[1:-1, 1:-1] for face in found]
    assert sharpness(found) == pytest.approx([part.var() for part in inner], rel=1e-4, abs=1e-3)


def test_a_blurred_face_is_less_sharp():
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    sharp, blurred = sharpness(np.stack((face, cv2.GaussianBlur(face, (3, 3), 0))))
    assert blurred < sharp / 2


@given(st.integers(4, 60), st.integers(0, 2**32 - 1))
def test_quarters_are_those_of_pandas(count, seed):
    random = np.random.default_rng(seed)
    measure, right = random.permutation(count).astype(float), random.random(count) < 0.5
    table = pd.DataFrame({"measure": measure, "right": right}).sort_values("measure")
    parts = [table.iloc[rows] for rows in np.array_split(np.arange(count), 4)]
    for quarter, part in zip(accuracy_by_quarter(measure, right), parts, strict=True):
        assert (quarter.low, quarter.high, quarter.n) == (part.measure.min(), part.measure.max(), len(part))
        assert quarter.accuracy == pytest.approx(part.right.mean())


def test_too_few_faces_are_refused():
    with pytest.raises(UsageError, match="3 values of 3 faces: expected as many, and at least 4"):
        accuracy_by_quarter(np.zeros(3), np.zeros(3, bool))

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.data.statistics import brightness, contrast, mean_faces, sample_rows, spread, statistics
from mien.data.store import FaceStore, StoreMeta
from mien.labels import EMOTIONS

faces = arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(3, 12), st.integers(3, 12)))


def store_of(faces, labels, usages):
    meta = StoreMeta(len(faces), "planted", "0" * 64)
    return FaceStore(faces, np.array(labels, np.uint8), np.array(usages, np.uint8), meta)


@given(faces)
def test_brightness_is_the_mean_grey_level(found):
    assert brightness(found) == pytest.approx([face.astype(float).mean() for face in found])


@given(faces)
def test_contrast_is_the_standard_deviation_of_the_grey_levels(found):
    assert contrast(found) == pytest.approx([np.sqrt(np.cov(face.ravel(), bias=True)) for face in found], abs=1e-6)


def test_mean_faces_are_means_over_any_number_of_rows():
    random = np.random.default_rng(3)
    found = random.integers(0, 256, (2500, 5, 4), np.uint8)
    labels = random.choice([0, 2, 6], 2500).astype(np.uint8)
    means = mean_faces(found, labels, 7)
    for label in (0, 2, 6):
        np.testing.assert_allclose(means[label], found[labels == label].mean(axis=0))
    assert np.isnan(means[[1, 3, 4, 5]]).all()


def test_spread_of_a_hundred_numbers():
    expected = {"mean": 50, "deviation": np.sqrt((101**2 - 1) / 12)}
    expected |= {f"p{share}": share for share in (5, 25, 50, 75, 95)}
    assert spread(np.arange(101.0)) == pytest.approx(expected)


def test_the_document_says_planted_figures():
    found = np.zeros((6, 48, 48), np.uint8)
    found[:, :24] = np.array([10, 20, 30, 40, 50, 60])[:, None, None]  # half of the face: mean and deviation are half
    store = store_of(found, [0, 0, 0, 3, 3, 6], [0, 0, 2, 0, 2, 2])
    document = json.loads(json.dumps(statistics(store).to_dict()))
    assert document["rows"] == 6
    assert document["source"] == "planted"
    assert document["counts"]["Training"] == dict.fromkeys(EMOTIONS, 0) | {"angry": 2, "happy": 1}
    for measure in ("brightness", "contrast"):
        spreads = document[measure]
        assert spreads["all"]["mean"] == pytest.approx(17.5)
        means = {emotion: values["mean"] for emotion, values in spreads["per_class"].items()}
        assert means == pytest.approx({"angry": 10, "happy": 22.5, "neutral": 30})
        means = {usage: values["p50"] for usage, values in spreads["per_usage"].items()}
        assert means == pytest.approx({"Training": 10, "PrivateTest": 25})


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 9), st.integers(0, 2**32))
def test_samples_are_distinct_rows_of_their_emotion(labels, count, seed):
    labels = np.array(labels, np.uint8)
    rows = sample_rows(labels, EMOTIONS, count, seed)
    assert list(rows) == [EMOTIONS[number] for number in np.unique(labels)]
    for emotion, found in rows.items():
        of_emotion = labels == EMOTIONS.index(emotion)
        assert len(np.unique(found)) == len(found) == min(count, of_emotion.sum())
        assert of_emotion[found].all()

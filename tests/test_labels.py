import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import DataError
from mien.labels import EMOTIONS, emotion_index


def test_the_order_is_that_of_fer2013():
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@given(st.integers(0, 6), st.sampled_from(["", " ", "\t", "\n"]), st.sampled_from([str.lower, str.upper, str.title]))
def test_names_and_numbers_are_found_whatever_their_case_and_blanks(index, blank, case):
    assert emotion_index(f"{blank}{case(EMOTIONS[index])}{blank}") == index
    assert emotion_index(f"{blank}{index}{blank}") == index


@pytest.mark.parametrize(
    ("alias", "emotion"),
    [
        ("anger", "angry"),
        ("Disgusted", "disgust"),
        ("afraid", "fear"),
        ("fearful", "fear"),
        ("Happiness", "happy"),
        ("SADNESS", "sad"),
        ("surprised", "surprise"),
    ],
)
def test_aliases_of_other_data_sets(alias, emotion):
    assert EMOTIONS[emotion_index(alias)] == emotion


@pytest.mark.parametrize("name", ["", "7", "-1", "00", "1.0", "contempt", "happy sad", "angr"])
def test_other_names_are_refused_with_the_known_ones(name):
    with pytest.raises(DataError, match="angry, disgust, fear, happy, sad, surprise, neutral"):
        emotion_index(name)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import DataError
from mien.labels import EMOTIONS, checked_classes, class_key, columns_of, emotion_index, is_class_name


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


@pytest.mark.parametrize(
    "name", ["می\u200cخندد", "\U0001f469\u200d\U0001f680", "☺\ufe0f", "खुश", "=1+1", "None", "[a]", "x" * 60]
)
def test_names_of_any_script_can_be_used(name):
    assert checked_classes([name, "plain"]) == (name, "plain")


@pytest.mark.parametrize("name", ["\u200c", ".hidden", "...", "a\tb", "\u202eabc", "x" * 61, "\udcff"])
def test_names_that_cannot_be_seen_or_name_a_hidden_folder_are_none(name):
    assert not is_class_name(name)


def test_names_that_look_alike_are_the_same():
    assert class_key("می\u200cخندد") == class_key("میخندد")
    assert class_key("CAFE\u0301") == class_key("café")


@given(
    st.lists(st.sampled_from(["face", "p_face", "p_p_face", "time", "p_time", "calm"]), unique=True),
    st.sets(st.sampled_from(["face", "p_face", "time"])),
)
def test_every_class_has_a_column_of_its_own(classes, taken):
    columns = columns_of(classes, taken)
    assert len(set(columns)) == len(classes)
    assert not set(columns) & taken
    assert all(column == name for name, column in zip(classes, columns, strict=True) if name not in taken)

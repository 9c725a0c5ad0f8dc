import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.choices import CLASS_MAPS
from mien.data.reading.class_maps import class_map, understood, unused
from mien.errors import DataError, UsageError
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS

RAF_DB = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]
"""RAF-DB's classes 1..7, as its list of labels has them."""
AFFECTNET = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"]
"""AffectNet's classes 0..6; 7 is contempt."""


def emotion_of(name, *options):
    return understood([name], class_map(options), "fer2013").meanings[name]


def test_known_maps_have_their_data_sets_own_order():
    assert [emotion_of(str(number), "raf-db") for number in range(1, 8)] == RAF_DB
    assert [emotion_of(str(number), "AffectNet") for number in range(8)] == [*AFFECTNET, None]
    assert [emotion_of(str(number), "fer2013") for number in range(7)] == list(EMOTIONS)
    codes = ["AN", "DI", "FE", "HA", "SA", "SU", "NE"]
    assert [emotion_of(code, "jaffe") for code in codes] == list(EMOTIONS)
    ck48 = ["anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"]
    expected = ["angry", None, "disgust", "fear", "happy", "sad", "surprise"]
    assert [emotion_of(name, "ck+48") for name in ck48] == expected


def test_later_options_win_and_case_and_blanks_do_not_matter(tmp_path):
    (tmp_path / "map.toml").write_text('contempt = "skip"\n"Joyful One" = "happiness"\n1 = "Fear"\n')
    options = ["raf-db", str(tmp_path / "map.toml"), " Bored = neutral", "contempt=disgust"]
    names = ["CONTEMPT", "joyful one", "1", "2", "bored", "Happiness"]
    expected = ["disgust", "happy", "fear", "fear", "neutral", "happy"]
    assert [emotion_of(name, *options) for name in names] == expected


@pytest.mark.parametrize("name", ["1", "0", "contempt", "train"])
def test_unknown_names_and_bare_numbers_are_refused(name):
    with pytest.raises(DataError, match=name):
        understood([name], {}, "fer2013")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("contempt=a/b", "'contempt' is 'a/b': expected skip or a class name"),
        ("contempt=", "'contempt' is ''"),
        ("rafdb", "map rafdb: expected NAME=CLASS, NAME=skip, a TOML file, or one of fer2013, raf-db"),
        ("broken.toml", "map broken.toml: not a TOML file"),
        ("numbers.toml", "'a' is 3: expected skip"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, monkeypatch, option, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("a = ")
    (tmp_path / "numbers.toml").write_text("a = 3")
    with pytest.raises(UsageError, match=words):
        class_map([option])


@given(
    st.text(min_size=1).filter(lambda name: "=" not in name and name.lower() not in CLASS_MAPS),
    st.sampled_from(EMOTIONS),
)
def test_any_name_can_be_given_an_emotion(name, emotion):
    found = understood([name], class_map([f"{name}={emotion}"]))
    assert (found.classes, found.number(name)) == (EMOTIONS, EMOTIONS.index(emotion))


@pytest.mark.parametrize(
    ("names", "options", "classes", "kept"),
    [
        (["Anger", "happiness"], [], EMOTIONS, False),
        (["Anger", "contempt"], [], FERPLUS_EMOTIONS, False),
        (["happy", "other"], [], ("happy", "other"), True),
        (["高兴", "难过", "平静"], [], ("平静", "难过", "高兴"), True),
        (
            ["happy", "sad", "angry"],
            ["happy=positive", "sad=negative", "angry=negative"],
            ("negative", "positive"),
            True,
        ),
        ([str(number) for number in range(8)], ["affectnet8"], FERPLUS_EMOTIONS, False),
    ],
)
def test_the_classes_follow_from_the_names(names, options, classes, kept):
    found = understood(names, class_map(options))
    assert (found.classes, found.kept) == (classes, kept)


def test_the_target_of_a_map_is_a_class_that_there_is_however_it_is_written():
    names = ["Happy", "Other", "joy", "grin"]
    found = understood(names, class_map(["joy=happy", "grin=HAPPINESS"]))
    assert (found.classes, found.meanings["joy"], found.meanings["grin"]) == (("Happy", "Other"), "Happy", "Happy")
    assert understood(["joy", "other"], class_map(["joy=Joyful"])).classes == ("Joyful", "other")
    joined = understood(["calm", "Calm", "tense"], class_map(["calm=Calm"]))
    assert (joined.classes, joined.meanings["calm"]) == (("Calm", "tense"), "Calm")


def test_the_classes_of_a_model_are_taken_where_all_names_mean_some_of_them():
    model = ("other", "happy", "neutral")
    found = understood(["Happiness", "neutral"], {}, model)
    assert (found.classes, found.number("Happiness"), found.kept) == (model, 1, False)
    assert understood(["0", "2"], {}, ("2", "1", "0")).number("0") == 2
    assert understood(["angry", "sad"], {}, model).classes == EMOTIONS  # none is: the model's are to be mapped
    assert understood(["happy", "calm"], class_map(["other=calm"]), ("happy", "other")).classes == ("happy", "calm")
    skipped = understood(["happy", "neutral"], class_map(["neutral=skip"]), model)
    assert (skipped.classes, skipped.number("happy"), skipped.number("neutral")) == (("other", "happy"), 1, None)
    joined = understood(["happy"], class_map(["neutral=calm", "other=calm"]), model)
    assert joined.classes == ("calm", "happy")


def test_names_that_a_model_lacks_are_told_by_name():
    with pytest.raises(DataError, match=r"unknown classes 'joie': expected happy, neutral; .*--map joie=CLASS"):
        understood(["joie", "meh"], class_map(["meh=neutral"]), ("happy", "neutral"))
    with pytest.raises(DataError, match=r"^--map joie=happyy: the model has no class happyy: expected happy, neutral$"):
        understood(["joie", "meh"], class_map(["joie=happyy"]), ("happy", "neutral"))


def test_maps_of_names_that_are_not_there_are_told_apart(tmp_path):
    (tmp_path / "map.toml").write_text('contempt = "skip"')
    options = ["Happy=positive", "hapy=positive", "=1+1=sum", "affectnet", str(tmp_path / "map.toml"), "caf\u00e9=tea"]
    assert unused(options, ["happy", "=1+1", "cafe\u0301"]) == ["hapy=positive"]
    assert class_map(["=1+1=sum"]) == {"=1+1": "sum"}


def test_accents_are_encoded_in_one_way():
    found = understood(["cafe\u0301", "caf\u00e9", "tea"], {})
    assert (found.classes, found.number("cafe\u0301")) == (("caf\u00e9", "tea"), 0)


def test_classes_are_kept_when_asked_and_numbers_too():
    found = understood(["1", "2", "happy"], {}, "keep")
    assert (found.classes, found.number("happy")) == (("1", "2", "happy"), 2)
    assert understood(["happy", "calm", "x"], class_map(["x=skip"])).number("x") is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["1", "happy"], "unknown classes '1': expected angry, .* --map 1=skip, .* --classes keep"),
        (["other"], r"1 class \(other\): expected 2..100 distinct ones"),
        (["calm", "Calm"], "class names 'Calm' and 'calm' are the same: .* or join them with --map calm=Calm"),
    ],
)
def test_names_that_make_no_classes_are_refused(names, words):
    with pytest.raises(DataError, match=words):
        understood(names, {})


@pytest.mark.parametrize("names", [["1", "happy"], ["calm", "Calm"]])
def test_errors_advise_what_the_command_takes(names):
    """`mien evaluate` has --map and other --classes, `mien compare` and tables have no --map."""
    with pytest.raises(DataError, match=r"--map .* of `mien evaluate` or `mien data import`$"):
        understood(names, {}, EMOTIONS)
    with pytest.raises(DataError, match=r"; rename (them|one of them) in the file") as caught:
        understood(names, {}, in_table=True)
    assert "--map" not in str(caught.value)

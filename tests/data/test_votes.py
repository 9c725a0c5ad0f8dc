import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mien.choices import USAGES
from mien.data.reading.importing import ferplus_beside, import_data
from mien.data.store import FaceStore
from mien.data.votes import RULES, agreement, eight_labels, read_votes, vote_targets
from mien.errors import DataError, UsageError
from mien.labels import EMOTIONS, VOTE_CLASSES

COLUMNS = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
MICROSOFT = f"Usage,Image name,{COLUMNS}\n"
BY_ROW = f"row,{COLUMNS}\n"
ORDER = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt", "unknown", "not_a_face"]
TRAINING = np.zeros(2, np.uint8)

votes_of_rows = arrays(np.uint8, st.tuples(st.integers(0, 20), st.just(10)), elements=st.integers(0, 10))


def row_of(**votes):
    return [votes.get(name, 0) for name in VOTE_CLASSES]


def targets_of(rule, **votes):
    return vote_targets(np.array([row_of(**votes)], np.uint8), rule)[0]


def microsofts(votes, usages):
    lines = [
        f"{USAGES[usage]},{'' if row[9] == 10 else 'fer.png'},{','.join(map(str, in_file_order(row)))}\n"
        for row, usage in zip(votes, usages, strict=True)
    ]
    return MICROSOFT + "".join(lines)


def by_row(votes):
    lines = [f"{number},{','.join(map(str, in_file_order(row)))}\n" for number, row in enumerate(votes)]
    return BY_ROW + "".join(lines)


def in_file_order(row):
    return [row[VOTE_CLASSES.index(name)] for name in ORDER]


@settings(max_examples=30)
@given(votes_of_rows, st.randoms())
def test_both_forms_are_read_back(tmp_path_factory, votes, random):
    folder = tmp_path_factory.mktemp("votes")
    usages = np.array([random.randrange(3) for _ in votes], np.uint8)
    (folder / "microsoft.csv").write_text(microsofts(votes, usages))
    (folder / "by_row.csv").write_text("\ufeff" + by_row(votes).replace("\n", "\r\n"))
    for name in ("microsoft.csv", "by_row.csv"):
        found = read_votes(folder / name, usages)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, votes)


ROW = "0,0,0,0,10,0,0,0,0,0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"the header is '': expected the columns Usage or row"),
        (COLUMNS + "\n", "the header is .*expected the columns Usage or row"),
        (MICROSOFT.replace("NF", "fear"), "the header is"),
        (f"{MICROSOFT}Training,a,{ROW}\n", "votes for 1 rows, but the data set has 2"),
        (f"{BY_ROW}0,{ROW}\n1,{ROW}\n2,{ROW}\n", "votes for 3 rows, but the data set has 2"),
        (f"{MICROSOFT}Training,a,{ROW}\nPublicTest,a,{ROW}\n", "row 1 is 'PublicTest', but Training in the data set"),
        (f"{BY_ROW}0,{ROW}\n2,{ROW}\n", "row 1 is called '2': expected all rows in order"),
        (f"{BY_ROW}0,{ROW}\n1,{ROW},4\n", "row 1 has 12 columns: expected 11"),
        (f"{BY_ROW}0,{ROW}\n1,-1,{ROW[2:]}\n", "row 1 has '-1' votes: expected a whole number 0..10"),
        (f"{BY_ROW}0,{ROW}\n1,11,{ROW[2:]}\n", "row 1 has '11' votes"),
        (f"{BY_ROW}0,{ROW}\n1,²,{ROW[2:]}\n", "row 1 has '²' votes"),
        (b"\xff\xfe\x00", "not a csv in UTF-8"),
        (f'{BY_ROW}"' + "9" * 200_000, "not a csv in UTF-8"),
    ],
)
def test_malformed_files_are_told_by_row(tmp_path, content, message):
    path = tmp_path / "votes.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=rf"votes\.csv.*{message}") as caught:
        read_votes(path, TRAINING)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(DataError, match=f"{path.name}: the votes cannot be read"):
            read_votes(path, TRAINING)


def test_majority_needs_one_emotion_ahead_of_all_ten_answers():
    assert targets_of("majority", happy=4, sad=3, unknown=3).tolist() == [0, 0, 0, 1, 0, 0, 0]
    for dropped in ({"happy": 5, "sad": 5}, {"happy": 4, "unknown": 4}, {"happy": 4, "contempt": 6}, {}):
        assert not targets_of("majority", **dropped).any()


def test_probability_divides_by_the_votes_for_the_seven():
    np.testing.assert_allclose(targets_of("probability", angry=1, fear=3, unknown=6), [0.25, 0, 0.75, 0, 0, 0, 0])
    assert not targets_of("probability", not_a_face=10).any()


def test_thresholded_leaves_single_votes_out():
    np.testing.assert_allclose(targets_of("thresholded", angry=1, fear=3, neutral=6), [0, 0, 1 / 3, 0, 0, 0, 2 / 3])
    assert not targets_of("thresholded", angry=1, fear=1, contempt=8).any()


@given(votes_of_rows)
def test_targets_are_distributions_or_nothing(votes):
    for rule in RULES:
        targets = vote_targets(votes, rule)
        sums = targets.sum(1)
        assert targets.shape == (len(votes), 7)
        assert (targets >= 0).all()
        assert ((sums == 0) | np.isclose(sums, 1)).all()
        assert (votes[:, :7][targets > 0] > 0).all()
    majority, strict, probability, thresholded = (vote_targets(votes, rule) for rule in RULES)
    kept = majority.any(1)
    assert (strict.any(1) <= kept).all()
    np.testing.assert_array_equal(probability[kept].argmax(1), majority[kept].argmax(1))
    assert (thresholded.any(1) <= probability.any(1)).all()


def test_the_strict_majority_is_that_of_ferplus_own_code():
    """More than half of the votes that are left without single ones; contempt is the eighth class."""
    rows = [row_of(contempt=5, sad=1, fear=4), row_of(contempt=6, sad=4), row_of(happy=5, sad=5), row_of(happy=4, sad=1,
            fear=1, angry=1, unknown=3), row_of(unknown=6, happy=4)]  # fmt: skip
    targets = vote_targets(np.array(rows, np.uint8), "strict_majority", 8)
    assert [int(row.argmax()) if row.any() else None for row in targets] == [7, 7, None, 3, None]
    labels = eight_labels(np.array(rows, np.uint8), np.full(5, 2, np.uint8))
    assert labels.tolist() == [7, 7, 2, 3, 2]
    assert [row.any() for row in vote_targets(np.array(rows, np.uint8), "strict_majority")] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_an_unknown_rule_is_refused():
    with pytest.raises(UsageError, match=r"unknown rule 'mean'.*majority, strict_majority, probability"):
        vote_targets(np.zeros((1, 10), np.uint8), "mean")


def test_agreement_counts_by_fer2013s_label():
    votes = np.array([row_of(sad=6), row_of(fear=9), row_of(fear=5, sad=5), row_of(happy=8, contempt=2)], np.uint8)
    found = agreement(votes, np.array([2, 2, 2, 3], np.uint8))
    assert {key: found[key] for key in ("rule", "rows", "kept", "same")} == {
        "rule": "majority", "rows": 4, "kept": 3, "same": 2,
    }  # fmt: skip
    assert found["agreement"] == pytest.approx(2 / 3)
    assert found["per_class"]["fear"] == {"rows": 3, "kept": 2, "same": 1, "agreement": 0.5}
    assert found["per_class"]["sad"] == {"rows": 0, "kept": 0, "same": 0, "agreement": None}
    assert list(found["per_class"]) == list(EMOTIONS)


@pytest.fixture
def fer2013_csv(tmp_path):
    pixels = " ".join(["7"] * 2304)
    path = tmp_path / "source" / "fer2013.csv"
    path.parent.mkdir()
    path.write_text(f"emotion,pixels,Usage\n0,{pixels},Training\n6,{pixels},PublicTest\n")
    return path


def test_votes_lie_in_the_store(tmp_path, fer2013_csv):
    votes = np.array([row_of(angry=10), row_of(not_a_face=10)], np.uint8)
    file = fer2013_csv.with_name("fer2013new.csv")
    assert ferplus_beside(fer2013_csv) is None
    file.write_text(microsofts(votes, [0, 1]))
    assert ferplus_beside(fer2013_csv) == file
    assert ferplus_beside(fer2013_csv.parent) is None
    store = import_data(fer2013_csv, tmp_path / "store", ferplus=file)
    np.testing.assert_array_equal(store.votes, votes)
    np.testing.assert_array_equal(FaceStore.open(tmp_path / "store").votes, votes)
    assert import_data(fer2013_csv, tmp_path / "without").votes is None


def test_votes_that_do_not_fit_leave_nothing(tmp_path, fer2013_csv):
    (tmp_path / "votes.csv").write_text(by_row([row_of(sad=1)]))
    with pytest.raises(DataError, match=r"votes\.csv: votes for 1 rows, but the data set has 2"):
        import_data(fer2013_csv, tmp_path / "store", ferplus=tmp_path / "votes.csv")
    with pytest.raises(DataError, match="source is a folder of pictures"):
        import_data(fer2013_csv.parent, tmp_path / "store", ferplus=tmp_path / "votes.csv")
    assert not (tmp_path / "store").exists()


@pytest.mark.skipif("MIEN_FERPLUS" not in os.environ, reason="MIEN_FERPLUS names no file of votes")
def test_the_real_votes(fer2013):
    labels, usages = fer2013.labels, fer2013.usages
    votes = read_votes(os.environ["MIEN_FERPLUS"], usages)
    found = agreement(votes, labels)
    shares = [round(found["per_class"][emotion]["agreement"], 3) for emotion in EMOTIONS]
    assert shares == [0.514, 0.379, 0.139, 0.929, 0.437, 0.825, 0.88]
    assert (found["kept"], found["same"]) == (30_150, 19_817)
    assert [int(vote_targets(votes, rule).any(1).sum()) for rule in RULES] == [30_150, 28_127, 32_136, 32_090]
    strict = vote_targets(votes, "strict_majority", 8).any(1)
    assert [int(strict[usages == usage].sum()) for usage in (0, 1)] == [25_060, 3_199]  # as papers state them


def microsofts_of(numbers):
    lines = [f"Training,{'' if number is None else f'fer{number:07}.png'},{ROW}\n" for number in numbers]
    return MICROSOFT + "".join(lines)


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3], [0, None, 2, 3], [None, 1, 2, None], [5, 6, 90, 91], [None] * 4])
def test_pictures_in_fer2013s_order_are_accepted(tmp_path, numbers):
    (tmp_path / "votes.csv").write_text(microsofts_of(numbers))
    assert len(read_votes(tmp_path / "votes.csv", np.zeros(4, np.uint8))) == 4


@pytest.mark.parametrize("numbers", [[1, 0, 2, 3], [0, 1, 3, 2], [0, 1, 1, 3], [0, 1, None, 2, 4], [0, None, 1, 3]])
def test_pictures_in_another_order_within_a_usage_are_refused_by_their_names(tmp_path, numbers):
    (tmp_path / "votes.csv").write_text(microsofts_of(numbers))
    with pytest.raises(DataError, match=r"votes\.csv: row \d is of fer.*expected the pictures in FER2013's order"):
        read_votes(tmp_path / "votes.csv", np.zeros(len(numbers), np.uint8))

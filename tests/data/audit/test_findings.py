import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.data.audit.findings import audit, imbalance
from mien.data.store import FaceStore, StoreMeta

PICTURES = np.kron(np.random.default_rng(3).integers(0, 256, (12, 12, 12)), np.ones((4, 4))).astype(np.uint8)
"""Twelve pictures of coarse random squares."""


def store_of(faces, labels, usages):
    meta = StoreMeta(len(faces), "planted.csv", "ab" * 32)
    return FaceStore(np.stack(faces).astype(np.uint8), np.array(labels, np.uint8), np.array(usages, np.uint8), meta)


def mirrored(face):
    return face[:, ::-1]


PLANTED = store_of(
    faces=[
        PICTURES[0],  # 0: twice in Training, with two labels
        PICTURES[0],
        PICTURES[1],  # 2: also PublicTest 7, same label
        PICTURES[2],  # 3: also PublicTest 8, another label
        PICTURES[3],  # 4: mirrored in PublicTest 9
        np.full((48, 48), 9),  # 5: constant
        np.full((48, 48), 9) + np.eye(48),  # 6: nearly constant
        PICTURES[1],
        PICTURES[2],
        mirrored(PICTURES[3]),
        PICTURES[4],  # 10: nowhere else
    ],
    labels=[3, 4, 3, 3, 3, 3, 3, 3, 5, 3, 1],
    usages=[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
)


def test_finds_what_was_planted():
    found = audit(PLANTED)
    assert [rows.tolist() for rows in found.groups] == [[0, 1], [2, 7], [3, 8]]
    assert [rows.tolist() for rows in found.conflicting] == [[0, 1], [3, 8]]
    assert [rows.tolist() for rows in found.near_groups] == [[4, 9]]
    assert found.near_conflicting == []
    assert (found.constant.tolist(), found.nearly_constant.tolist()) == ([5], [6])
    assert (found.no_face, found.mislabelled) == (None, None)


def test_leak_of_a_test_usage():
    (leak,) = audit(PLANTED).leaks
    assert (leak.usage, leak.rows, leak.same_label) == ("PublicTest", 4, 1)
    assert (leak.identical.tolist(), leak.training.tolist()) == ([7, 8], [2, 3])
    assert (leak.near.tolist(), leak.near_training.tolist()) == ([9], [4])
    assert leak.verdict == "2 of 4 PublicTest rows stand in Training, 1 more nearly so"


def test_no_leak_without_training():
    assert audit(store_of(PICTURES[:2], [0, 1], [1, 2])).leaks == ()


def test_document():
    document = audit(PLANTED).to_dict()
    assert document["data"] == {"source": "planted.csv", "sha256": "ab" * 32, "rows": 11}
    duplicates = document["duplicates"]
    assert (duplicates["unique"], duplicates["redundant"], duplicates["groups"]) == (8, 3, 3)
    assert duplicates["within"] == {"Training": 1, "PublicTest": 0}
    assert document["leaks"][0]["identical_rows"] == [7, 8]
    (pair,) = document["near_duplicates"]["rows"]
    assert pair == {"rows": [4, 9], "correlation": 1.0, "difference": 0.0, "mirrored": True, "shift": 0}


def test_imbalance_names_the_extremes_and_what_is_absent():
    shares = imbalance(PLANTED)["PublicTest"]
    assert (shares["commonest"], shares["rarest"], shares["ratio"]) == ("happy", "disgust", 2.0)
    assert shares["absent"] == ["angry", "fear", "sad", "neutral"]


def test_asks_for_faces_and_labels_only_when_told_how():
    probabilities = np.full((11, 7), 0.01)
    probabilities[:, 3] = 0.94
    found = audit(PLANTED, has_face=lambda face: bool(face.std() > 6), probabilities=(probabilities, "planted"))
    assert found.no_face is not None
    assert found.no_face.tolist() == [5, 6]
    assert found.mislabelled is not None
    assert sorted(found.mislabelled.rows.tolist()) == [1, 8, 10]
    assert found.to_dict()["mislabelled"]["rows"][0]["suggested"] == "happy"


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=12))
def test_counts_agree_with_comparing_all_pairs(rows):
    store = store_of([PICTURES[kind] for kind, _, _ in rows], [label for _, label, _ in rows], [u for _, _, u in rows])
    found = audit(store).to_dict()
    kinds = {kind for kind, _, _ in rows}
    assert found["duplicates"]["unique"] == len(kinds)
    conflicting = sum(len({label for kind, label, _ in rows if kind == wanted}) > 1 for wanted in kinds)
    assert found["duplicates"]["conflicting"] == conflicting
    for leak in found["leaks"]:
        usage = ("Training", "PublicTest", "PrivateTest").index(leak["usage"])
        training = [(kind, label) for kind, label, part in rows if part == 0]
        tests = [(kind, label) for kind, label, part in rows if part == usage]
        assert leak["identical"] == sum(kind in {kind for kind, _ in training} for kind, _ in tests)
        assert leak["identical_same_label"] == sum(row in training for row in tests)
        assert leak["training_rows_identical"] == sum(kind in {kind for kind, _ in tests} for kind, _ in training)


def test_fer2013(fer2013):
    found = audit(fer2013).to_dict()
    duplicates, (leak,) = found["duplicates"], found["leaks"]
    counts = [duplicates[key] for key in ("unique", "redundant", "groups", "conflicting")]
    assert counts == [30_766, 1_532, 1_273, 47]
    assert len(found["constant"]) == 12
    counts = [leak[key] for key in ("rows", "identical", "identical_same_label", "training_rows_identical")]
    assert counts == [3_589, 280, 273, 351]

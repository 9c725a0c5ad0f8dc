"""Episodes against a planted truth, and the files that other programs read."""

import csv
import io
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mien
from mien.errors import UsageError
from mien.output.episode_files import EpisodeFiles, as_boris, as_csv, as_eaf
from mien.output.episodes import GAP, Episode
from mien.output.recognized import Recognized
from mien.results import Box, Face, Frame, Probabilities

STEP = 0.04
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SCHEMA = Path(__file__).with_name("eaf_3.0.xsd")


def face(emotion, probability, track=1, **options):
    others = (1 - probability) / 6
    shares = {name: probability if name == emotion else others for name in mien.EMOTIONS}
    return Face(Box(0, 0, 9, 9), 0.9, Probabilities(shares), track=track, **options)


def video(*rows):
    """Frames 25 a second, each with the (emotion, probability) of person 1, 2, ...; None: not in sight."""
    for number, row in enumerate(rows):
        faces = tuple(face(*seen, track) for track, seen in enumerate(row, 1) if seen is not None)
        yield Frame("clip.mp4", number, number * STEP, 9, 9, faces)


def planted(stretches):
    """Rows of one person, and the episodes that are in them, of (emotion, probabilities) or (None, frames)."""
    rows, truth = [], []
    for emotion, values in stretches:
        if emotion is not None:
            start, peak = len(rows), max(values)
            times = [time * STEP for time in (start, start + values.index(peak), start + len(values))]
            truth.append((emotion, *times, sum(values) / len(values), peak))
        rows += [(None,)] * values if emotion is None else [((emotion, value),) for value in values]
    return rows, truth


def test_every_stretch_is_found_with_onset_apex_offset_and_mean():
    rows, truth = planted(
        [
            ("neutral", [0.5, 0.9, 0.6]),
            ("happy", [0.6, 0.7, 0.95, 0.95, 0.5]),
            (None, 40),
            ("happy", [0.8]),
            ("sad", [0.7] * 30),
        ]
    )
    found = mien.find_episodes(video(*rows))
    values = [
        (one.emotion, one.onset, one.apex, one.offset, one.mean_probability, one.peak_probability) for one in found
    ]
    assert values == [(name, *map(pytest.approx, numbers)) for name, *numbers in truth]
    assert [one.duration for one in found] == pytest.approx([3 * STEP, 5 * STEP, STEP, 30 * STEP])


@given(st.lists(st.tuples(st.sampled_from(mien.EMOTIONS), st.integers(1, 9)), min_size=1, max_size=20))
def test_the_stretches_of_a_person_who_stays_fill_the_time_without_overlap(stretches):
    rows = [((emotion, 0.8),) for emotion, length in stretches for _ in range(length)]
    found = mien.find_episodes(video(*rows))
    assert found[0].onset == 0
    for before, after in pairwise(found):
        assert before.offset == pytest.approx(after.onset)
        assert before.emotion != after.emotion
    shown = sum(one.duration for one in found if one.emotion == "happy")
    happy = STEP * sum(row[0][0] == "happy" for row in rows)
    assert shown == pytest.approx(happy if len(rows) > 1 else 0)


def test_a_short_absence_ends_no_episode_and_a_long_one_does():
    for frames, count in ((round(GAP / STEP) - 1, 1), (round(GAP / STEP) + 1, 2)):
        rows, _ = planted([("happy", [0.8] * 5), (None, frames), ("happy", [0.8] * 5)])
        assert len(mien.find_episodes(video(*rows))) == count


def test_people_have_episodes_of_their_own_in_the_order_of_their_onsets():
    rows = [(("happy", 0.8), None)] * 5 + [(("happy", 0.8), ("sad", 0.7))] * 5 + [(None, ("angry", 0.7))] * 5
    found = mien.find_episodes(video(*rows))
    assert [(one.person, one.emotion, round(one.onset / STEP), round(one.offset / STEP)) for one in found] == [
        (1, "happy", 0, 10),
        (2, "sad", 5, 10),
        (2, "angry", 10, 15),
    ]


def test_thresholds_and_least_durations_are_kept():
    rows, _ = planted([("happy", [0.5, 0.9, 0.9, 0.5]), ("sad", [0.8] * 10), ("fear", [0.9])])
    sure = mien.find_episodes(video(*rows), min_probability=0.7)
    assert [(one.emotion, round(one.onset / STEP), round(one.offset / STEP)) for one in sure] == [
        ("happy", 1, 3),
        ("sad", 4, 14),
        ("fear", 14, 15),
    ]
    assert [one.emotion for one in mien.find_episodes(video(*rows), min_seconds=4 * STEP)] == ["happy", "sad"]
    unsure = (Frame("a", n, n * STEP, 9, 9, (face("happy", 0.5, min_probability=0.6),)) for n in range(9))
    assert mien.find_episodes(unsure) == []
    for options in ({"min_probability": 1.1}, {"min_seconds": -1}, {"min_seconds": float("nan")}):
        with pytest.raises(UsageError, match="of an episode is"):
            mien.find_episodes([], **options)


@pytest.fixture
def episodes():
    return [
        Episode(1, "happy", 0.0, 0.04, 0.2, 0.812345678, 0.9),
        Episode(2, "böse & <müde>", 0.1, 0.1, 0.1, 0.5, 0.5),
        Episode(1, "sad", 0.2, 0.28, 1.5004, 0.7, 0.8),
    ]


def test_the_table_has_a_row_for_each_episode(episodes):
    rows = list(csv.DictReader(io.StringIO(as_csv(episodes, "clip.mp4"))))
    assert list(rows[0]) == [
        *("source", "person", "emotion", "onset", "apex", "offset", "duration"),
        *("mean_probability", "peak_probability"),
    ]
    assert rows[0]["mean_probability"] == "0.812346"
    assert [float(row["duration"]) for row in rows] == pytest.approx([0.2, 0.0, 1.3004])
    assert [row["person"] for row in rows] == ["1", "2", "1"]


def test_the_table_for_boris_has_its_columns(episodes):
    rows = list(csv.DictReader(io.StringIO(as_boris(episodes, "clip.mp4", 1.46, NOW)), delimiter="\t"))
    assert all(float(row["Stop (s)"]) <= float(row["Total length"]) for row in rows)
    assert [(row["Subject"], row["Behavior"], row["Start (s)"], row["Stop (s)"]) for row in rows] == [
        ("person 1", "happy", "0.000", "0.200"),
        ("person 2", "böse & <müde>", "0.100", "0.100"),
        ("person 1", "sad", "0.200", "1.500"),
    ]
    assert {row["Behavior type"] for row in rows} == {"STATE"}
    assert {(row["Observation id"], row["Media file"]) for row in rows} == {("clip", "clip.mp4")}


@pytest.mark.parametrize("media", [None, "./a%20b.mp4"])
def test_a_document_for_elan_holds_the_episodes(episodes, media):
    for some in ([], episodes):
        root = ET.fromstring(as_eaf(some, media, NOW))
        slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")}
        assert list(slots.values()) == sorted(slots.values())
        found = [
            (
                tier.get("TIER_ID"),
                one.find("ANNOTATION_VALUE").text,
                *(slots[one.get(f"TIME_SLOT_REF{n}")] for n in (1, 2)),
            )
            for tier in root.iter("TIER")
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert (
            found
            == [
                ("person 1", "happy", 0, 200),
                ("person 1", "sad", 200, 1500),
                ("person 2", "böse & <müde>", 100, 101),
            ][: len(some)]
        )
        assert root.find("HEADER/MEDIA_DESCRIPTOR") is None or media is not None


def test_a_document_for_elan_is_valid_by_its_schema(episodes):
    """`eaf_3.0.xsd` states what the schema of EAF 3.0 says of the elements that are written, with its keys."""
    schema = pytest.importorskip("xmlschema").XMLSchema(SCHEMA)
    for some, media in (([], None), (episodes, None), (episodes, "./a%20b.mp4")):
        schema.validate(as_eaf(some, media, NOW))
    good = as_eaf(episodes, None, NOW)
    for broken in (
        good.replace('TIME_SLOT_REF2="ts2"', 'TIME_SLOT_REF2="ts99"'),
        good.replace('LINGUISTIC_TYPE_REF="expression"', 'LINGUISTIC_TYPE_REF="other"'),
        good.replace('TIME_UNITS="milliseconds"', 'TIME_UNITS="hours"'),
        good.replace('ANNOTATION_ID="a1"', 'ANNOTATION_ID="a2"'),
        good.replace('TIME_VALUE="0"', 'TIME_VALUE="0.5"'),
    ):
        assert broken != good
        assert not schema.is_valid(broken)


def test_the_files_of_a_video_lie_beside_its_copy_and_name_it(tmp_path):
    source = tmp_path / "film ä.mp4"
    source.write_bytes(b"")
    (tmp_path / "out").mkdir()
    sink = EpisodeFiles(tmp_path / "out" / "film.mien", now=lambda: NOW)
    for frame in video(*[(("happy", 0.8),)] * 5):
        sink.add(Recognized(Frame(str(source), frame.index, frame.time, 9, 9, frame.faces), None))
    paths = sink.close()
    assert [path.name for path in paths] == ["film.mien.episodes.csv", "film.mien.eaf", "film.mien.boris.tsv"]
    (media,) = ET.fromstring(paths[1].read_text(encoding="utf-8")).iter("MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./../film%20%C3%A4.mp4"
    assert str(tmp_path) not in paths[1].read_text(encoding="utf-8")
    assert next(csv.DictReader(paths[0].open(encoding="utf-8")))["source"] == "film ä.mp4"

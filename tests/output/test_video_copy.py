import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.choices import SMOOTHINGS
from mien.errors import InputError
from mien.labels import EMOTIONS
from mien.media.mp4 import VideoWriter
from mien.output.colours import COLOURS
from mien.output.dataframe import to_pandas
from mien.output.drawing import annotate
from mien.output.folder import Names
from mien.output.people import People, summarize
from mien.output.recognized import Recognized
from mien.output.sink import Sinks
from mien.output.table_rows import table_columns, table_rows
from mien.output.timeline import SMOOTHED, Timelines, TrackHistory
from mien.output.video_copy import AnnotatedVideo
from mien.output.write_rows import Parquet
from mien.results import Box, Face, Frame, Header

HEADER = Header("linear", "ab" * 32, {"detector": "none"})
IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
sightings = st.lists(st.dictionaries(st.integers(1, 3), st.integers(0, 6), max_size=3), min_size=1, max_size=30)


def face(emotion, track=1):
    probabilities = 0.05 + 0.65 * np.eye(7)[emotion]
    return Face(Box(10, 10, 30, 40), 0.9, tuple(probabilities.tolist()), track=track)


def frames_of(sights, step=0.04):
    """Frames in which each track shows an emotion."""
    return [
        Frame("a.mp4", number, number * step, 80, 60, tuple(face(label, track) for track, label in seen.items()))
        for number, seen in enumerate(sights)
    ]


@settings(max_examples=40)
@given(sightings)
def test_people_are_summed_up_as_pandas_counts_them(sights):
    frames = frames_of(sights)
    table = to_pandas(frames)
    assert list(table.columns) == list(table_columns(EMOTIONS))
    assert table["index"].nunique() == len(sights)
    people = table.dropna(subset=["track"])
    summaries = {summary.track: summary for summary in summarize(frames)}
    assert set(summaries) == set(people["track"])
    for track, rows in people.groupby("track"):
        shares = rows["emotion"].value_counts(normalize=True)
        assert summaries[track].shares == pytest.approx({name: shares.get(name, 0.0) for name in EMOTIONS})
        assert summaries[track].changes == (rows["emotion"] != rows["emotion"].shift()).sum() - 1
        assert summaries[track].frames == len(rows)
        assert summaries[track].start == rows["time"].min()


def test_the_longest_episodes_come_first_and_last_until_the_next_frame():
    sights = [{1: 3}] * 10 + [{1: 6}] * 20 + [{1: 3}] * 5 + [{1: 0}] * 2
    (summary,) = summarize(frames_of(sights, step=0.1))
    found = [(episode.emotion, episode.onset, episode.offset) for episode in summary.longest]
    expected = [("neutral", 1.0, 3.0), ("happy", 0.0, 1.0), ("happy", 3.0, 3.5)]
    for (name, *times), (expected_name, *expected_times) in zip(found, expected, strict=True):
        assert name == expected_name
        assert times == pytest.approx(expected_times)
    assert (summary.changes, summary.end, summary.seconds) == (3, pytest.approx(3.7), pytest.approx(3.7))
    json.dumps(summary.to_dict(), allow_nan=False)


def test_a_long_absence_ends_an_episode():
    sights = [{1: 3}] * 10 + [{}] * 20 + [{1: 3}] * 5
    (summary,) = summarize(frames_of(sights, step=0.1))
    assert [round(episode.duration, 6) for episode in summary.longest] == [1.0, 0.5]
    assert summary.changes == 0
    assert summary.seconds == pytest.approx(1.5)


def test_parquet_holds_the_rows_whole_even_when_interrupted(tmp_path):
    frames = frames_of([{1: 3, 2: 4}, {}, {1: 5}])

    def write(file):
        with Parquet(file, HEADER) as table:
            for frame in frames:
                table.add(Recognized(frame, IMAGE))
            raise KeyboardInterrupt

    with (tmp_path / "a.parquet").open("wb") as file, pytest.raises(KeyboardInterrupt):
        write(file)
    table = pq.read_table(tmp_path / "a.parquet")
    assert json.loads(table.schema.metadata[b"mien"]) == HEADER.to_dict()
    found = table.to_pylist()
    assert found == list(table_rows(frames, EMOTIONS))


def decoded(path):
    with av.open(str(path)) as file:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


def sound_of(path):
    with av.open(str(path)) as file:
        return file.streams.audio[0].codec_context.name, [
            bytes(packet) for packet in file.demux(file.streams.audio[0]) if packet.size
        ]


@pytest.mark.parametrize("shape", [(60, 80, 3), (61, 83, 3)])
def test_a_written_video_has_every_image_at_its_time(tmp_path, shape):
    times = [0.0, 0.013, 0.2, 0.6, 0.64]
    writer = VideoWriter(tmp_path / "a.mp4")
    for number, time in enumerate(times):
        writer.write(np.full(shape, 40 * number, np.uint8), time)
    assert not (tmp_path / "a.mp4").exists()
    assert writer.close() == tmp_path / "a.mp4"
    found = decoded(tmp_path / "a.mp4")
    assert [time for time, _ in found] == pytest.approx(times, abs=1e-3)
    for number, (_, image) in enumerate(found):
        assert image.mean() == pytest.approx(40 * number, abs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.mkv", "mp3"), ("a.mkv", "libopus")]
)
def test_sound_is_copied_byte_for_byte(tmp_path, write_clip, name, codec):
    images = [IMAGE] * 30
    source = write_clip(tmp_path / name, images, audio=codec)
    writer = VideoWriter(tmp_path / "copy.mp4", source)
    for number, image in enumerate(images):
        writer.write(image, number / 25)
    writer.close()
    assert sound_of(tmp_path / "copy.mp4")[1] == sound_of(source)[1]


def test_sound_that_mp4_cannot_hold_becomes_aac(tmp_path, write_clip):
    source = write_clip(tmp_path / "a.mkv", [IMAGE] * 30, audio="pcm_s16le")
    writer = VideoWriter(tmp_path / "copy.mp4", source)
    for number in range(30):
        writer.write(IMAGE, number / 25)
    writer.close()
    codec, packets = sound_of(tmp_path / "copy.mp4")
    assert codec == "aac"
    assert len(packets) == pytest.approx(29 / 25 * 48_000 / 1024, abs=3)


@pytest.mark.parametrize(("shape", "inside"), [((30, 80), (15, 45, 0, 80)), ((60, 40), (0, 60, 20, 60))])
def test_an_image_of_another_size_is_fitted_into_that_of_the_first(tmp_path, shape, inside):
    writer = VideoWriter(tmp_path / "a.mp4")
    writer.write(IMAGE, 0.0)
    writer.write(np.full((*shape, 3), 200, np.uint8), 0.1)
    writer.close()
    _, (_, image) = decoded(tmp_path / "a.mp4")
    expected = np.zeros_like(IMAGE)
    top, bottom, left, right = inside
    expected[top:bottom, left:right] = 200
    assert np.abs(image.astype(int) - expected).mean() < 4


def test_a_sound_that_cannot_be_begun_leaves_nothing_behind(tmp_path, write_clip, monkeypatch):
    source = write_clip(tmp_path / "a.mp4", [IMAGE] * 3, audio="aac")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mien.media.mp4.Sound", interrupted)
    with pytest.raises(KeyboardInterrupt):
        VideoWriter(tmp_path / "copy.mp4", source)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_video_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing/a\.mp4: cannot be written"):
        VideoWriter(tmp_path / "missing" / "a.mp4")


FULL_DISK = """
import resource
from dataclasses import replace
from pathlib import Path
import numpy as np
from mien.errors import SinkError
from mien.output.people import People
from mien.output.recognized import Recognized
from mien.output.sink import Sinks
from mien.output.timeline import Timelines
from mien.output.video_copy import AnnotatedVideo
from mien.results import Box, Face, Frame

resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
base = Path("a.mien")
sinks = Sinks([AnnotatedVideo(Path("a.mien.mp4"), None), People(target=Path("a.mien.json")), Timelines(base)])
face = Face(Box(10, 10, 30, 40), 0.9, (0, 0, 0, 1, 0, 0, 0), track=1)
noise = np.random.default_rng(0)
for number in range(200):
    image = noise.integers(0, 256, (120, 160, 3)).astype(np.uint8)
    sinks.add(Recognized(Frame("a.mp4", number, number / 5, 160, 120, (face,)), image))
try:
    sinks.close()
except SinkError as error:
    print(error)
    for path in error.paths:
        print(path)
"""


def test_when_the_copy_finds_no_room_all_else_is_saved(tmp_path):
    """A limit on the size of files stands for a full disk."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK], cwd=tmp_path, capture_output=True, text=True, check=True)
    failed, *saved = done.stdout.splitlines()
    assert failed == done.stderr.strip() == "a.mien.mp4: cannot be written (File too large)"
    assert saved == ["a.mien.json", "a.mien.person-1.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == saved
    assert json.loads((tmp_path / "a.mien.json").read_text())["people"][0]["frames"] == 200


def test_damaged_sound_costs_no_image(tmp_path, write_clip):
    source = write_clip(tmp_path / "a.mkv", [IMAGE] * 30, audio="flac")
    content = bytearray(source.read_bytes())
    random = np.random.default_rng(3)
    for place in random.integers(len(content) // 2, len(content) - 400, 800):
        content[place] = random.integers(256)
    source.write_bytes(content)
    writer = VideoWriter(tmp_path / "copy.mp4", source)
    for number in range(30):
        writer.write(IMAGE, number / 25)
    writer.close()
    assert len(decoded(tmp_path / "copy.mp4")) == 30


def saved(names, sights, name="a.mp4", source=None):
    base = names.video(str(source or name))
    copy, summary = (base.with_name(base.name + suffix) for suffix in (".mp4", ".json"))
    with Sinks([AnnotatedVideo(copy, source), People(target=summary), Timelines(base)]) as sinks:
        for frame in frames_of(sights):
            sinks.add(Recognized(frame, np.full((480, 640, 3), 90, np.uint8)))
        return list(sinks.close())


def test_a_video_leaves_a_copy_a_summary_and_timelines(tmp_path):
    sights = [{1: 3, 2: 4}] * 5 + [{1: 3}] * 30
    names = [path.name for path in saved(Names(tmp_path / "out"), sights)]
    assert names == ["a-mp4.mien.mp4", "a-mp4.mien.json", "a-mp4.mien.person-1.png"]  # person 2 was there for 0.2 s
    summary = json.loads((tmp_path / "out" / names[1]).read_text())
    assert [person["track"] for person in summary["people"]] == [1, 2]
    assert summary["people"] == json.loads(json.dumps([track.to_dict() for track in summarize(frames_of(sights))]))
    _, image = decoded(tmp_path / "out" / names[0])[20]
    expected = annotate(np.full((480, 640, 3), 90, np.uint8), [face(3)])
    assert np.abs(image.astype(int) - expected).mean() < 4


def test_videos_of_one_name_do_not_overwrite_each_other_or_their_source(tmp_path, write_clip):
    source = write_clip(tmp_path / "x.mien.mp4", [IMAGE] * 3)
    plain = write_clip(tmp_path / "x.mp4", [IMAGE] * 3)
    before = source.read_bytes(), plain.read_bytes()
    names = Names(tmp_path, [source, plain])
    found = [saved(names, [{1: 3}], source=path)[0].name for path in (plain, source, source)]
    assert found == ["x-2.mien.mp4", "x.mien.mien.mp4", "x.mien-2.mien.mp4"]
    assert (source.read_bytes(), plain.read_bytes()) == before


def test_an_empty_video_leaves_nothing(tmp_path):
    assert saved(Names(tmp_path), []) == []
    assert list(tmp_path.iterdir()) == []


def test_a_timeline_stacks_the_probabilities_of_every_moment():
    history = TrackHistory(EMOTIONS)
    for number in range(200):
        history.add(10 + number * 0.02, face(3 if number < 100 else 4), IMAGE)
    picture = np.asarray(history.draw("a.mp4, person 1"))
    for column, main in ((200, 3), (1000, 4)):
        plot = picture[:, column][-(220 + 75) : -75]
        for label, name in enumerate(EMOTIONS):
            share = (plot == COLOURS[name]).all(axis=1).mean()
            assert share == pytest.approx(0.7 if label == main else 0.05, abs=0.02)
        assert plot[-1].tolist() == list(COLOURS["angry"])
        assert plot[0].tolist() == list(COLOURS["neutral"])


def test_where_nobody_was_seen_the_timeline_is_empty():
    history = TrackHistory(EMOTIONS)
    for number in range(100):
        if not 30 <= number < 70:
            history.add(number * 0.1, face(3), IMAGE)
    picture = np.asarray(history.draw("a"))
    middle = picture[:, 60 + 1116 // 2][-(220 + 70) : -80]
    assert (middle == 255).all()


def test_thumbnails_stay_few_and_spread():
    timelines = Timelines(Path("a"))
    for frame in frames_of([{1: 3}] * 3000):
        timelines.add(Recognized(frame, IMAGE))
    times = [time for time, _ in timelines.tracks[1]._thumbnails]
    assert 8 <= len(times) <= 32
    assert times[0] == 0
    assert times[-1] > 100
    assert max(np.diff(times)) < 20


def test_a_timeline_names_the_file_alone_and_says_what_its_areas_are(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(TrackHistory, "draw", lambda _self, *words: said.append(words) or Image.new("RGB", (9, 9)))
    for source, options in (
        ("/home/me/secret/clip.mp4", {"smooth": "mode"}),
        ("rtsp://camera/hall", {"smooth": "ema", "time_constant": 0.25}),
        ("0", {}),
    ):
        timelines = Timelines(tmp_path / "a")
        for frame in frames_of([{1: 3}] * 60):
            header = Header("mien_s", None, options)
            timelines.add(Recognized(replace(frame, source=source, header=header), IMAGE))
        timelines.close()
    assert said == [
        ("clip.mp4, person 1", "Areas: shares of the expressions among the last readings (mode)"),
        ("hall, person 1", "Areas: probabilities, averaged over what came before (ema, time constant 0.25 s)"),
        ("0, person 1", "Areas: probabilities, smoothed"),
    ]
    assert set(SMOOTHED) >= set(SMOOTHINGS)


def test_a_person_seen_once_has_a_timeline():
    history = TrackHistory(EMOTIONS)
    history.add(3.0, face(2), IMAGE)
    assert isinstance(history.draw("a"), Image.Image)
    assert history.seconds == 0

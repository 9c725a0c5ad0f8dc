import contextlib
import csv
import io
import json
import re
import signal
import subprocess
import sys
import threading
from functools import partial

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from mien.cli.main import app
from mien.errors import UsageError
from network_camera import jpeg, serving
from waiting import HANG, wait_for

COUNT = 20


@pytest.fixture(scope="module")
def clip(tmp_path_factory, write_clip, stage):
    """The bytes of a clip of one person, with sound."""
    images = [stage((0, 100 + 2 * number, 60)) for number in range(COUNT)]
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_clip(path, images, audio="aac", options={"movflags": "faststart"}).read_bytes()


@pytest.fixture
def workplace(tmp_path, monkeypatch, write_linear_model, clip):
    """A folder with a model, a clip and a truncated copy of it; the current one."""
    monkeypatch.chdir(tmp_path)
    write_linear_model(tmp_path / "model.onnx")
    (tmp_path / "clip.mp4").write_bytes(clip)
    (tmp_path / "cut.mp4").write_bytes(clip[: int(0.7 * len(clip))])
    return tmp_path


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", *arguments, "--model", "model.onnx"])


def started(*arguments, **options):
    """The command as installed, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "mien", "predict", *arguments, "--model", "model.onnx"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that run in a shell's background were told to ignore Ctrl-C, and their children would as well.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread as yet
        **options,
    )


def frames_of(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_video_is_a_line_for_every_frame_with_time_and_track(workplace):
    result = predict("clip.mp4", "--format", "jsonl")
    assert result.exit_code == 0, result.stderr
    frames = frames_of(result)
    assert [frame["index"] for frame in frames] == list(range(COUNT))
    assert [frame["time"] for frame in frames] == pytest.approx([number / 25 for number in range(COUNT)], abs=1e-3)
    assert [[face["track"] for face in frame["faces"]] for frame in frames] == [[1]] * COUNT


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_truncated_video_gives_its_frames_then_the_error_and_stops_nothing(workplace, form):
    result = predict("cut.mp4", "clip.mp4", "missing.mp4", "--format", form, "--out", "out")
    assert result.exit_code == 1
    read = {
        "json": lambda text: json.loads(text)["frames"],
        "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
    }[form]
    rows = read(result.stdout)
    found = {name: [row for row in rows if row["source"] == name] for name in ("cut.mp4", "clip.mp4", "missing.mp4")}
    *whole, last = found["cut.mp4"]
    assert 5 < len(whole) < COUNT
    assert not any(row["error"] for row in whole)
    assert int(last["index"]) == len(whole)
    assert last["error"].startswith("cut.mp4: ")
    assert len(found["clip.mp4"]) == COUNT
    assert [row["error"] for row in found["missing.mp4"]] == [
        "missing.mp4: not a video that can be read (No such file or directory)"
    ]
    assert f"mien: {last['error']}" in result.stderr
    assert "mien: 2 of 3 failed" in result.stderr
    with av.open("out/cut.mien.mp4") as file:
        assert sum(1 for _ in file.decode(video=0)) == len(whole)


def test_parquet_on_standard_output_is_the_csv(workplace):
    table = pq.read_table(io.BytesIO(predict("clip.mp4", "--format", "parquet").stdout_bytes)).to_pylist()
    rows = list(csv.DictReader(io.StringIO(predict("clip.mp4", "--format", "csv").stdout)))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in table] == rows


def test_the_table_sums_up_people(workplace):
    result = predict("clip.mp4")
    header, row = result.stdout.splitlines()
    assert header.split() == ["video", "person", "from", "to", "seen", "changes", "noise", "expressions"]
    assert row.split()[:6] == ["clip.mp4", "1", "0.00", "s", "0.80", "s"]
    assert "%" in row


def test_pictures_and_videos_may_be_mixed(workplace, stage):
    Image.fromarray(stage((1, 200, 60))).save("a.png")
    frames = frames_of(predict("a.png", "*.mp4", "--format", "jsonl"))
    assert [(frame["source"], frame["time"]) for frame in frames[:2]] == [("a.png", None), ("clip.mp4", 0.0)]
    assert frames[0]["faces"][0]["track"] is None


def test_with_fps_the_pictures_of_a_folder_are_one_video(workplace, stage):
    (workplace / "shots").mkdir()
    for number in range(8):
        Image.fromarray(stage((0, 100 + number, 60))).save(f"shots/{number:03}.png")
    frames = frames_of(predict("shots", "--fps", "10", "--format", "jsonl"))
    assert [frame["time"] for frame in frames] == pytest.approx([number / 10 for number in range(8)])
    assert {(frame["source"], frame["faces"][0]["track"]) for frame in frames} == {("shots", 1)}
    assert {frame["time"] for frame in frames_of(predict("shots", "--format", "jsonl"))} == {None}


def test_everything_about_a_video_is_saved_when_asked_for(workplace, stage, write_clip):
    write_clip(workplace / "long.mp4", [stage((0, 100, 60))] * 40)
    result = predict("long.mp4", "--save", "--format", "csv")
    saved = sorted(path.name for path in (workplace / "mien-out").iterdir())
    assert saved == [
        f"long.mien.{suffix}" for suffix in ("boris.tsv", "eaf", "episodes.csv", "json", "mp4", "person-1.png")
    ]
    assert all(f"saved mien-out/{name}" in result.stderr for name in saved)


def test_options_reach_the_stream(workplace):
    plain, none, every, mirrored = (
        predict("clip.mp4", "--format", "jsonl", *options).stdout
        for options in (["--no-mirror"], ["--smooth", "none"], ["--every", "1"], ["--mirror"])
    )
    assert len({plain, none, every, mirrored}) == 4
    assert plain == predict("clip.mp4", "--format", "jsonl").stdout


def test_haar_without_smoothing_is_s3s_way(workplace):
    arguments = ["--detector", "haar", "--smooth", "mode", "--every", "1", "--mirror"]
    frames = frames_of(predict("clip.mp4", *arguments, "--format", "jsonl"))
    assert len(frames) == COUNT
    assert all(face["landmarks"] == [] and face["confidence"] == 1 for frame in frames for face in frame["faces"])


def test_a_pipe_is_read_until_interrupted_and_all_that_was_done_is_whole(workplace, stage):
    jpeg = io.BytesIO()
    Image.fromarray(stage((0, 100, 60))).save(jpeg, "JPEG")
    process = started("-", "--format", "json", "--batch", "1", "--out", "out", stdin=subprocess.PIPE)
    threading.Thread(target=feed, args=(process.stdin, jpeg.getvalue()), daemon=True).start()
    lines = [process.stdout.readline() for _ in range(150)]  # it is at work
    process.send_signal(signal.SIGINT)
    hung = threading.Timer(HANG, process.kill)
    hung.start()
    rest, messages = process.stdout.read(), process.stderr.read()
    hung.cancel()
    assert process.wait(HANG) == 130
    assert b"Traceback" not in messages
    frames = json.loads(b"".join(lines) + rest)["frames"]
    assert frames
    assert [frame["index"] for frame in frames] == list(range(len(frames)))
    with av.open("out/video.mien.mp4") as file:
        assert sum(1 for _ in file.decode(video=0)) in {len(frames), len(frames) - 1}


def test_an_mp4_on_standard_input_is_not_called_empty(workplace, write_clip):
    """The index at its end comes too late in a pipe."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 300, 400, 3), np.uint8)
    clip = write_clip(workplace / "noise.mp4", list(noise)).read_bytes()
    process = started("-", "--format", "csv", stdin=subprocess.PIPE)
    _, messages = process.communicate(clip, timeout=HANG)
    assert process.returncode == 1
    assert b"cannot be read from standard input, name the file instead" in messages


def test_standard_input_that_brings_nothing_is_called_empty(workplace):
    process = started("-", "--format", "csv", stdin=subprocess.PIPE)
    _, messages = process.communicate(b"", timeout=HANG)
    assert process.returncode == 1
    assert b"-: standard input is empty; give it a video" in messages


@pytest.mark.parametrize("form", ["parquet", "json", "csv"])
def test_a_termination_signal_ends_like_ctrl_c_and_a_second_one_ends_nothing_earlier(workplace, stage, form):
    jpeg = io.BytesIO()
    Image.fromarray(stage((0, 100, 60))).save(jpeg, "JPEG")
    process = started("-", "--format", form, "--batch", "1", "--out", "out", stdin=subprocess.PIPE)
    threading.Thread(target=feed, args=(process.stdin, jpeg.getvalue()), daemon=True).start()
    aside = workplace / "out" / ".video.mien.mp4.partial"
    wait_for(lambda: aside.exists() and aside.stat().st_size)  # it is at work
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
    hung = threading.Timer(HANG, process.kill)
    hung.start()
    content, messages = process.communicate()
    hung.cancel()
    assert process.returncode == 130
    assert b"Traceback" not in messages
    rows = {
        "parquet": lambda: pq.read_table(io.BytesIO(content)).num_rows,
        "json": lambda: len(json.loads(content)["frames"]),
        "csv": lambda: len(list(csv.DictReader(io.StringIO(content.decode())))),
    }[form]()
    names = {path.name for path in (workplace / "out").iterdir()}
    assert {"video.mien.episodes.csv", "video.mien.json", "video.mien.mp4"} <= names
    with av.open("out/video.mien.mp4") as file:
        assert sum(1 for _ in file.decode(video=0)) in {rows, rows - 1}


def test_an_animated_picture_is_a_short_video(workplace, stage):
    first, *others = [Image.fromarray(stage((0, 100 + 2 * number, 60))) for number in range(5)]
    for name in ("a.gif", "a.webp", "a.png"):
        first.save(name, save_all=True, append_images=others, duration=[40, 80, 120, 0, 40], lossless=True)
    first.save("still.gif")
    result = predict("a.gif", "a.webp", "a.png", "still.gif", "--format", "jsonl", "--out", "out")
    assert result.exit_code == 0, result.stderr
    times = {}
    for frame in frames_of(result):
        times.setdefault(frame["source"], []).append(frame["time"])
    expected = [0.0, 0.04, 0.12, 0.24, 0.34]  # as browsers do, an image without duration is shown for 0.1 s
    assert times == {"still.gif": [None], "a.gif": expected, "a.webp": expected, "a.png": expected}
    with av.open("out/a.mien.mp4") as file:
        assert [frame.time for frame in file.decode(video=0)] == pytest.approx(expected, abs=1e-3)


def test_faces_that_come_after_a_clock_jumped_back_are_found(workplace, stage, write_clip):
    empty, person = [stage()] * COUNT, [stage((0, 100, 60))] * COUNT
    parts = [write_clip(workplace / f"{number}.ts", images) for number, images in enumerate((empty, person))]
    (workplace / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    result = predict("both.ts", "--format", "jsonl", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert "both.ts: its clock jumps back" in result.stderr
    frames = frames_of(result)
    assert [frame["time"] for frame in frames] == pytest.approx([n / 25 for n in range(2 * COUNT)], abs=1e-3)
    assert not any(frame["faces"] for frame in frames[:COUNT])
    assert all(frame["faces"] for frame in frames[COUNT + 12 :])  # the whole picture is searched twice a second
    with av.open("out/both.mien.mp4") as file:
        times = [frame.time for frame in file.decode(video=0)]
    assert times == pytest.approx([frame["time"] for frame in frames], abs=1e-3)


def test_sound_that_cannot_be_resampled_costs_no_row(workplace, stage, write_clip):
    path = write_clip(workplace / "odd.mkv", [stage((0, 100, 60))] * COUNT, audio="pcm_s16le")
    path.write_bytes(path.read_bytes().replace(b"A_PCM/INT/LIT", b"A_ODD/ODD/ODD"))
    result = predict("odd.mkv", "--format", "jsonl", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert len(frames_of(result)) == COUNT
    assert "odd.mkv: its sound cannot be taken along and is left out of the copy (unknown codec)" in result.stderr
    assert [path.name for path in (workplace / "out").iterdir() if "partial" in path.name] == []


def feed(pipe, jpeg):
    """Writes pictures into a pipe until nobody reads them any more."""
    with contextlib.suppress(OSError, ValueError):  # a broken pipe; one that was closed here
        while True:
            pipe.write(jpeg)


def _imports(name, module):
    """Whether a module of mien holds anything that comes from another package."""
    held = vars(sys.modules[name]).values()
    return any(
        (getattr(value, "__module__", None) or getattr(value, "__name__", "")).split(".")[0] == module for value in held
    )


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [("av", [], "video"), ("av", ["--save"], "video"), ("pyarrow", ["--format", "parquet"], "tables")],
)
def test_a_missing_extra_is_named(workplace, monkeypatch, module, arguments, extra):
    monkeypatch.setitem(sys.modules, module, None)
    for name in [name for name in sys.modules if name.startswith("mien.") and _imports(name, module)]:
        monkeypatch.delitem(sys.modules, name)
    result = predict("clip.mp4", *arguments)
    assert result.exit_code == 1
    assert f"pip install 'mien[{extra}]'" in result.stderr + str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["clip.mp4", "--every", "0"], 2, "every"),
        (["clip.mp4", "--smooth", "median"], 2, "smooth"),
        (["clip.mp4", "--fps", "-1"], 2, "fps"),
        (["clip.mp4", "--region", "1,2,3"], 2, "region is (1, 2, 3): expected"),
        (["clip.mp4", "--prefer", "central"], 2, "say how many with max_faces"),
        (["clip.mp4", "--blur", "--max-faces", "1"], 2, "--blur would leave clear the faces that --max-faces leaves"),
        (["clip.mp4", "--blur"], 2, "--blur changes annotated copies, timelines and the window: add --out DIR"),
        (["clip.mp4", "--episode-min-seconds", "1"], 2, "change files of --out: add --out DIR"),
        (["clip.mp4", "--start", "soon"], 2, "start is 'soon': expected seconds (90, 90.5), mm:ss or hh:mm:ss.mmm"),
        (["clip.mp4", "--start", "2", "--end", "0:01"], 2, "the end, 1 s, is not behind the start, 2 s"),
        (["clip.mp4", "--step", "2", "--fps-out", "5"], 2, "step and fps_out contradict each other"),
        (["clip.mp4", "--smooth", "mode", "--time-constant", "1"], 2, "time_constant is for smoothing"),
        (["0", "--end", "5"], 2, "0: a live source has no start and no end to choose"),
        (["clip.mp4", "--start", "1:00"], 1, "clip.mp4: its last frame is at 0.760 s, before the start asked for, 60"),
        (["77"], 1, "camera 77: cannot be opened"),
        (["rtsp://127.0.0.1:1/x"], 1, "not a video that can be read"),
    ],
)
def test_wrong_use_is_told_in_a_line(workplace, arguments, status, words):
    result = predict(*arguments)
    output = result.stderr + str(result.exception)
    assert words in output
    assert result.exit_code == status or getattr(result.exception, "exit_status", None) == status


def test_a_shown_video_gives_the_same_rows(workplace, monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    shown, plain = (predict("clip.mp4", "--format", "jsonl", *option) for option in (["--show"], []))
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout == plain.stdout


def test_quitting_the_window_begins_no_further_video(workplace, monkeypatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    result = predict("clip.mp4", "clip.mp4", "cut.mp4", "--format", "jsonl", "--show")
    assert result.exit_code == 0, result.stderr
    assert [frame["index"] for frame in frames_of(result)] == [0]


def test_pictures_are_not_shown_in_a_window(workplace):
    Image.new("RGB", (40, 40)).save(workplace / "photo.png")
    result = predict("photo.png", "--show")
    assert isinstance(result.exception, UsageError)
    assert "--show shows videos, and photo.png is a picture" in str(result.exception)


def test_raw_probabilities_stand_beside_the_smoothed_ones_in_every_format(workplace):
    plain = frames_of(predict("clip.mp4", "--format", "jsonl", "--smooth", "none"))
    expected = [frame["faces"][0]["probabilities"] for frame in plain]
    frames = frames_of(predict("clip.mp4", "--format", "jsonl", "--raw"))
    assert [frame["faces"][0]["raw_probabilities"] for frame in frames] == expected
    assert "raw_probabilities" not in plain[0]["faces"][0]
    rows = list(csv.DictReader(io.StringIO(predict("clip.mp4", "--format", "csv", "--raw").stdout)))
    table = pq.read_table(io.BytesIO(predict("clip.mp4", "--format", "parquet", "--raw").stdout_bytes)).to_pylist()
    for row, record, shares in zip(rows, table, expected, strict=True):
        assert {name: float(row[f"raw_{name}"]) for name in shares} == shares
        assert {name: record[f"raw_{name}"] for name in shares} == shares


def test_several_cameras_have_rows_and_files_of_their_own(workplace, stage):
    with serving([jpeg(stage((0, 100, 60)))] * 40) as one, serving([jpeg(stage((1, 200, 60)))] * 40) as two:
        options = ["--reopen", "0", "--no-mirror", "--out", "out"]
        result = predict(one, two, "clip.mp4", "--format", "jsonl", *options)
    assert "2 of 3 failed" in result.stderr  # their lines are cut in the end
    frames = [frame for frame in frames_of(result) if not frame["error"]]
    for source, middle in ((one, 160), (two, 260)):
        own = [frame for frame in frames if frame["source"] == source]
        assert own[-1]["index"] == 39  # late ones are dropped, however many, and never the newest
        assert [frame["index"] for frame in own] == sorted({frame["index"] for frame in own})
        assert all(abs(box[0] + box[2] / 2 - middle) < 30 for frame in own for box in [frame["faces"][0]["box"]])
    assert {frame["source"] for frame in frames[:COUNT]} == {"clip.mp4"}  # files come first
    copies = sorted(path.name for path in (workplace / "out").glob("*.mp4"))
    assert len(copies) == 3
    for name in copies:
        with av.open(f"out/{name}") as file:
            own = [frame for frame in frames if re.sub(r"\W+", "-", frame["source"]) == name.removesuffix(".mien.mp4")]
            assert sum(1 for _ in file.decode(video=0)) == (len(own) or COUNT)
    for option in ("--show", "--isolate"):
        assert "takes one live source, and 0 and 1 are two" in str(predict("0", "1", option).exception)


def test_a_camera_that_was_lost_has_rows_that_say_so(workplace, stage):
    pictures = [jpeg(stage((0, 100, 60)))] * 9
    with serving(pictures, refuses=lambda call: call > 2) as address:
        result = predict(address, "--reopen", "0.7", "--format", "csv")
    assert result.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    said = [row for row in rows if row["error"]]
    assert ["opened again" in row["error"] for row in said] == [True, False, True, False]
    assert "back after" in said[1]["error"]
    assert "not back after 0.7 s" in said[3]["error"]
    assert [row["time"] != "" for row in said] == [True, True, True, False]
    assert rows.index(said[2]) > rows.index(said[1]) + 1  # it went on between
    assert "1 of 1 failed" in result.stderr


def test_times_and_steps_are_for_videos(workplace):
    Image.new("RGB", (40, 40)).save(workplace / "photo.png")
    for option in (["--start", "1"], ["--step", "2"], ["--fps-out", "2"]):
        result = predict("photo.png", *option)
        assert str(result.exception).startswith(f"{option[0]} is for videos, and photo.png is a picture")
    assert "a live source has no start" in str(predict("rtsp://127.0.0.1:1/x", "--start", "1").exception)


def test_beside_videos_what_has_no_part_is_named_and_the_videos_are_recognised(workplace):
    Image.new("RGB", (40, 40)).save(workplace / "photo.png")
    result = predict("photo.png", "clip.mp4", "rtsp://127.0.0.1:1/x", "--start", "0.4", "--format", "jsonl")
    assert result.exit_code == 1
    picture, live, *rows = frames_of(result)
    assert (picture["source"], live["source"]) == ("photo.png", "rtsp://127.0.0.1:1/x")
    assert picture["error"].startswith("--start is for videos, and photo.png is a picture")
    assert "a live source has no start and no end" in live["error"]
    assert [row["index"] for row in rows] == list(range(10, COUNT))
    assert not any(row["error"] for row in rows)
    said = " ".join(result.stderr.split())
    assert picture["error"] in said
    assert "2 of 3 failed" in said


def test_an_excerpt_keeps_its_times_in_rows_and_begins_its_copy_with_its_first_frame(workplace):
    whole = frames_of(predict("clip.mp4", "--format", "jsonl", "--every", "1", "--smooth", "none"))
    options = ["--start", "0:00.2", "--end", "0.6", "--every", "1", "--smooth", "none"]
    result = predict("clip.mp4", "--format", "jsonl", "--out", "out", *options)
    assert result.exit_code == 0, result.stderr
    assert frames_of(result) == whole[5:15]
    with av.open("out/clip.mien.mp4") as file:
        assert [frame.time for frame in file.decode(video=0)] == pytest.approx([n / 25 for n in range(10)], abs=1e-3)
    with av.open("out/clip.mien.mp4") as file:
        sound = [packet for packet in file.demux(audio=0) if packet.size]
        assert 0.3 < sum(packet.duration * packet.time_base for packet in sound) < 0.6
    header = json.loads(predict("clip.mp4", "--format", "json", *options).stdout)
    assert (header["options"]["start"], header["options"]["end"]) == (0.2, 0.6)


def test_a_broken_picture_of_a_sequence_is_an_error_and_not_a_dropped_frame(workplace, stage):
    for number in range(4):
        Image.fromarray(stage((0, 100 + number, 60))).save(f"{number}.png")
    (workplace / "1.png").write_text("text")
    result = predict("[0-3].png", "--fps", "10", "--format", "jsonl")
    assert result.exit_code == 1
    assert [frame["index"] for frame in frames_of(result)] == [0, 2, 3, 4]
    assert "1 of 4 pictures left out, first: 1.png" in result.stderr
    assert "dropped" not in result.stderr


def test_a_copy_that_cannot_be_written_is_named_at_the_end_and_loses_nothing_else(workplace):
    (workplace / "out" / "clip.mien.mp4").mkdir(parents=True)
    result = predict("clip.mp4", "cut.mp4", "--out", "out", "--format", "jsonl")
    assert result.exit_code == 1
    frames = frames_of(result)
    assert [frame["index"] for frame in frames if frame["source"] == "clip.mp4"] == list(range(COUNT))
    *_, failed, last = result.stderr.splitlines()
    assert failed == "mien: 1 of 2 failed"
    assert last.startswith("mien: not everything was written: out/clip.mien.mp4: cannot be written")
    saved = sorted(path.name for path in (workplace / "out").iterdir() if path.is_file())
    beside = ("boris.tsv", "eaf", "episodes.csv", "json")
    assert saved == [*(f"clip.mien.{suffix}" for suffix in beside), *(f"cut.mien.{s}" for s in (*beside, "mp4"))]


def test_episodes_are_those_of_the_rows(workplace):
    options = ["--episode-min-probability", "0.2", "--episode-min-seconds", "0.1"]
    result = predict("clip.mp4", "--out", "out", "--format", "jsonl", *options)
    rows = list(csv.DictReader((workplace / "out" / "clip.mien.episodes.csv").open()))
    shown = [(frame["time"], face) for frame in frames_of(result) for face in frame["faces"]]
    for row in rows:
        assert float(row["duration"]) >= 0.1
        inside = [face for time, face in shown if float(row["onset"]) - 1e-3 <= time < float(row["offset"]) - 1e-3]
        assert {face["emotion"] for face in inside} == {row["emotion"]}
        mean = sum(face["probability"] for face in inside) / len(inside)
        assert float(row["mean_probability"]) == pytest.approx(mean, abs=1e-5)
        assert min(face["probability"] for face in inside) >= 0.2
    assert "clip.mp4" in (workplace / "out" / "clip.mien.eaf").read_text()


def test_one_face_of_each_frame_is_kept_when_asked_for(workplace, stage, write_clip):
    write_clip(workplace / "two.mp4", [stage((0, 60, 60), (1, 240, 60))] * 5)
    arguments = ["two.mp4", "--format", "jsonl"]
    both, one, region = (
        [[face["box"] for face in frame["faces"]] for frame in frames_of(predict(*arguments, *options))]
        for options in ([], ["--max-faces", "1", "--prefer", "central"], ["--region", "213,0,213,240"])
    )
    assert [len(boxes) for boxes in both] == [2] * 5
    assert [boxes[0] for boxes in one] == [min(found, key=lambda box: abs(box[0] + box[2] / 2 - 213)) for found in both]
    assert region == [[box for box in found if box[0] + box[2] / 2 >= 213] for found in both]


def test_the_summary_says_what_it_comes_from(workplace):
    assert predict("clip.mp4", "--out", "out").exit_code == 0
    summary = json.loads((workplace / "out" / "clip.mien.json").read_text())
    assert list(summary) == ["schema", "mien", "model", "labels", "options", "source", "people"]
    assert (summary["schema"], summary["model"]["name"], summary["source"]) == (2, "linear", "clip.mp4")

"""Jobs on one machine: rows as `mien predict` gives them, errors that stay errors, and what is refused."""

import json
import os
import time

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import mien.jobs
from jobs.inputs_of_jobs import draw, draw_plain, ordered, rows
from jobs.moody import WAITING, Moody
from mien.errors import InputError, JobError, UsageError
from mien.jobs import manifest
from mien.jobs.accounts import Account, JobStatus, rate
from mien.jobs.folder import Folder
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.fixture(scope="module")
def moody():
    return Recognizer(detector=Moody(), threads=1)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(manifest, "PART_PICTURES", 4)


def running(**options):
    return mien.jobs.Running(**{"workers": 2} | options)


@pytest.mark.usefixtures("small_parts")
def test_rows_are_those_of_predict_tracks_included(tmp_path, monkeypatch, mien, write_clip, stage):
    """Photos with faces, a video with two tracks, broken ones of both, an empty folder."""
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "in", 6, broken=1)
    for number in range(3):
        Image.fromarray(stage((0, 20 * number, 40), (1, 200, 60 + number))).save(f"in/faces{number}.jpg", quality=95)
    clip = [stage((0, 40 + 3 * number, 60), (1, 260 - 3 * number, 90)) for number in range(12)]
    write_clip(tmp_path / "in/clip.mp4", clip)
    (tmp_path / "in/cut.mp4").write_bytes((tmp_path / "in/clip.mp4").read_bytes()[:3000])
    (tmp_path / "empty").mkdir()
    plain = mien("predict", "in", "empty", "--format", "jsonl")
    job = mien("predict", "in", "empty", "--out", "out", "--format", "parquet", "--resume", "--workers", "2")
    assert (plain.returncode, job.returncode) == (1, 1)
    assert job.stdout == ""
    found = rows(tmp_path / "out")
    expected = [json.loads(line) for line in plain.stdout.splitlines()]
    assert ordered(flat(expected)) == [{name: row[name] for name in flat(expected)[0]} for row in found]
    assert {row["track"] for row in found if row["source"] == "in/clip.mp4"} == {1, 2}
    errors = {frame["error"] for frame in expected if frame["error"]}
    assert len(errors) == 3
    assert all(error in job.stderr for error in errors)
    table = parquet.read_table(next((tmp_path / "out/parts").glob("*")))
    header = json.loads(table.schema.metadata[b"mien"])
    assert header == json.loads((tmp_path / "out/manifest.json").read_text())["settings"]


def flat(frames):
    """The rows of frames in JSON, by code that shares none with `table_rows`."""
    kept = ("emotion", "probability", "confidence", "certain", "track", "face")
    found = []
    for frame in frames:
        shared = {name: frame[name] for name in ("source", "index", "time", "error")}
        for face in frame["faces"] or [None]:
            box = dict(zip(("x", "y", "width", "height"), face["box"] if face else [None] * 4, strict=True))
            shares = face["probabilities"] if face else dict.fromkeys(mien.EMOTIONS)
            found.append(shared | box | shares | {name: face[name] if face else None for name in kept})
    return found


@pytest.mark.usefixtures("small_parts")
def test_what_raises_kills_or_hangs_is_an_error_and_hurts_no_other(tmp_path, moody, children, caplog):
    draw(tmp_path / "in", 22, broken=2)
    draw_plain(tmp_path / "in")
    status = mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running(seconds=1.0))
    assert (status.inputs, status.done, status.failed, status.finished) == (24, 24, 4, True)
    found = rows(tmp_path / "out")
    assert [row["source"] for row in found] == sorted(map(str, (tmp_path / "in").iterdir()))
    errors = {row["source"].rpartition("/")[2]: row["error"] for row in found if row["error"]}
    assert set(errors) == {"0020.png", "0021.png", "deadly.png", "hanging.png"}
    assert "died (signal 9)" in errors["deadly.png"]
    assert "longer than 1 s" in errors["hanging.png"]
    assert sum(row["emotion"] is not None for row in found) == 20
    assert all(error in caplog.messages for error in errors.values())
    assert children() == []


def test_a_video_is_read_again_when_its_process_dies_and_then_named(tmp_path, write_clip):
    """Its frames before the one that kills stay, as `mien predict` would keep them, and there once."""
    images = [np.full((64, 64, 3), 10 if number == 30 else 100 + number, np.uint8) for number in range(40)]
    write_clip(tmp_path / "clip.mkv", images, codec="ffv1", pixels="bgr0")
    (tmp_path / "looked").mkdir()
    recognizer = Recognizer(detector=Moody(tmp_path / "looked"), threads=1)
    status = mien.jobs.run([tmp_path / "clip.mkv"], tmp_path / "out", recognizer, StreamOptions(every=1), running())
    assert (status.inputs, status.failed) == (1, 1)
    found = rows(tmp_path / "out")
    assert [row["index"] for row in found] == list(range(31))
    assert [row["error"] is not None for row in found] == [False] * 30 + [True]
    assert len(list((tmp_path / "looked").iterdir())) == 2


@pytest.mark.usefixtures("small_parts")
def test_a_long_video_delays_no_other_part(tmp_path, write_clip):
    """It ends when all pictures are done: in one queue they would wait for each other."""
    folder = draw(tmp_path / "in", 8)
    write_clip(folder / "clip.mkv", [np.full((64, 64, 3), WAITING, np.uint8)] * 2, codec="ffv1", pixels="bgr0")
    recognizer = Recognizer(detector=Moody(tmp_path), threads=1)

    def go(status):
        if status.done == 8:
            (tmp_path / "go").touch()

    status = mien.jobs.run([folder], tmp_path / "out", recognizer, running=running(seconds=60.0), progress=go)
    assert (status.inputs, status.failed) == (9, 0)


@pytest.mark.usefixtures("small_parts")
def test_a_job_goes_on_with_what_is_owed_and_does_nothing_twice(tmp_path, moody):
    draw(tmp_path / "in", 20)
    mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running())
    whole = rows(tmp_path / "out")
    parts = sorted((tmp_path / "out/parts").iterdir())
    before = {part: part.stat().st_mtime_ns for part in parts}
    parts[1].unlink()
    parts[2].write_bytes(parts[2].read_bytes()[:-7])  # as no crash of ours leaves it
    half = mien.jobs.status(tmp_path / "out")
    assert (half.owed, half.done, half.finished) == (8, 12, False)
    said = []
    status = mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running(), progress=said.append)
    assert [one.done for one in said] == [12, 16, 20]
    assert not any(one.finished for one in said)
    assert status.finished
    assert rows(tmp_path / "out") == whole
    assert [part for part in parts if part.stat().st_mtime_ns != before[part]] == parts[1:3]


@pytest.mark.usefixtures("small_parts")
def test_shards_do_every_part_once_between_them(tmp_path, moody):
    draw(tmp_path / "in", 22)
    for number in (2, 0, 1):
        assert not (tmp_path / "out/_SUCCESS").exists()
        shard = running(shard=(number, 3), workers=1)
        status = mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=shard)
    assert status.finished
    assert (tmp_path / "out/_SUCCESS").exists()
    assert len(rows(tmp_path / "out")) == 22
    with pytest.raises(UsageError, match="expected i/n with 0 <= i < n"):
        running(shard=(3, 3))


def test_other_settings_and_changed_inputs_are_refused(tmp_path, monkeypatch, moody):
    folder = draw(tmp_path / "in", 3)
    out = tmp_path / "out"

    def run(recognizer=moody, **options):
        return mien.jobs.run([folder], out, recognizer, running=running(workers=1, **options))

    run()
    with pytest.raises(UsageError, match=r"start is for videos, and .*0000.png is a picture"):
        mien.jobs.run([folder], out, moody, StreamOptions(start=1.0))
    with pytest.raises(UsageError, match=r"holds a job: add --resume"):
        run(resume=False)
    with pytest.raises(UsageError, match=r"out: its job was begun with options.min_face null, not 60"):
        run(Recognizer(detector=Moody(), min_face=60, threads=1))
    with pytest.raises(UsageError, match=r'begun with model.name "mien_s-\d+", not "mien_m-\d+"'):
        run(Recognizer("mien_m", Moody(), threads=1))
    first = folder / "0000.png"
    found = first.stat()
    os.utime(first, ns=(found.st_atime_ns, found.st_mtime_ns + 1000))
    with pytest.raises(UsageError, match=r"0000.png has changed since its job began"):
        run()
    os.utime(first, ns=(found.st_atime_ns, found.st_mtime_ns))
    (folder / "new.png").write_bytes(first.read_bytes())
    with pytest.raises(UsageError, match=r"new.png is new among the inputs since"):
        run()
    (folder / "new.png").rename(tmp_path / "away.png")
    first.rename(tmp_path / "gone.png")
    with pytest.raises(UsageError, match=r"0000.png is no longer among the inputs since"):
        run()
    (tmp_path / "gone.png").rename(first)
    assert run().finished
    monkeypatch.chdir(tmp_path)
    (out / "parts/other.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"other.parquet: belongs to no part of this job"):
        run()


def test_relative_inputs_belong_to_the_folder_where_the_job_began(tmp_path, monkeypatch, moody):
    draw(tmp_path / "in", 2)
    (tmp_path / "elsewhere").mkdir()
    draw(tmp_path / "elsewhere/in", 2)
    monkeypatch.chdir(tmp_path)
    mien.jobs.run(["in"], tmp_path / "out", moody, running=running(workers=1))
    monkeypatch.chdir("elsewhere")
    with pytest.raises(UsageError, match=rf"begun in {tmp_path}, to which its inputs are relative: go there"):
        mien.jobs.run(["in"], tmp_path / "out", moody, running=running(workers=1))


def test_an_input_that_changes_while_the_job_runs_is_an_error(tmp_path, moody):
    folder = draw(tmp_path / "in", 3)

    def change(status):
        if not status.done:
            (folder / "0001.png").write_bytes((folder / "0000.png").read_bytes())
            (folder / "0002.png").unlink()

    status = mien.jobs.run([folder], tmp_path / "out", moody, running=running(workers=1), progress=change)
    assert status.failed == 2
    assert [row["error"] for row in rows(tmp_path / "out")[1:]] == [
        f"{folder / '0001.png'}: changed since the job began",
        f"{folder / '0002.png'}: gone since the job began",
    ]


@pytest.mark.usefixtures("small_parts")
def test_missing_parts_are_said_and_done_later(tmp_path, moody):
    """The disk is full when the third part gets its name."""
    draw(tmp_path / "in", 20)
    begun = []

    def full(source, target):
        begun.append(target)
        if len(begun) == 3:
            raise OSError(28, "No space left on device")
        source.replace(target)

    with pytest.raises(JobError, match=r"No space left on device.*3 of 5 parts are missing; .*--resume goes on"):
        mien.jobs.run([tmp_path / "in"], Folder(tmp_path / "out", full), moody, running=running(workers=1))
    assert JobError.exit_status == 3
    assert len(list((tmp_path / "out/parts").iterdir())) == 2
    assert not (tmp_path / "out/_SUCCESS").exists()
    assert mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running()).finished
    assert len(rows(tmp_path / "out")) == 20


@pytest.mark.usefixtures("small_parts")
def test_a_finished_job_may_lie_in_a_folder_that_cannot_be_written_to(tmp_path, moody, monkeypatch):
    draw(tmp_path / "in", 5)
    mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running())

    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("mien.jobs.folder._write", refused)
    assert mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running()).finished


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path, moody):
    draw(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text("{}")
    with pytest.raises(InputError, match=r"manifest.json: not a manifest as mien writes it"):
        mien.jobs.run([tmp_path / "in"], tmp_path / "out", moody, running=running())
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_the_rate_is_of_the_last_parts(tmp_path):
    def account(started, finished):
        return Account(part="a", inputs=30, rows=30, errors=(), started=started, finished=finished)

    now = time.time()
    assert rate([]) is None
    assert rate([account(now - 5000, now - 4990)]) == pytest.approx(3.0)
    parts = [account(now - 5000, now - 4990), account(now - 20, now - 10), account(now - 20, now)]
    assert rate(parts) == pytest.approx(3.0)
    assert rate([account(now - 300, now - 295), *parts]) == pytest.approx(90 / 25)  # nobody worked in between


@pytest.mark.parametrize(("done", "pace", "left"), [(4, 2.5, 2.4), (4, None, None), (10, None, 0.0)])
def test_the_time_left_is_that_of_the_owed_inputs_at_the_rate(done, pace, left):
    counts = {"inputs": 10, "done": done, "failed": 1, "rows": 5, "parts": 3, "parts_done": 2}
    status = JobStatus(folder="out", rate=pace, finished=False, **counts)
    assert (status.owed, status.seconds_left) == (10 - done, left)
    expected = {"folder": "out", **counts, "owed": 10 - done, "rate": pace, "seconds_left": left, "finished": False}
    assert status.to_dict() == expected


def test_names_of_any_bytes_have_rows(tmp_path, moody):
    folder = draw(tmp_path / "in", 1)
    name = os.fsencode(folder) + b"/caf\xe9.png"
    os.link(folder / "0000.png", name)
    status = mien.jobs.run([folder], tmp_path / "out", moody, running=running(workers=1))
    assert (status.inputs, status.failed) == (2, 0)
    assert [row["source"].rpartition("/")[2] for row in rows(tmp_path / "out")] == ["0000.png", "caf\\udce9.png"]
    assert mien.jobs.run([folder], tmp_path / "out", moody, running=running(workers=1)).finished

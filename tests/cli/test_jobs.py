"""`mien predict --resume` and `mien jobs` as a user runs them."""

import json
import os

import pytest

from jobs.inputs_of_jobs import draw
from mien.cli.job_options import shard_of, with_address
from mien.cli.predict_job import duration
from mien.errors import UsageError

JOB = ("--out", "out", "--format", "parquet", "--resume", "--workers", "1", "--detector", "none")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "in", 5)


def test_a_job_begins_ends_and_is_described(mien):
    begun = mien("predict", "in", *JOB)
    assert (begun.returncode, begun.stdout) == (0, "")
    assert "5 of 5 inputs, 0 failed" in begun.stderr
    again = mien("predict", "in", *JOB)
    assert again.returncode == 0
    said = mien("jobs", "out", "--json")
    found = json.loads(said.stdout)
    assert {name: found[name] for name in ("inputs", "owed", "done", "failed", "parts", "finished")} == {
        "inputs": 5, "owed": 0, "done": 5, "failed": 0, "parts": 1, "finished": True,
    }  # fmt: skip
    assert found["rate"] > 0
    assert "done       5 (0 failed), 5 rows" in mien("jobs", "out").stdout


def test_failed_inputs_and_missing_parts_have_their_exit_status(mien, tmp_path, monkeypatch):
    (tmp_path / "in/0001.png").write_bytes(b"")
    failed = mien("predict", "in", *JOB)
    assert failed.returncode == 1
    assert "in/0001.png: an empty file" in failed.stderr
    assert "1 of 5 failed" in failed.stderr
    assert mien("predict", "in", *JOB).returncode == 1  # nothing is owed, and one failed all the same
    monkeypatch.setattr(os, "fsync", full)
    missing = mien("predict", "in", "--out", "other", *JOB[2:])
    assert missing.returncode == 2  # not even the manifest could be written
    assert "cannot be written (No space left on device)" in missing.stderr


def full(*_):
    raise OSError(28, "No space left on device")


def test_missing_parts_are_exit_status_3(mien, tmp_path, monkeypatch):
    monkeypatch.setattr("mien.jobs.parts.part_file", lambda name: f"nowhere/{name}")
    missing = mien("predict", "in", *JOB)
    assert missing.returncode == 3
    assert "1 of 1 parts are missing; the same command with --resume goes on" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--resume",), "add --out DIR --format parquet"),
        (("--resume", "--out", "out"), "add --out DIR --format parquet"),
        (("--resume", "--out", "", "--format", "parquet"), "add --out DIR --format parquet"),
        (("--shard", "0/2", "--format", "parquet"), "add --out DIR --format parquet"),
        ((*JOB, "--save"), "--save does not go with a job"),
        ((*JOB, "--shard", "2/2"), "expected I/N with 0 <= I < N"),
        (("rtsp://host/a", *JOB), "rtsp://host/a: a live source is no input of a job"),
        (("https://me:secret@host/a.jpg", *JOB), "https://host/a.jpg: leave the password out"),
        (("s3://me:secret@bucket/a.jpg", *JOB), "s3://...@bucket: give keys by the environment"),
        ((*JOB[:1], "ftp://me:secret@host/out", *JOB[2:]), "ftp://host/out: a job needs a folder, or one of s3, gs"),
        ((*JOB[:1], "hdfs://host/out", *JOB[2:]), "hdfs://host/out: a job needs a folder, or one of s3, gs"),
    ],
)
def test_wrong_use_is_one_line(mien, arguments, message):
    said = mien("predict", "in", *arguments)
    assert (said.returncode, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("sources", "more"),
    [(("none.csv",), ()), (("empty",), ()), (("in",), ("--model", "none.onnx"))],
)
def test_a_job_that_does_not_even_begin_does_not_claim_that_its_parts_are_there(sources, more, mien, tmp_path):
    """Schedulers take exit status 1 for done: inputs failed, and each has its row."""
    (tmp_path / "none.csv").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    said = mien("predict", *sources, *JOB, *more)
    assert said.returncode == 3, said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_temporary_folder_that_is_full_is_exit_status_3(mien, monkeypatch):
    monkeypatch.setattr("mien.jobs.job.find_inputs", full)
    said = mien("predict", "in", *JOB)
    assert said.returncode == 3
    assert said.stderr == "mien: [Errno 28] No space left on device\n"


def test_a_job_is_not_mixed_with_annotated_copies(mien, tmp_path):
    assert mien("predict", "in", *JOB).returncode == 0
    before = sorted(tmp_path.rglob("*"))
    said = mien("predict", "in", "--out", "out", "--detector", "none")
    assert said.returncode == 2
    assert "out: holds a job: add --format parquet --resume to go on with it, or name another --out" in said.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_a_job_is_said(mien):
    said = mien("jobs", "in")
    assert said.returncode == 1
    assert "in: holds no job (no manifest.json)" in said.stderr


def test_the_address_of_a_cluster_may_be_left_out():
    assert with_address(["in", "--cluster", "--out", "o"]) == ["in", "--cluster", "local", "--out", "o"]
    assert with_address(["--cluster", "photos"]) == ["--cluster", "local", "photos"]
    assert with_address(["in", "--cluster"]) == ["in", "--cluster", "local"]
    for address in ("auto", "10.0.0.1:6379", "head:6379", "ray://head:10001"):
        assert with_address(["--cluster", address, "in"]) == ["--cluster", address, "in"]
    assert with_address(["--", "--cluster"]) == ["--", "--cluster"]


def test_a_shard_is_two_numbers():
    assert shard_of("3/100") == (3, 100)
    for text in ("3", "3/3", "-1/3", "a/b", "1/0"):
        with pytest.raises(UsageError, match="expected I/N"):
            shard_of(text)


def test_times_are_for_people():
    assert [duration(seconds) for seconds in (42, 600, 7200, 12_000, 200_000)] == [
        *("42 s", "10 min", "2 h 0 min", "3 h 20 min", "2 d 7 h"),
    ]

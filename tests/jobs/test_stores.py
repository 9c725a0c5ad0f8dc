"""Inputs and parts in an object store: a small S3 on this machine, and file:// addresses."""

import io

import pyarrow as pa
import pytest
from pyarrow import parquet

import mien.jobs
from jobs.fake_s3 import fake_s3
from jobs.inputs_of_jobs import draw, ordered, rows
from mien.errors import InputError, JobError, UsageError
from mien.jobs.bucket import Bucket
from mien.jobs.folder import Folder
from mien.jobs.inputs import find_inputs
from mien.jobs.lists import listed
from mien.jobs.places import place_of
from mien.jobs.stores import address_of, is_store
from mien.recognition.recognizer import Recognizer


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(detector="none", threads=1)


@pytest.fixture
def store(monkeypatch):
    with fake_s3() as server:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield server


def options(store):
    host = store.address.removeprefix("http://")
    return f"?region=us-east-1&scheme=http&endpoint_override={host}"


def test_pictures_and_videos_of_a_bucket_become_parts_in_it(store, tmp_path, recognizer, write_clip, stage):
    """Rows are those of the same files in a folder, but for their names."""
    folder = draw(tmp_path / "in", 4, broken=1)
    write_clip(folder / "clip.mp4", [stage((0, 20 * number, 60)) for number in range(4)])
    for file in folder.iterdir():
        store.objects[f"bucket/some in/{file.name}"] = file.read_bytes()
    store.objects["bucket/some in/notes.txt"] = b"no picture"
    running = mien.jobs.Running(workers=1)
    out = f"s3://bucket/out{options(store)}"
    status = mien.jobs.run([f"s3://bucket/some in{options(store)}"], out, recognizer, running=running)
    assert (status.inputs, status.failed, status.finished) == (5, 1, True)
    mien.jobs.run([folder], tmp_path / "here", recognizer, running=running)
    files = [key for key in store.objects if key.startswith("bucket/out/parts/")]
    found = ordered(row for key in files for row in parquet.read_table(io.BytesIO(store.objects[key])).to_pylist())
    expected = rows(tmp_path / "here")
    assert [row.pop("source").removeprefix("s3://bucket/some in/") for row in found] == [
        row.pop("source").removeprefix(f"{folder}/") for row in expected
    ]
    errors = [
        (row.pop("error"), row.pop("error", None) or other.pop("error"))
        for row, other in zip(found, expected, strict=True)
    ]
    assert found == expected
    assert [(one is None) == (other is None) for one, other in errors] == [True] * len(errors)
    assert any(one and one.startswith("s3://bucket/some in/0003.png: ") for one, _ in errors)
    assert mien.jobs.status(out) == status
    assert "bucket/out/_SUCCESS" in store.objects
    before = dict(store.objects)
    mien.jobs.run([f"s3://bucket/some in{options(store)}"], out, recognizer, running=running)
    assert store.objects == before


def test_a_file_of_a_bucket_is_one_request_and_absent_when_its_block_fails(store):
    place = place_of(f"s3://bucket/out{options(store)}")
    with place.whole("parts/a.parquet") as file:
        file.write(b"x" * 100_000)
    with pytest.raises(ZeroDivisionError), place.whole("parts/b.parquet") as file:
        file.write(bytes([1 // 0]))
    assert [key for key in store.objects if "parts" in key] == ["bucket/out/parts/a.parquet"]
    assert set(store.puts) == {("bucket/out/parts/a.parquet", False)}  # which may be sent again
    assert place.parts() == {"a"}
    assert place.write_once("manifest.json", b"1")
    assert not place.write_once("manifest.json", b"2")
    assert store.objects["bucket/out/manifest.json"] == b"1"
    place.remove("manifest.json")
    assert not place.exists("manifest.json")


def test_two_jobs_that_begin_in_a_bucket_at_the_same_moment_are_not_mixed(store, tmp_path, recognizer):
    """The second one writes its manifest after the first has looked; parts of both lie there then."""
    running = mien.jobs.Running(workers=1)
    out = f"s3://bucket/out{options(store)}"
    folder, other = draw(tmp_path / "in", 2), draw(tmp_path / "other", 2)

    def begin_another(status):
        if not status.done:
            manifest = store.objects.pop("bucket/out/manifest.json")
            mien.jobs.run([other], out, recognizer, running=running)
            assert store.objects["bucket/out/manifest.json"] != manifest

    with pytest.raises(JobError, match=r"out/parts/\w+.parquet: belongs to no part of this job"):
        mien.jobs.run([folder], out, recognizer, running=running, progress=begin_another)


def test_who_writes_a_manifest_first_is_told_that_another_was_faster(store):
    place = place_of(f"s3://bucket/out{options(store)}")
    store.written = lambda key: store.objects.update({key: b"of the other"})
    assert not place.write_once("manifest.json", b"mine")


def test_file_addresses_name_files_folders_and_patterns(tmp_path, recognizer):
    folder = draw(tmp_path / "in", 3)
    draw(folder / "below", 2)
    (folder / "a.mien.png").write_bytes(b"")
    (folder / ".hidden.png").write_bytes(b"")

    def named(address):
        return [entry.path for entry in find_inputs([address]).pictures]

    base = f"file://{folder}"
    assert named(base) == [f"{base}/{name}.png" for name in ("0000", "0001", "0002", "below/0000", "below/0001")]
    assert named(f"{base}/*.png") == [f"{base}/000{number}.png" for number in range(3)]
    assert named(f"{base}/**/*1.png") == [f"{base}/0001.png", f"{base}/below/0001.png"]
    assert named(f"{base}/0002.png") == [f"{base}/0002.png"]
    found = find_inputs([base]).pictures[0]
    assert (found.size, found.modified) == (
        (folder / "0000.png").stat().st_size,
        (folder / "0000.png").stat().st_mtime_ns,
    )
    for address, said in ((f"{base}/none", "no such file"), (f"{base}/*.gif", "no pictures")):
        with pytest.raises(InputError, match=f"{said} .looked for"):
            find_inputs([address])
        assert (
            find_inputs([base, address])
            .pictures[-1]
            .error.endswith(": " + said + " (looked for *.jpg, *.png, *.mp4, ...)")
        )
    status = mien.jobs.run([base], f"file://{tmp_path}/out", recognizer, running=mien.jobs.Running(workers=1))
    assert (status.inputs, status.failed) == (5, 0)
    assert {row["source"] for row in rows(tmp_path / "out")} == set(named(base))


def test_addresses_are_taken_apart():
    found = address_of("s3://bucket/a b/c?region=eu-central-1&scheme=https")
    assert (found.scheme, found.place, found.key, found.query) == (
        "s3",
        "bucket",
        "a b/c",
        "?region=eu-central-1&scheme=https",
    )
    assert found.name == "s3://bucket/a b/c"
    assert address_of("s3://bucket/what?.jpg").key == "what?.jpg"
    assert address_of("abfs://files@account.dfs.core.windows.net/a").place == "files@account.dfs.core.windows.net"
    assert address_of("S3://bucket").key == ""
    assert not is_store("https://host/a.jpg")
    assert not is_store("s3/a.jpg")


def test_places_are_told_apart(tmp_path):
    assert place_of(tmp_path) == Folder(tmp_path)
    assert place_of(f"file://{tmp_path}") == Folder(tmp_path)
    assert isinstance(place_of("gs://bucket/a"), Bucket)
    with pytest.raises(UsageError, match=r"hdfs://host:8020/a: a job needs a folder, or one of s3, gs"):
        place_of("hdfs://host:8020/a")


LISTS = {
    "list.txt": b"\xef\xbb\xbfin/0000.png\r\nin/0001.png\n\nin/0000.png\n",
    "list.csv": b'label,Path\nhappy,"in/0000.png"\nsad,in/0001.png\n',
    "gaps.csv": b"path,age\nin/0000.png,3\n,\n,4\nin/0001.png,,,\n",
    "one.csv": b"whatever\nin/0000.png\nin/0001.png\n",
}


@pytest.mark.parametrize("name", [*LISTS, "list.parquet"])
def test_lists_name_inputs_below_their_folder(name, tmp_path, monkeypatch):
    folder = tmp_path / "lists"
    draw(folder / "in", 3)
    if name in LISTS:
        (folder / name).write_bytes(LISTS[name])
    else:
        table = pa.table({"id": [1, 2, 3], "path": ["in/0000.png", "in/0001.png", None]})
        parquet.write_table(table, folder / name)
    expected = ["in/0000.png", "in/0001.png"]
    monkeypatch.chdir(tmp_path)
    assert [entry.path for entry in find_inputs([f"lists/{name}"]).pictures] == [f"lists/{path}" for path in expected]
    monkeypatch.chdir(folder)
    assert [entry.path for entry in find_inputs([name]).pictures] == expected
    assert [entry.path for entry in find_inputs([f"file://{folder / name}"]).pictures] == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"label,age\nhappy,3\n", "a.csv: no column of paths among label, age: expected one called path"),
        (
            "a.csv",
            b"in/0.png\nin/1.png\n",
            "a.csv: begins with in/0.png: expected names of columns first, such as path",
        ),
        ("a.csv", b"path;age\nin/0.png;3\n", "a.csv: no column of paths among path;age: .* commas between"),
        (
            "a.csv",
            b'path,note\nin/0.png,"5 inches\nin/1.png,\n',
            r"a.csv: not a csv after line 1 \(unexpected end of data\): expected each quote",
        ),
        (
            "a.csv",
            b'path\n\nin/0.png\n"in/1.png" \n',
            "a.csv: line 4 has text or blanks after a closing quote: expected",
        ),
        ("a.csv", b"path\nin/0.png\nin/1, b.png\n", "a.csv: line 3 has more cells than the first: .* in quotes"),
        ("a.txt", b"\n\n", "a.txt: the list is empty"),
        ("a.txt", b"in/\x00.png\n", r"a.txt: 'in/.x00.png' is no path: it has a character of code 0"),
        ("a.txt", b"\xff\xfe", "a.txt: the list is not in UTF-8"),
        ("a.parquet", b"PAR1", "a.parquet: not a Parquet file"),
    ],
)
def test_bad_lists_are_said(name, content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        find_inputs([name])


def test_a_blank_before_a_quote_of_a_csv_is_none_of_the_path(tmp_path):
    (tmp_path / "a.csv").write_text('note, path\n"x", "in/0, b.png"\ny, " c.png"\n')
    assert listed(str(tmp_path / "a.csv")) == [str(tmp_path / name) for name in ("in/0, b.png", " c.png")]


def test_a_blank_before_a_path_of_a_csv_belongs_to_it_where_such_a_file_is_there(tmp_path, monkeypatch):
    overlong = 300 * "x" + ".png"
    for name in (" first.png", "  second.png", "third.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a.csv").write_text(
        'path,note\n first.png,5" x\n"third.png", "a, ""b"", c"\n third.png, \n second.png,\n   gone.png,\n'
        f" {overlong},\n"
    )
    (tmp_path / "b.csv").write_text('note, path\n"a, ""b""\nc",  second.png\n"",  first.png\n, third.png\n')
    names = [" first.png", "third.png", "second.png", "gone.png", overlong]
    assert listed(str(tmp_path / "a.csv")) == [str(tmp_path / name) for name in names]
    names = ["  second.png", "first.png", "third.png"]
    assert listed(str(tmp_path / "b.csv")) == [str(tmp_path / name) for name in names]
    monkeypatch.chdir(tmp_path)
    assert listed("b.csv") == names


def test_a_column_of_bytes_has_paths_and_one_of_numbers_none(tmp_path):
    parquet.write_table(pa.table({"path": ["ä.png".encode(), b"caf\xe9.png"]}), tmp_path / "bytes.parquet")
    assert listed(str(tmp_path / "bytes.parquet")) == [str(tmp_path / "ä.png"), str(tmp_path / "caf\udce9.png")]
    parquet.write_table(pa.table({"path": [0, 1]}), tmp_path / "numbers.parquet")
    with pytest.raises(InputError, match=r"numbers.parquet: column path holds 0: expected paths as text"):
        listed(str(tmp_path / "numbers.parquet"))


def test_a_list_may_name_what_is_missing_and_what_lies_in_stores(tmp_path, monkeypatch):
    draw(tmp_path / "in", 1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(f"in/0000.png\nmissing.png\nfile://{tmp_path}/in/0000.png\nhttps://host/a.jpg\n")
    found = find_inputs(["a.txt"]).pictures
    assert [entry.path for entry in found] == [
        "in/0000.png",
        "missing.png",
        "https://host/a.jpg",
        f"file://{tmp_path}/in/0000.png",
    ]
    assert [entry.size is None for entry in found] == [False, True, True, False]


def test_what_mien_wrote_is_left_out_of_a_folder_unless_there_is_nothing_else(tmp_path):
    for name in ("a.mien.png", "B.MIEN.PNG", "c.png"):
        (tmp_path / name).write_bytes(b"")
    found = find_inputs([f"file://{tmp_path}"])
    assert [entry.path for entry in found.pictures] == [f"file://{tmp_path}/c.png"]
    assert found.left_out == [f"left out 2 files, made by mien: file://{tmp_path}/B.MIEN.PNG, ..."]
    (tmp_path / "B.MIEN.PNG").unlink()
    assert find_inputs([f"file://{tmp_path}"]).left_out == [
        f"left out 1 file, made by mien: file://{tmp_path}/a.mien.png"
    ]
    (tmp_path / "c.png").unlink()
    alone = find_inputs([f"file://{tmp_path}"])
    assert ([entry.path for entry in alone.pictures], alone.left_out) == ([f"file://{tmp_path}/a.mien.png"], [])

import csv
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mien.data.reading.fer2013 import read_fer2013
from mien.errors import DataError

USAGES = ("Training", "PublicTest", "PrivateTest")


def random_rows(count, seed=0):
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    return faces, rng.integers(0, 7, count), rng.integers(0, 3, count)


def joined(face):
    return " ".join(map(str, face.ravel().tolist()))


def fer2013_csv(faces, labels, usages, *, end="\n", quoting=csv.QUOTE_MINIMAL, bom=""):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end, quoting=quoting)
    writer.writerow(["emotion", "pixels", "Usage"])
    for face, label, usage in zip(faces, labels, usages, strict=True):
        writer.writerow([int(label), joined(face), USAGES[usage]])
    return (bom + out.getvalue()).encode()


def icml_csv(faces, labels, usages):
    rows = [f"{label},{USAGES[usage]},{joined(face)}" for face, label, usage in zip(faces, labels, usages, strict=True)]
    return "\n".join(["emotion, Usage, pixels", *rows, ""]).encode()


def train_csv(faces, labels):
    rows = [f'{label},"{joined(face)}"' for face, label in zip(faces, labels, strict=True)]
    return "\r\n".join(["emotion,pixels", *rows, ""]).encode()


TEST_CSV = b"pixels\n" + joined(np.zeros((48, 48), int)).encode() + b"\n"


FOLDER = {"fer2013/README": b"FER2013", "fer2013/fer2013.bib": b"@article{}"}


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def assert_rows(rows, faces, labels, usages):
    got_faces, got_labels, got_usages = rows.arrays()
    assert got_faces.dtype == got_labels.dtype == got_usages.dtype == np.uint8
    np.testing.assert_array_equal(got_faces, faces)
    np.testing.assert_array_equal(got_labels, labels)
    np.testing.assert_array_equal(got_usages, usages)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"end": "\r\n"},
        {"quoting": csv.QUOTE_ALL},
        {"quoting": csv.QUOTE_ALL, "end": "\r\n", "bom": "\ufeff"},
        {"bom": "\ufeff"},
    ],
    ids=str,
)
def test_reads_fer2013_csv_however_it_is_written(tmp_path, options):
    table = random_rows(5)
    rows, member = read_fer2013(written(tmp_path, "fer2013.csv", fer2013_csv(*table, **options)))
    assert_rows(rows, *table)
    assert member == ""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_rows_survive_the_round_trip(tmp_path, data):
    count = data.draw(st.integers(1, 4))
    faces = data.draw(hnp.arrays(np.uint8, (count, 48, 48)))
    labels = data.draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
    usages = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    content = fer2013_csv(faces, labels, usages, quoting=data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])))
    assert_rows(read_fer2013(written(tmp_path, "rows.csv", content))[0], faces, labels, usages)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(token=st.text(st.sampled_from("0123456789+-._ex\t\x00 ²"), max_size=24), place=st.integers(0, 2303))
def test_a_pixel_is_accepted_exactly_when_it_is_an_integer_of_a_byte(tmp_path, token, place):
    tokens = ["7"] * 2304
    tokens[place] = token
    pixels = " ".join(tokens)
    path = written(tmp_path, "one.csv", f"emotion,pixels\n3,x{pixels}\n".replace(",x", ",", 1).encode())
    parts = [part for part in pixels.split(" ") if part]
    plain = all(part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in parts)
    if plain and len(parts) == 2304:
        assert read_fer2013(path)[0].arrays()[0].ravel().tolist() == [int(part) for part in parts]
    else:
        with pytest.raises(DataError, match=r"row 0 \(line 2\): "):
            read_fer2013(path)


def test_reads_icml_face_data_csv(tmp_path):
    table = random_rows(4)
    assert_rows(read_fer2013(written(tmp_path, "icml_face_data.csv", icml_csv(*table)))[0], *table)


def test_rows_of_kaggles_train_csv_are_training(tmp_path):
    faces, labels, _ = random_rows(4)
    rows, _ = read_fer2013(written(tmp_path, "train.csv", train_csv(faces, labels)))
    assert_rows(rows, faces, labels, [0] * 4)


def test_last_line_may_lack_its_end_and_blank_lines_do_not_count(tmp_path):
    table = random_rows(3)
    content = fer2013_csv(*table).replace(b"Usage\n", b"Usage\n\n").rstrip(b"\n")
    assert_rows(read_fer2013(written(tmp_path, "a.csv", content))[0], *table)
    bad = content.replace(b"emotion,pixels,Usage\n\n", b"emotion,pixels,Usage\n\n9,1,Training\n")
    with pytest.raises(DataError, match=r"row 0 \(line 3\): emotion is '9'"):
        read_fer2013(written(tmp_path, "b.csv", bad))


@pytest.mark.parametrize(
    ("name", "pack", "member"),
    [
        ("a.zip", lambda content: zipped({"fer2013.csv": content}), "fer2013.csv"),
        ("a.csv.gz", gzip.compress, ""),
        ("misnamed.csv", lambda content: zipped({"x/y.csv": content}), "x/y.csv"),
        ("a.tar", lambda content: tarred(FOLDER | {"fer2013/fer2013.csv": content}, "w"), "fer2013/fer2013.csv"),
        ("a.tgz", lambda content: tarred(FOLDER | {"fer2013/fer2013.csv": content}, "w:gz"), "fer2013/fer2013.csv"),
    ],
)
def test_reads_archives_by_their_content(tmp_path, name, pack, member):
    table = random_rows(6)
    rows, got_member = read_fer2013(written(tmp_path, name, pack(fer2013_csv(*table))))
    assert_rows(rows, *table)
    assert got_member == member


def test_finds_the_faces_in_kaggles_archive(tmp_path):
    table = random_rows(6)
    files = {
        "example_submission.csv": b"emotion\n0\n",
        "test.csv": TEST_CSV,
        "train.csv": train_csv(*table[:2]),
        "icml_face_data.csv": icml_csv(*table),
        "__MACOSX/._train.csv": b"\x00\x05\x16\x07\xff\xfe",
    }
    rows, member = read_fer2013(written(tmp_path, "challenge.zip", zipped(files)))
    assert member == "icml_face_data.csv"
    assert_rows(rows, *table)
    del files["icml_face_data.csv"]
    assert read_fer2013(written(tmp_path, "older.zip", zipped(files)))[1] == "train.csv"


def test_two_complete_csvs_in_an_archive_are_named(tmp_path):
    content = fer2013_csv(*random_rows(1))
    path = written(tmp_path, "two.zip", zipped({"a.csv": content, "b/c.csv": content, "test.csv": TEST_CSV}))
    with pytest.raises(DataError, match=r"two\.zip: several csvs .*: a\.csv, b/c\.csv; "):
        read_fer2013(path)


@pytest.mark.parametrize("files", [{"test.csv": TEST_CSV, "cat.jpg": b"x"}, {}], ids=["others", "empty"])
def test_an_archive_without_such_a_csv_says_what_it_holds(tmp_path, files):
    with pytest.raises(DataError, match=r"no csv .* but (test\.csv, cat\.jpg|nothing)"):
        read_fer2013(written(tmp_path, "none.zip", zipped(files)))


def row(pixels="7 " * 2304, emotion="3", usage="Training"):
    return f"{emotion},{pixels},{usage}\n"


def test_usages_are_known_in_any_case(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text(
        "emotion,pixels,Usage\n" + "".join(row(usage=name) for name in ("TRAINING", "publictest", "privateTest"))
    )
    assert list(read_fer2013(path)[0].usages) == [0, 1, 2]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (row(pixels="7 " * 2303), r"2303 pixels: expected 2304 \(48x48\)"),
        (row(pixels="7 " * 2305), "2305 pixels: expected 2304"),
        (row(pixels=""), "0 pixels: expected 2304"),
        (row(pixels="7 " * 2303 + "256"), r"pixel 2303 is '256': expected an integer 0\.\.255"),
        (row(pixels="-1 " + "7 " * 2303), "pixel 0 is '-1'"),
        (row(pixels="7 +1 " + "7 " * 2302), r"pixel 1 is '\+1'"),
        (row(pixels="7 " * 2303 + "1.5"), r"pixel 2303 is '1\.5'"),
        (row(pixels="7 " * 2304 + "x"), "pixel 2304 is 'x'"),
        (row(pixels="7 " * 2303 + str(2**64 + 7)), "pixel 2303 is '18446744073709551623'"),
        (row(pixels="7 " * 2303 + "7" * 6000), r"pixel 2303 is '7{40}\.\.\.'"),
        (row(pixels="7 " * 2304 + "\x00"), "pixel 2304 is"),
        (row(emotion="7"), r"emotion is '7': expected 0\.\.6"),
        (row(emotion="-1"), "emotion is '-1'"),
        (row(emotion=""), "emotion is ''"),
        (row(usage="Testing"), "Usage is 'Testing': expected Training, PublicTest, PrivateTest"),
        (row(usage=""), "Usage is ''"),
        ("3\n", "1 columns: expected 3"),
        (row() [:-1] + ",more\n", "4 columns: expected 3"),
        ("x" * 200_000 + "\n", "1 columns: expected 3"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named(tmp_path, line, problem):
    path = written(tmp_path, "bad.csv", ("emotion,pixels,Usage\n" + row() * 2 + line + row()).encode())
    with pytest.raises(DataError, match=rf"bad\.csv: row 2 \(line 4\): {problem}") as caught:
        read_fer2013(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [3, 12, 200, 8000])
def test_a_cut_csv_is_refused_at_its_last_row(tmp_path, cut):
    content = fer2013_csv(*random_rows(3))
    with pytest.raises(DataError, match=r"row 2 \(line 4\): .*truncated\?"):
        read_fer2013(written(tmp_path, "cut.csv", content[:-cut]))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty: expected a header"),
        (b"\n", "empty: expected a header"),
        (b"emotion,pixels,Usage\n", "no rows after the header"),
        (TEST_CSV, "the header is 'pixels': expected the columns emotion and pixels"),
        (b"emotion,pixels,pixels\n", "once each"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not a csv in UTF-8"),
        ("emotion,pixels".encode("utf-16"), "not a csv in UTF-8"),
        (b"PK\x03\x04rest", "truncated or damaged"),
        (b"\x1f\x8b\x08", "truncated or damaged"),
    ],
)
def test_what_is_no_fer2013_csv_is_refused_in_one_line(tmp_path, content, problem):
    with pytest.raises(DataError, match=problem) as caught:
        read_fer2013(written(tmp_path, "odd.csv", content))
    assert "odd.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def packed(kind, content):
    packers = {
        "gz": gzip.compress,
        "zip": lambda content: zipped({"fer2013.csv": content}),
        "tar": lambda content: tarred({"fer2013.csv": content}, "w"),
        "tar.gz": lambda content: tarred({"fer2013.csv": content}, "w:gz"),
    }
    return packers[kind](content)


@pytest.mark.parametrize("kind", ["gz", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_truncated_archive_is_refused(tmp_path, kind, part):
    whole = packed(kind, fer2013_csv(*random_rows(20)))
    path = written(tmp_path, f"fer2013.{kind}", whole[: int(len(whole) * part)])
    with pytest.raises(DataError, match=r"fer2013\.") as caught:
        read_fer2013(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["gz", "zip", "tar.gz"])
def test_a_damaged_archive_is_refused(tmp_path, kind):
    whole = bytearray(packed(kind, fer2013_csv(*random_rows(20))))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(DataError, match=r"fer2013\."):
        read_fer2013(written(tmp_path, f"fer2013.{kind}", whole))


def test_an_encrypted_zip_is_refused(tmp_path):
    whole = bytearray(zipped({"fer2013.csv": fer2013_csv(*random_rows(1))}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(signature) + flags] |= 1
    with pytest.raises(DataError, match=r"cannot be unpacked .*encrypted"):
        read_fer2013(written(tmp_path, "secret.zip", whole))


def test_progress_rises_to_the_end_of_the_file(tmp_path):
    told = []
    faces = np.zeros((600, 48, 48), np.uint8)
    read_fer2013(written(tmp_path, "a.csv", fer2013_csv(faces, [0] * 600, [0] * 600)), told.append)
    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] <= 1


def test_reads_from_a_path_with_odd_characters(tmp_path):
    folder = tmp_path / "[red] ü"
    folder.mkdir()
    table = random_rows(1)
    assert_rows(read_fer2013(Path(written(folder, "a b.csv", fer2013_csv(*table))))[0], *table)

"""`mien web`: what is in the folder, what is refused, and what it weighs."""

import gzip
import hashlib
import json
import re
import sys
from pathlib import Path

import pytest

from mien.errors import DataError
from mien.faces.yunet_network import yunet_weights
from mien.model.embedded import versioned_name
from mien.model.onnx_model import Bundle
from mien.web.documents import PAGE_POLICY
from mien.web.folder import SUMS, write_web_folder
from own_model import write_model


@pytest.fixture
def small_runtime(monkeypatch):
    """A runtime of four bytes, where only names and folders matter."""
    monkeypatch.setattr("mien.web.folder.runtime", lambda: ("ort-wasm-simd-threaded.wasm", b"\0asm"))


def sums(folder):
    lines = (folder / SUMS).read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def the(folder, pattern):
    (found,) = [path for path in folder.glob(pattern) if path.suffix not in (".gz", ".br")]
    return found


def test_every_file_is_listed_with_its_hash(web_folder):
    files = {str(path.relative_to(web_folder)): path for path in web_folder.rglob("*") if path.is_file()}
    del files[SUMS]
    assert sums(web_folder) == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_compressed_copies_hold_the_same(web_folder):
    packed = list(web_folder.rglob("*.gz"))
    assert {".js", ".wasm", ".onnx", ".html"} <= {path.with_suffix("").suffix for path in packed}
    for path in packed:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes()


def test_names_of_large_files_carry_their_hashes(web_folder):
    paths = [path for path in (web_folder / "assets").iterdir() if path.suffix != ".gz"]
    assert len(paths) > 2
    for path in paths:
        assert re.search(r"-([0-9a-f]{12})\.", path.name)[1] == hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def test_the_networks_are_those_of_the_package_and_the_card_knows_its_model(web_folder):
    bundle = Bundle.load("mien_s", threads=1)
    assert the(web_folder, "assets/model-*.onnx").read_bytes() == bundle.content
    assert the(web_folder, "assets/yunet-*.onnx").read_bytes() == yunet_weights()
    card = json.loads(the(web_folder, "assets/model-*.json").read_text())
    assert (card["sha256"], tuple(card["labels"])) == (bundle.sha256, bundle.card.labels)
    assert card["temperature"] == bundle.card.temperature


def test_a_first_visit_weighs_at_most_6_mb_in_gzip(written):
    """4.5 MB in brotli: see docs/guide/browser.md; Python's standard library has no brotli."""
    _, sizes = written
    assert sizes["gzip"] <= 6_000_000 < sizes["plain"]


def test_the_page_allows_its_own_origin_alone_and_asks_for_no_token(web_folder):
    page = (web_folder / "index.html").read_text()
    assert f'content="{PAGE_POLICY}"' in page
    assert "unsafe" not in PAGE_POLICY
    assert "token" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all((web_folder / name).is_file() for name in named)


def test_the_service_worker_copies_every_file_that_the_page_needs(web_folder):
    copied = json.loads(re.search(r"const FILES = (\[.*?\]);", (web_folder / "sw.js").read_text())[1])
    files = {str(path.relative_to(web_folder)) for path in web_folder.rglob("*") if path.is_file()}
    needed = {name for name in files if not name.endswith(".gz") and not name.startswith("licences/")}
    assert set(copied) == needed - {SUMS, "sw.js", "_headers"}


def test_licences_of_all_parts_are_there(web_folder):
    texts = {path.name: path.read_text() for path in (web_folder / "licences").iterdir()}
    assert "Apache License" in texts["mien-LICENSE.txt"]
    assert "MIT License" in texts["onnxruntime-NOTICES.txt"]
    assert "yunet" in texts["yunet-LICENSE.txt"].lower()
    assert versioned_name("mien_s") in texts["NOTICE.txt"]


@pytest.mark.usefixtures("small_runtime")
def test_an_earlier_folder_is_replaced_and_anything_else_is_left_alone(mien, tmp_path):
    model = write_model(tmp_path / "own.onnx", ("up", "down"))
    out = tmp_path / "site"
    out.mkdir()
    assert mien("web", out, "--model", model).returncode == 0
    before = set(sums(out))
    assert mien("web", out).returncode == 0
    assert set(sums(out)) != before
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {*sums(out), SUMS}
    (out / "mine.txt").write_text("mine")
    ran = mien("web", out)
    assert ran.returncode == 1
    assert "did not write" in ran.stderr
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.usefixtures("small_runtime")
def test_a_run_that_was_cut_short_is_made_good_by_the_next_one(monkeypatch, tmp_path):
    """Killed while it replaces an earlier folder: some files of both are there."""
    out, own = tmp_path / "site", write_model(tmp_path / "own.onnx", ("up", "down"))
    write_web_folder(out, Bundle.load(own))
    remove = Path.unlink

    def killed(path, **options):
        if path.name.startswith("model-"):
            sys.exit("killed")
        remove(path, **options)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(SystemExit):
        write_web_folder(out, Bundle.load("mien_s", threads=1))
    monkeypatch.setattr(Path, "unlink", remove)
    assert len(list(out.glob("assets/model-*.onnx"))) == 2
    (out / "assets" / ".worker.js.partial").write_text("half of it")
    write_web_folder(out, Bundle.load("mien_s", threads=1))
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {*sums(out), SUMS}
    assert sums(out)["index.html"] == hashlib.sha256((out / "index.html").read_bytes()).hexdigest()


@pytest.mark.usefixtures("small_runtime")
def test_what_cannot_be_written_or_read_is_said_in_one_line(mien, tmp_path):
    (tmp_path / "file").write_text("mine")
    ran = mien("web", tmp_path / "file" / "site")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert len(ran.stderr.splitlines()) == 1
    ran = mien("web", tmp_path / "site", "--model", "no_such_model")
    assert ran.returncode != 0
    assert "no_such_model" in ran.stderr
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_mien_did_not_write_is_refused(tmp_path, kind):
    out = tmp_path / "site"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        write_web_folder(out, Bundle.load("mien_s", threads=1))


def test_a_list_of_hashes_that_is_not_miens_leads_to_no_removal(tmp_path):
    """What mien's list names is removed when the folder is replaced; others have lists of that name, too."""
    out, beside = tmp_path / "downloads", tmp_path / "beside.txt"
    out.mkdir()
    beside.write_text("mine")
    (out / "disk.iso").write_text("mine")
    marks = "".join(f"0  {name}\n" for name in ("index.html", "sw.js", "licences/NOTICE.txt"))
    for listed in (b"0  disk.iso\n", b"\xff\xfe  disk.iso\n", f"{marks}0  ../beside.txt\n0  disk.iso\n".encode()):
        (out / SUMS).write_bytes(listed)
        with pytest.raises(DataError, match="exists already"):
            write_web_folder(out, Bundle.load("mien_s", threads=1))
        assert {path.name for path in tmp_path.rglob("*")} == {"downloads", "disk.iso", SUMS, "beside.txt"}


@pytest.mark.usefixtures("small_runtime")
def test_a_file_that_was_changed_since_is_not_overwritten(tmp_path):
    out = tmp_path / "site"
    write_web_folder(out, Bundle.load("mien_s", threads=1))
    (out / "_headers").write_text("mine")
    with pytest.raises(DataError, match="_headers: was changed"):
        write_web_folder(out, Bundle.load("mien_s", threads=1))
    assert (out / "_headers").read_text() == "mine"

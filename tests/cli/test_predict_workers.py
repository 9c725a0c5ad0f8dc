"""`mien predict --workers` as a user runs it: Ctrl-C, SIGTERM and SIGKILL in the middle of a folder."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from PIL import Image
from process_tree import below
from skimage import data
from typer.testing import CliRunner

from mien.cli.main import app
from processes import is_alive, told
from waiting import HANG, wait_for

PICTURES = 300

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Many pictures of 1280x1280."""
    folder = tmp_path_factory.mktemp("many")
    Image.fromarray(data.astronaut()).resize((1280, 1280)).save(folder / "000.jpg")
    for number in range(1, PICTURES):
        os.link(folder / "000.jpg", folder / f"{number:03d}.jpg")
    return folder


def started(folder, rows):
    """The command, in a process group of its own, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "mien", "predict", str(folder), "--format", "jsonl", "--workers", "2", "--batch", "8"],
        stdout=rows.open("wb"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # CI may have started the tests with SIGINT ignored, and what is ignored is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread as yet
    )


def busy(process, rows):
    """The workers and what started them, once some have written rows."""
    wait_for(lambda: process.poll() is not None or rows.read_bytes().count(b"\n") > 16)
    assert process.poll() is None, "all pictures are done: give the test more"
    # The one that tidies up after them ends in its own time.
    lines = told(below(process.pid), psutil.Process.cmdline)
    found = [child for child, line in lines if is_alive(child) and "resource_tracker" not in " ".join(line)]
    assert len(found) >= 2
    return found


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGKILL"])
def test_what_is_written_is_whole_and_no_process_is_left(folder, tmp_path, how):
    rows = tmp_path / "rows.jsonl"
    process = started(folder, rows)
    children = busy(process, rows)
    if how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGTERM if how == "SIGTERM" else signal.SIGKILL)
    _, said = process.communicate(timeout=HANG)
    assert "Traceback" not in said
    assert process.returncode != 0
    wait_for(lambda: not any(map(is_alive, children)))
    if how != "SIGKILL":
        frames = [json.loads(line) for line in rows.read_text().splitlines()]
        assert [frame["source"] for frame in frames] == [str(folder / f"{n:03d}.jpg") for n in range(len(frames))]
        assert all(len(frame["faces"]) == 1 for frame in frames)


def test_the_number_of_workers_is_checked():
    for count in ("0", "257"):
        assert CliRunner().invoke(app, ["predict", "a.jpg", "--workers", count]).exit_code == 2


def test_workers_do_not_import_the_command_line(folder, tmp_path):
    script = tmp_path / "mien"  # as pip writes it, but that it tells who imports it
    imports = "import sys\nfrom mien.cli.main import run\nprint(__name__, file=sys.stderr)\n"
    script.write_text(f'{imports}if __name__ == "__main__":\n    sys.exit(run())\n')
    command = [sys.executable, script, "predict", folder / "000.jpg", folder / "001.jpg", "--workers", "2"]
    done = subprocess.run([*command, "--format", "jsonl"], check=False, capture_output=True, text=True)
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "__main__\n")

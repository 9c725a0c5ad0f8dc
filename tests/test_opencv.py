"""Several distributions of OpenCV beside each other, imitated in a folder that Python searches first."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from waiting import HANG

CURE = "mend it with: pip uninstall --yes opencv-python opencv-python-headless && pip install"


@pytest.fixture
def packages(tmp_path):
    """A folder of packages in which opencv-python is recorded as installed."""
    folder = tmp_path / "packages"
    (folder / "opencv_python-5.0.0.93.dist-info").mkdir(parents=True)
    Image.new("L", (48, 48)).save(tmp_path / "face.png")
    return folder


def mien(packages, *arguments, code=None):
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "mien"]
    environment = os.environ | {"PYTHONPATH": str(packages)}
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=packages.parent,
        env=environment,
    )


def write_cv2(packages, text):
    (packages / "cv2").mkdir()
    (packages / "cv2" / "__init__.py").write_text(text)


def test_two_distributions_that_still_work_are_named_in_one_line(packages):
    done = mien(packages, "predict", "face.png", "--format", "jsonl")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("opencv-python and opencv-python-headless are both installed and overwrite each other")
    assert CURE in line


@pytest.mark.parametrize(
    ("cv2", "words"),
    [
        ("", "OpenCV lacks cvtColor"),  # what an uninstallation leaves behind
        ("raise ImportError('libGL.so.1: cannot open shared object file')", "OpenCV cannot be imported (libGL.so.1"),
        ("from ._gone import *", "OpenCV cannot be imported"),
    ],
)
@pytest.mark.parametrize("command", [["predict", "face.png"], ["predict", "face.png", "--detector", "haar"]])
def test_a_damaged_opencv_is_one_line_with_its_cure(packages, cv2, words, command):
    write_cv2(packages, cv2)
    done = mien(packages, *command)
    assert (done.returncode, done.stdout) == (2, "")
    *_, line = done.stderr.splitlines()
    assert line.startswith(f"mien: {words}")
    assert CURE in line
    assert "Traceback" not in done.stderr


def test_an_opencv_without_cascades_is_refused_when_haar_is_asked_for(packages):
    code = "import cv2; del cv2.CascadeClassifier; from mien.cli.main import run; run()"
    done = mien(packages, "predict", "face.png", "--detector", "haar", code=code)
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no Haar cascades" in done.stderr
    assert "Traceback" not in done.stderr
    assert mien(packages, "predict", "face.png", code=code).returncode == 0


def test_in_python_it_is_an_error_of_mien(packages):
    write_cv2(packages, "")
    code = "import mien\ntry:\n    mien.analyze('face.png')\nexcept mien.MienError as error:\n    print(error)"
    assert CURE in mien(packages, code=code).stdout

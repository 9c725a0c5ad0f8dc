"""The preview on a real, virtual X display, looked at through a screenshot."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import ImageGrab, features

from mien.output.colours import COLOURS
from waiting import HANG

pytest.importorskip("pygame")
pytestmark = pytest.mark.skipif(
    not shutil.which("Xvfb") or not features.check("xcb"), reason="needs Xvfb, and a Pillow that takes screenshots"
)

SHOWING = """
import sys
from pathlib import Path
import numpy as np
from mien.output.recognized import Recognized
from mien.output.window import Preview, Window
from mien.results import Box, Face, Frame

image = np.full((400, 600, 3), (20, 160, 60), np.uint8)
face = Face(Box(220, 120, 150, 160), 0.9, (0, 0, 0, 1, 0, 0, 0), track=1)
Window(Preview("test", Path("."))).add(Recognized(Frame("a", 0, 0.0, 600, 400, (face,)), image))
print("shown", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def display():
    """The name of a display of 800x600 pixels; Xvfb chooses a free number itself."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield f":{server.stdout.readline().strip()}"
    server.terminate()
    server.wait(HANG)


def test_a_screenshot_shows_the_picture_and_its_box(display, tmp_path):
    environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", SHOWING], env=environment, cwd=tmp_path, **pipes) as window:
        assert window.stdout.readline() == "shown\n"
        seen = np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))
        window.communicate("")
    picture = (seen == (20, 160, 60)).all(axis=2)
    assert 0.7 * 600 * 400 < picture.sum() < 600 * 400
    top, left = (int(np.flatnonzero(picture.any(axis=axis))[0]) for axis in (1, 0))
    outline = (seen == COLOURS["happy"]).all(axis=2)
    for row, column in ((280, 300), (200, 220), (200, 369)):  # the middles of the box's lower, left and right edge
        near = outline[top + row - 4 : top + row + 5, left + column - 4 : left + column + 5]
        assert near.any(), (row, column)
    inside = seen[top + 150 : top + 250, left + 240 : left + 350]
    assert (inside == (20, 160, 60)).all(axis=2).mean() > 0.9

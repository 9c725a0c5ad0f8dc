"""A detector that takes the whole picture for a face, and does what the colour of a plain picture says."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from mien.faces.detection import Detection

DEADLY, HANGING, WAITING = 10, 20, 30
"""Gray values of pictures that kill the process that looks at them, keep it busy, or wait until a file `go` exists."""


class Moody:
    def __init__(self, folder=None, seconds=0.0, until=None):
        self.folder, self.seconds, self.until = folder, seconds, until

    def detect(self, image):
        if self.folder is not None:
            (Path(self.folder) / f"{os.getpid()}.looked").touch()
        if image.min() == image.max() == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if image.min() == image.max() == HANGING:
            while True:  # not asleep: that would look like a busy machine
                pass
        while image.min() == image.max() == WAITING and not (Path(self.folder) / "go").exists():
            time.sleep(0.01)
        time.sleep(self.seconds)
        while self.until is not None and not self.until.exists():
            time.sleep(0.01)
        return [Detection((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0)]


class CountedClassifier:
    """Tells faces apart by their brightness, and notes in a folder whenever a process loads it."""

    def __init__(self, folder):
        self.folder = folder
        with (Path(folder) / f"{os.getpid()}.loads").open("a") as file:
            file.write("loaded\n")

    def __reduce__(self):
        return CountedClassifier, (self.folder,)

    def probabilities(self, faces):
        bright = faces.reshape(len(faces), -1).mean(axis=1) / 255
        shares = np.stack([bright, 1 - bright, *[np.full(len(faces), 0.2)] * 5], axis=1)
        return shares / shares.sum(axis=1, keepdims=True)

"""A detector that takes the whole picture for a face, and does what the colour of a plain picture says."""

import os
import signal
import time
from pathlib import Path

from mien.faces.detection import Detection

DEADLY, HANGING = 10, 20
"""Gray values of pictures that kill the process that looks at them, or keep it for ever."""


class Moody:
    def __init__(self, folder=None, seconds=0.0):
        self.folder, self.seconds = folder, seconds

    def detect(self, image):
        if self.folder is not None:
            (Path(self.folder) / f"{os.getpid()}.looked").touch()
        if image.min() == image.max() == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        if image.min() == image.max() == HANGING:
            time.sleep(3600)
        time.sleep(self.seconds)
        return [Detection((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0)]

"""A driver of a job for tests to kill: python driver.py IN OUT [SECONDS_A_PICTURE [PARTS_BEFORE_DEATH]].

Parts have four pictures. With the last argument the driver dies between writing and renaming a part.
"""

import os
import signal
import sys
from pathlib import Path

import mien.jobs
from jobs.moody import Moody
from mien.jobs import manifest
from mien.jobs.places import Folder
from mien.recognition.recognizer import Recognizer


class DyingRename:
    """Renames so many parts, then kills its process instead."""

    def __init__(self, parts):
        self.left = parts

    def __call__(self, source, target):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        source.replace(target)


def main(folder, out, seconds="0.0", parts="-1"):
    manifest.PART_PICTURES = 4
    recognizer = Recognizer(detector=Moody(seconds=float(seconds)), threads=1)
    place = Folder(Path(out).absolute(), DyingRename(int(parts)))
    mien.jobs.run([folder], place, recognizer, running=mien.jobs.Running(workers=2, seconds=20.0))


if __name__ == "__main__":
    main(*sys.argv[1:])

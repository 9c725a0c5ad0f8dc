"""A driver of a job for tests to kill. Parts have four pictures."""

import argparse
import os
import signal
from pathlib import Path

import mien.jobs
from jobs.moody import CountedClassifier, Moody
from mien.jobs import manifest
from mien.jobs.folder import Folder
from mien.recognition.recognizer import Recognizer
from waiting import HANG


class DyingRename:
    """Renames so many parts, then kills its process instead."""

    def __init__(self, parts):
        self.left = parts

    def __call__(self, source, target):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        source.replace(target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0, help="that a picture takes")
    parser.add_argument("--until", type=Path, help="file that every picture waits for")
    parser.add_argument("--dies-after", type=int, default=-1, help="parts, before it renames the next one")
    parser.add_argument("--cluster")
    parser.add_argument("--loads", help="folder where each process notes that it loaded the model")
    arguments = parser.parse_args()
    manifest.PART_PICTURES = 4
    model = CountedClassifier(arguments.loads) if arguments.loads else "mien_s"
    recognizer = Recognizer(model, Moody(seconds=arguments.seconds, until=arguments.until), threads=1)
    place = Folder(arguments.out.absolute(), DyingRename(arguments.dies_after))
    workers = 2 if arguments.dies_after < 0 else 1
    running = mien.jobs.Running(workers=workers, seconds=HANG, cluster=arguments.cluster)
    mien.jobs.run([arguments.folder], place, recognizer, running=running)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as `mien predict` does
    main()

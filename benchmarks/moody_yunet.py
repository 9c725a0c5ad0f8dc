"""YuNet for `benchmarks/job_engines.py`, in a module of its own so that every process finds it by name."""

import os
import signal
import time

from mien.faces.yunet import YuNetDetector

PLAIN = {"deadly": 10, "hanging": 20}
"""Gray values of pictures of one colour, and what `Moody` does when it sees them."""


class Moody(YuNetDetector):
    """YuNet; some plain pictures kill its process, or keep it for ever."""

    def __init__(self):
        super().__init__(min_score=0.4, threads=1)

    def __reduce__(self):
        return Moody, ()

    def detect(self, image, *arguments):
        if image.min() == image.max() == PLAIN["deadly"]:
            os.kill(os.getpid(), signal.SIGKILL)
        if image.min() == image.max() == PLAIN["hanging"]:
            time.sleep(3600)
        return super().detect(image, *arguments)

"""Slices as Linux tells them, in processes of their own."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mien.training.time_slices import SHORT, take_short_slices

PROGRAM = """
import threading
from pathlib import Path
import mien.training.time_slices as slices

def told():
    waiting.wait()

waiting = threading.Event()
before = threading.Thread(target=told)
before.start()
slices.take_short_slices()
after = threading.Thread(target=told)
after.start()
for thread in (threading.main_thread(), before, after):
    print(Path(f"/proc/self/task/{thread.native_id}/sched").read_text())
waiting.set()
"""


def gives_slices():
    release = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    return Path("/proc/self/sched").exists() and release >= (6, 12) and platform.machine() in ("x86_64", "aarch64")


@pytest.mark.skipif(not gives_slices(), reason="needs Linux 6.12 with /proc/self/sched, on x86_64 or aarch64")
def test_threads_of_before_and_after_have_short_slices():
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    slices = [int(found) for found in re.findall(r"^se\.slice\s*:\s*(\d+)$", told, re.MULTILINE)]
    assert slices == [SHORT] * 3


def test_a_system_without_such_threads_is_left_alone(tmp_path):
    take_short_slices(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "SCHED_OTHER"), reason="this system has other policies")
def test_the_nice_value_and_the_policy_stay():
    before = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)
    take_short_slices()
    assert (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)) == before

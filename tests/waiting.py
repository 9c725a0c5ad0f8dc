"""Waits of tests: each ends with what it waits for. The only limit bounds a hang, and says nothing of speed."""

import subprocess
import time
from functools import partial

import httpx
from websockets.sync.client import connect as _connect

HANG = 600
"""Seconds after which a wait counts as a hang, however busy the machine is."""

get = partial(httpx.get, timeout=HANG)
post = partial(httpx.post, timeout=HANG)
options = partial(httpx.options, timeout=HANG)
connect = partial(_connect, open_timeout=HANG, ping_interval=None)
run = partial(subprocess.run, timeout=HANG)


def wait_for(condition, *, pause=0.01):
    """What a function gives once it is true; between two questions the machine gets a pause, in seconds."""
    end = time.monotonic() + HANG
    while not (answer := condition()):
        assert time.monotonic() < end, "hangs: what was waited for has not happened"
        time.sleep(pause)
    return answer

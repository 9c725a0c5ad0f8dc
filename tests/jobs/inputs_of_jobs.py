"""Small inputs of jobs, drivers in processes of their own, and the rows that come of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from pyarrow import parquet

from jobs.moody import DEADLY, HANGING


def draw(folder, count, *, broken=0, seed=0):
    """So many pictures of noise, the last ones broken."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        path = folder / f"{number:04d}.png"
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize((64, 64)).save(path)
        if number >= count - broken:
            path.write_bytes(path.read_bytes()[:50])
    return folder


def draw_plain(folder):
    """A picture that kills, and one that hangs."""
    for name, value in (("deadly", DEADLY), ("hanging", HANGING)):
        Image.fromarray(np.full((64, 64, 3), value, np.uint8)).save(folder / f"{name}.png")


def rows(out):
    """All rows of a job, without an order."""
    return ordered(row for file in (out / "parts").glob("*.parquet") for row in parquet.read_table(file).to_pylist())


def ordered(found):
    return sorted(found, key=lambda row: (row["source"], row["index"], row["face"] or 0))


def started(folder, out, *arguments, script="driver.py", **options):
    """A script of this folder in a process of its own."""
    tests = Path(__file__).parents[1]
    command = [sys.executable, str(tests / "jobs" / script), *map(str, (folder, out, *arguments))]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(tests)}, **streams)

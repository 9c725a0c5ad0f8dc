"""Pictures a second of `mien predict FOLDER` by the number of workers, and whether the rows are the same.

python benchmarks/folder.py [--pictures 500] [--folder FOLDER] [--turns 1] [--memory]

The photos are made of two public-domain portraits: 0.3 to 24 megapixels, 1 to 8 faces, JPEG. Every run is a process of
its own; wall and CPU seconds count its workers. On a machine that does other work only the CPU seconds say what free
cores could do. --memory compares the peak of all processes together over this folder and over a quarter of it.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import psutil
from PIL import Image
from processor_time import adopt_orphans, seconds_below
from skimage import data

SIZES = ((640, 480), (1280, 960), (1920, 1080), (2592, 1944), (4000, 3000), (6000, 4000))
SHARES = (4, 4, 4, 3, 2, 1)


def portraits():
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return data.astronaut()[0:300, 70:370], np.asarray(Image.open(hopper).convert("RGB"))[0:450, 30:480]


def photo(rng, size):
    width, height = size
    image = cv2.resize(rng.integers(40, 216, (12, 16, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    people, count = portraits(), int(rng.integers(1, 9))
    for place in range(count):
        side = int(min(height, width / count) * rng.uniform(0.3, 0.9))
        left = int(width * place / count)
        top = int(rng.integers(0, height - side))
        person = cv2.resize(people[rng.integers(2)], (side, side), interpolation=cv2.INTER_AREA)
        image[top : top + side, left : left + side] = person
    noise = cv2.resize(rng.normal(0, 6, (height // 2, width // 2, 3)).astype(np.float32), size)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def write_photos(folder, count):
    rng = np.random.default_rng(17)
    sizes = [size for size, share in zip(SIZES, SHARES, strict=True) for _ in range(share)]
    for number in range(len(sizes)):
        Image.fromarray(photo(rng, sizes[number])).save(folder / f"{number:05d}.jpg", quality=90)
    for number in range(len(sizes), count):
        os.link(folder / f"{rng.integers(len(sizes)):05d}.jpg", folder / f"{number:05d}.jpg")


def resident(process, peak, done):
    while not done.wait(0.2):
        total = 0
        for one in (process, *process.children(recursive=True)):
            try:
                total += one.memory_info().rss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total)


def run(sources, options):
    """Wall and CPU seconds, peak of resident megabytes of all processes, hash of the rows."""
    adopt_orphans()
    before, started = seconds_below(), time.perf_counter()
    command = [sys.executable, "-m", "mien", "predict", *map(str, sources), "--format", "jsonl", *options]
    peak, done = [0], threading.Event()
    with tempfile.TemporaryFile() as rows:
        process = subprocess.Popen(command, stdout=rows)
        watcher = threading.Thread(target=resident, args=(psutil.Process(process.pid), peak, done))
        watcher.start()
        process.wait()
        wall = time.perf_counter() - started
        done.set()
        watcher.join()
        rows.seek(0)
        digest = hashlib.sha256(rows.read()).hexdigest()[:12]
    return wall, seconds_below() - before, peak[0] / 1e6, digest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--options", nargs="*", default=["--workers 1 --threads 1", "--workers 1", "--workers 2"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        if options.folder is None:
            write_photos(folder, options.pictures)
        photos = sorted(folder.iterdir())
        if options.memory:
            for some in (photos[: len(photos) // 4], photos):
                *_, peak, _ = run(some, ["--workers", "2"])
                print(f"{len(some)} pictures, 2 workers: {peak:.0f} MB at most, all processes together")
            return
        for _ in range(options.turns):
            for words in options.options:
                wall, cpu, peak, digest = run(photos, words.split())
                rate = f"{len(photos) / wall:.1f} pictures/s, {1e3 * cpu / len(photos):.1f} ms of CPU a picture"
                print(f"{words}: {rate}, {wall:.1f} s, {peak:.0f} MB, rows {digest}", flush=True)


if __name__ == "__main__":
    main()

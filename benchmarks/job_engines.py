"""Jobs that are killed: every input exactly once, rows equal to a plain run's; throughput and memory of each engine.

python benchmarks/job_engines.py [--inputs 2000] [--engines here ray] [--seeds 1 2 3] [--faults] [--throughput]
    [--memory]

Inputs are photos of 400 pixels, 1 in 100 of them cut short, one that kills its process, one that hangs, and 5 videos.
--faults kills, for every engine and seed, a worker and (in another run) the driver at a random moment of the run, its
start included, and resumes at once; and a driver between the writing of a part and its renaming. --throughput compares
a plain loop with both engines and 1 and 2 workers; --memory the peak of PSS over one, two and four times a quarter of
the inputs. Every run is a process of its own.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import psutil
from moody_yunet import PLAIN, Moody
from PIL import Image
from process_tree import below
from pyarrow import parquet

LIMIT = 3.0
"""Seconds for a picture: the one that hangs has all of them, twice."""

ENGINES = {"here": None, "ray": "local"}
VIDEOS = 5


def write_inputs(folder, count):
    """So many photos of one or two faces, and all that can go wrong."""
    from folder import portraits
    from skimage import data

    rng, people = np.random.default_rng(5), portraits()
    folder.mkdir()
    background = cv2.resize(data.coffee(), (400, 300))
    for number in range(count - len(PLAIN) - VIDEOS):
        image = background.copy()
        for left in (20, 210)[: 1 + number % 2]:
            side, person = int(rng.integers(60, 170)), people[rng.integers(2)]
            top = int(rng.integers(0, 300 - side))
            image[top : top + side, left : left + side] = cv2.resize(person, (side, side), interpolation=cv2.INTER_AREA)
        Image.fromarray(image).save(folder / f"{number:06d}.jpg", quality=90)
    for path in sorted(folder.iterdir())[::100]:
        path.write_bytes(path.read_bytes()[:2000])
    for name, value in PLAIN.items():
        Image.fromarray(np.full((64, 64, 3), value, np.uint8)).save(folder / f"{name}.png")
    for number in range(VIDEOS):
        write_video(folder / f"video{number}.mp4", people[number % 2], 40)


def write_video(path, person, frames):
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        face = cv2.resize(person, (120, 120))
        for number in range(frames):
            image = np.full((240, 320, 3), 90, np.uint8)
            image[60:180, 20 + 3 * number : 140 + 3 * number] = face
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        file.mux(stream.encode())


def dying(parts):
    """A rename that kills its process instead, after so many."""
    left = [parts]

    def rename(source, target):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        source.replace(target)

    return rename


def drive(options):
    """One run: what a child process of this program does."""
    import mien.jobs
    from mien.jobs.folder import Folder
    from mien.recognition.recognizer import Recognizer

    moody = Recognizer(detector=Moody(), threads=1)
    if options.drive == "loop":
        from mien.media.sources import sort_sources
        from mien.recognition.everything import recognize_all
        from mien.recognition.parallel import Parallel
        from mien.recognition.video import StreamOptions

        found = sort_sources([str(path) for path in sorted(options.folder.iterdir()) if path.stem not in PLAIN])
        for _ in recognize_all(moody.pipeline, found, StreamOptions(), Parallel(moody.finder(1), keep_images=False)):
            pass
        return
    place = Folder(options.out.absolute())
    if options.dies_after is not None:
        place = Folder(options.out.absolute(), dying(options.dies_after))
    running = mien.jobs.Running(workers=options.workers, cluster=ENGINES[options.drive], seconds=LIMIT)
    mien.jobs.run([options.folder], place, moody, running=running)


def started(folder, out, engine, workers=2, *more):
    arguments = ("--drive", engine, "--folder", folder, "--out", out, "--workers", workers, *more)
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def measured(process):
    """Wall and CPU seconds and peak of PSS in MB of a process and all below it, to its end."""
    begun, cpu, peak, done = time.perf_counter(), {}, 0.0, threading.Event()
    while process.poll() is None:
        total = 0
        for one in (psutil.Process(process.pid), *below(process.pid)):
            try:
                times = one.cpu_times()
                cpu[one.pid] = times.user + times.system
                total += one.memory_full_info().pss
            except (psutil.Error, OSError):
                continue
        peak = max(peak, total / 1e6)
        done.wait(0.25)
    return time.perf_counter() - begun, sum(cpu.values()), peak


def rows(out):
    """All rows, without an order, and without the words of errors that tell a time limit."""
    found = []
    for file in parts(out):
        for row in parquet.read_table(file).to_pylist():
            row["error"] = row["error"] and row["error"].split(": it took longer")[0]
            found.append(row)
    return sorted(found, key=lambda row: (row["source"], row["index"], row["face"] or 0))


def plain_rows(folder):
    """The rows of `mien predict --isolate`, which has no jobs in it; the picture that hangs takes a minute."""
    from dataclasses import replace

    from mien.media.sources import sort_sources
    from mien.output.table_rows import table_rows
    from mien.recognition import parallel
    from mien.recognition.everything import recognize_all
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.video import StreamOptions

    parallel.ISOLATED = replace(parallel.ISOLATED, result_seconds=LIMIT)
    moody = Recognizer(detector=Moody(), threads=1)
    plain = parallel.Parallel(moody.finder(1), 1, keep_images=False, isolate=True)
    images = recognize_all(moody.pipeline, sort_sources([str(folder)]), StreamOptions(), plain)
    found = list(table_rows((image.frame for image in images), moody.header.labels))
    for row in found:
        row["error"] = row["error"] and row["error"].split(": it took longer")[0]
    return sorted(found, key=lambda row: (row["source"], row["index"], row["face"] or 0))


def said(name, out, folder, expected):
    """Whether a job is whole, as a line."""
    found = rows(out)
    sources = Counter((row["source"], row["index"], row["face"]) for row in found)
    inputs = {row["source"] for row in found}
    missing = {str(path) for path in folder.iterdir()} - inputs
    doubled = [key for key, count in sources.items() if count > 1]
    leftovers = list(out.glob(".*")) + list((out / "parts").glob(".*"))
    different = [pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]]
    verdict = "equal" if found == expected else f"DIFFERENT in {len(different)}, such as {different[:1]}"
    print(
        f"{name}: {len(inputs)} inputs, {len(missing)} missing, {len(doubled)} rows doubled, "
        f"{len(found)} rows {verdict}, {len(leftovers)} leftovers, _SUCCESS {(out / '_SUCCESS').exists()}",
        flush=True,
    )


def faults(options, place, folder, expected):
    for engine in options.engines:
        out = place / f"whole-{engine}"
        driver, begun = started(folder, out, engine), time.perf_counter()
        while not parts(out):
            time.sleep(0.05)
        start = time.perf_counter() - begun
        driver.wait()
        said(f"{engine}, undisturbed, first part after {start:.1f} s, all {len(parts(out))}", out, folder, expected)
        count = len(parts(out))
        for seed in options.seeds:
            rng = np.random.default_rng(seed)
            for victim in ("worker", "driver"):
                out, target = place / f"{engine}-{victim}-{seed}", int(rng.integers(1, count - 2))
                during_start = seed == options.seeds[0]
                moment = float(rng.uniform(0, 0.9)) * start if during_start else 0.0
                killed = kill(folder, out, engine, victim, moment, 0 if during_start else target, rng)
                said(f"{engine}, seed {seed}, {victim} killed {killed}", out, folder, expected)
        out = place / f"renaming-{engine}"
        if engine == "here":
            assert started(folder, out, engine, 2, "--dies-after", 3).wait() == -signal.SIGKILL
            started(folder, out, engine).wait()
            said(f"{engine}, driver killed between write and rename", out, folder, expected)


def parts(out):
    return list((out / "parts").glob("*.parquet"))


def kill(folder, out, engine, victim, moment, target, rng):
    """Kill what is asked for after some seconds, when so many parts are there; of a driver, resume at once."""
    driver = started(folder, out, engine)
    time.sleep(moment)
    while len(parts(out)) < target and driver.poll() is None:
        time.sleep(0.02)
    when = f"after {moment:.1f} s" if target == 0 else f"at {len(parts(out))} parts"
    if victim == "driver":
        driver.kill()
    else:
        workers = []
        while not workers and driver.poll() is None:  # the first may have to come yet
            workers = workers_of(driver, engine)
        if not workers:
            return "not: the job had ended"
        workers[rng.integers(len(workers))].kill()
    driver.wait()
    if not (out / "_SUCCESS").exists():
        started(folder, out, engine).wait()
    return when


def workers_of(driver, engine):
    """The processes that read: an actor, or what the server that forks has forked."""
    found = []
    for process in below(driver.pid):
        try:
            command = " ".join(process.cmdline())
            name = "ray::MapWorker" if engine == "ray" else "forkserver"
            if name in command and (engine == "ray" or not process.children()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def throughput(options, place, folder):
    runs = [("loop", 1), *((engine, workers) for engine in options.engines for workers in (1, 2))]
    count = len(list(folder.iterdir()))
    for engine, workers in runs:
        wall, cpu, peak = measured(started(folder, place / f"speed-{engine}-{workers}", engine, workers))
        print(
            f"{engine}, {workers} workers: {count} inputs in {wall:.1f} s wall, {cpu:.1f} s CPU "
            f"({1e3 * cpu / count:.0f} ms an input), {peak:.0f} MB PSS",
            flush=True,
        )


def memory(options, place, folder):
    files = sorted(path for path in folder.iterdir() if path.stem not in PLAIN)
    for engine in options.engines:
        for share in (4, 2, 1):
            some = place / f"some-{share}"
            if not some.exists():
                some.mkdir()
                for path in files[::share]:
                    os.link(path, some / path.name)
            wall, cpu, peak = measured(started(some, place / f"memory-{engine}-{share}", engine))
            count = len(list(some.iterdir()))
            print(f"{engine}, 2 workers: {count} inputs, {wall:.1f} s, {cpu:.1f} s CPU, {peak:.0f} MB PSS", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    for name in ("faults", "throughput", "memory"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--dies-after", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(options)
        return
    place = Path(tempfile.mkdtemp(prefix="mien-jobs-"))
    try:
        folder = place / "in"
        write_inputs(folder, options.inputs)
        everything = not (options.faults or options.throughput or options.memory)
        if options.faults or everything:
            expected = plain_rows(folder)
            print(
                f"plain: {len(expected)} rows, {sum(row['error'] is not None for row in expected)} errors", flush=True
            )
            faults(options, place, folder, expected)
        if options.throughput or everything:
            throughput(options, place, folder)
        if options.memory or everything:
            memory(options, place, folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()

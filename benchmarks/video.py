"""Frames a second of `Recognizer.stream` and of the annotated copy, beside decoding alone; and memory over a long clip.

python benchmarks/video.py [--frames 20000]

Clips are made of two public-domain photos. CPU milliseconds a frame are printed beside the wall's frames a second: on a
machine that does other work only the former say what two free cores could do (at most 2000 / milliseconds). With
--frames a clip of 160x120 of so many frames is read instead, and resident memory compared with that after a tenth.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import av
import cv2
import matplotlib
import numpy as np
from PIL import Image
from skimage import data

from mien.media.open_video import open_video
from mien.output.folder import Names
from mien.output.people import People
from mien.output.sink import Sinks
from mien.output.timeline import Timelines
from mien.output.video_copy import AnnotatedVideo
from mien.recognition.recognizer import Recognizer

SIZE = 1280, 720
COUNT = 150


def portraits(side):
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    whole = data.astronaut()[0:270, 90:360], np.asarray(Image.open(hopper).convert("RGB"))[40:440, 66:466]
    return [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in whole]


def write_clip(path, count, faces, size):
    width, height = size
    side = min(height // 2, width // max(2, faces))
    people = portraits(side)
    rows, columns = np.mgrid[0:height, 0:width]
    ground = np.dstack([columns * 255 // width, rows * 255 // height, (rows + columns) % 256]).astype(np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            image = ground.copy()
            for face in range(faces):
                left = int(
                    (width - side) * (face + 0.5) / faces + (width / faces - side) / 2 * np.sin(number / 20 + face)
                )
                top = int((height - side) / 2 * (1 + 0.5 * np.cos(number / 25 + face)))
                left = min(max(0, left), width - side)
                image[top : top + side, left : left + side] = people[face % 2]
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        file.mux(stream.encode())
    return path


def measured(images):
    """Wall seconds, CPU seconds and number of the images of an iterable."""
    wall, cpu, count = time.perf_counter(), time.process_time(), 0
    for _ in images:
        count += 1
    return time.perf_counter() - wall, time.process_time() - cpu, count


def annotated(recognizer, path, folder):
    base = Names(folder).video(str(path))
    with Sinks([AnnotatedVideo(base.with_suffix(".mien.mp4"), path), People(), Timelines(base)]) as sinks:
        for recognized in recognizer.watch(path):
            sinks.add(recognized)
            yield recognized


def speed(recognizer, path, folder, name, targets):
    floor = measured(open_video(path).images())
    for label, images, target in (
        ("rows only", recognizer.stream(path), targets[0]),
        ("with annotated copy", annotated(recognizer, path, folder), targets[1]),
    ):
        wall, cpu, count = measured(images)
        milliseconds = 1e3 * cpu / count
        print(
            f"{name}, {label}: {count / wall:.1f} frames/s, {milliseconds:.1f} ms of CPU a frame "
            f"(two free cores: at most {2e3 / milliseconds:.0f} frames/s; target {target}), "
            f"{cpu / floor[1]:.1f} times the CPU of decoding alone"
        )


def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory(recognizer, path, count):
    early = late = 0.0
    for number, _ in enumerate(recognizer.stream(path), start=1):
        if number == count // 10:
            early = resident()
    late = resident()
    print(f"resident after {number} frames {late:.1f} MB, {late / early:.3f} of {early:.1f} MB after {count // 10}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=0)
    frames = parser.parse_args().frames
    recognizer = Recognizer()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if frames:
            memory(recognizer, write_clip(folder / "long.mp4", frames, 1, (160, 120)), frames)
            return
        for faces, name, targets in ((1, "one face", (60, 25)), (5, "five faces", (30, 12.5))):
            path = write_clip(folder / f"{faces}.mp4", COUNT, faces, SIZE)
            speed(recognizer, path, folder, f"{SIZE[0]}x{SIZE[1]}, {name}", targets)


if __name__ == "__main__":
    main()

"""What a part of a long video costs: 10 s out of 10 minutes beside a clip of 10 s, 1280x720 at 25 frames a second.

python benchmarks/excerpt.py [--rounds 3]

The long file is the short one sixty times, joined without coding anew, as MP4, Matroska and MPEG-TS. Wall and CPU
seconds are those of `Recognizer.stream` with all its reading; both are measured by turns, and the least of the rounds
is taken.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg
from video import write_clip

from mien.recognition.recognizer import Recognizer

SECONDS = 10
RATE = 25
TIMES = 60


def joined(clip, target):
    names = target.with_suffix(".txt")
    names.write_text(f"file '{clip}'\n" * TIMES)
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-f", "concat", "-safe", "0"]
    subprocess.run([*program, "-i", str(names), "-c", "copy", str(target)], check=True)
    return target


def measured(recognizer, path, **options):
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in recognizer.stream(path, **options))
    return count, time.perf_counter() - wall, time.process_time() - cpu


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    recognizer = Recognizer()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clip = write_clip(folder / "clip.mp4", SECONDS * RATE, 1, (1280, 720))
        files = [joined(clip, folder / f"long{suffix}") for suffix in (".mp4", ".mkv", ".ts")]
        for path in files:
            middle = SECONDS * TIMES // 2 + 3
            short, part = [], []
            for _ in range(rounds):
                short.append(measured(recognizer, clip))
                part.append(measured(recognizer, path, start=middle, end=middle + SECONDS))
            (count, wall, cpu), (frames, part_wall, part_cpu) = min(short), min(part)
            print(
                f"{path.suffix}: {frames} frames in {part_wall:.2f} s ({part_cpu:.2f} s of CPU); clip: {count} in "
                f"{wall:.2f} s ({cpu:.2f}); ratio {part_wall / wall:.2f}, of CPU {part_cpu / cpu:.2f}"
            )


if __name__ == "__main__":
    main()

"""Milliseconds of one detection by size: YuNet on onnxruntime beside OpenCV's runner of the same file, in turns.

python benchmarks/detector.py [--threads N] [--turns N]

CPU time of this process on one thread, wall time on more. The picture is scikit-image's astronaut (NASA, public
domain), resized. Then whole pictures: `YuNetDetector` on pictures of many megapixels, in which the cost per megapixel
should not grow.
"""

import argparse
import statistics
import time

import cv2
import numpy as np
from skimage import data

from mien.faces.yunet import YuNetDetector
from mien.faces.yunet_network import YuNet, yunet_weights
from mien.processor import processor_name

SIZES = ((128, 128), (320, 240), (640, 480), (1280, 720), (1280, 960), (1920, 1440))
PICTURES = ((640, 480), (1280, 960), (4000, 3000), (6000, 4000), (8000, 6000), (16000, 2000))


def milliseconds(clock, calls, turns):
    """Median milliseconds of each of several calls, which take turns."""
    spent = [[] for _ in calls]
    for _ in range(turns + 1):
        for call, times in zip(calls, spent, strict=True):
            started = clock()
            call()
            times.append(1e3 * (clock() - started))
    return [statistics.median(times[1:]) for times in spent]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    clock = time.process_time if options.threads == 1 else time.perf_counter
    cv2.setNumThreads(options.threads)
    print(f"{processor_name()}, {options.threads} threads, medians of {options.turns} turns")
    network, weights = YuNet(threads=options.threads), np.frombuffer(yunet_weights(), np.uint8)
    for size in SIZES:
        image = cv2.resize(data.astronaut(), size)
        opencv = cv2.FaceDetectorYN.create("onnx", weights, np.empty(0, np.uint8), size, 0.6, 0.3, 5000)
        bgr = image[:, :, ::-1].copy()
        calls = (lambda: opencv.detect(bgr), lambda: network.rows(image, 0.6))  # noqa: B023 - called at once
        old, new = milliseconds(clock, calls, options.turns)
        print(f"{size[0]}x{size[1]}: OpenCV {old:.1f} ms, onnxruntime {new:.1f} ms, {old / new:.2f} times as fast")
    detector = YuNetDetector(threads=options.threads)
    for size in PICTURES:
        image = cv2.resize(data.astronaut(), size)
        (spent,) = milliseconds(clock, (lambda: detector.detect(image),), 3)  # noqa: B023 - called at once
        megapixels = size[0] * size[1] / 1e6
        print(f"a picture of {size[0]}x{size[1]}: {spent:.0f} ms, {spent / megapixels:.1f} ms a megapixel")


if __name__ == "__main__":
    main()

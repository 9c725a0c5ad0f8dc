"""Milliseconds a face of an ONNX model on one thread.

The floor is its multiply-adds at the rate of a matrix product.

python benchmarks/classify.py [MODEL]
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import statistics
import sys
import time

import numpy as np

from mien.defaults import DEFAULT_MODEL
from mien.model.onnx_model import Bundle

BATCH = 64
RUNS = 15
SIDE = 1024


def median_seconds(action):
    action()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main():
    model = Bundle.load(sys.argv[1] if len(sys.argv) > 1 else DEFAULT_MODEL, threads=1)
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (BATCH, 48, 48), np.uint8)
    inputs = model.card.preprocess.apply(faces)
    left, right = (random.standard_normal((SIDE, SIDE), np.float32) for _ in range(2))

    rate = SIDE**3 / median_seconds(lambda: left @ right)
    floor = 1e3 * model.card.macs / rate
    network = 1e3 * median_seconds(lambda: model.logits_of_input(inputs)) / BATCH
    whole = 1e3 * median_seconds(lambda: model.probabilities(faces)) / BATCH
    print(f"{model.card.name}: {model.card.macs / 1e6:.1f} M multiply-adds, batch {BATCH}, one thread")
    print(f"network alone: {network:.2f} ms a face, {network / floor:.2f} times the floor (target: at most 2.0 ms)")
    print(f"preprocessing, network, temperature, softmax: {whole:.2f} ms a face")
    print(f"floor: {floor:.2f} ms a face at {rate / 1e9:.0f} G multiply-adds/s (float32 matrix product, {SIDE}x{SIDE})")


if __name__ == "__main__":
    main()

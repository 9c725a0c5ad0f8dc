"""Frame noise on still faces: how many answers change although the face does not, before and after smoothing.

Each face of PublicTest becomes a clip of 2 s at 25 frames a second: enlarged four times, shifted by up to one pixel of
the original, and with fresh noise of 12 grey levels in every frame. Every change of an answer in it is noise.

python benchmarks/frame_noise.py --data fer2013 [--faces 60] [MODEL]
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse

import numpy as np

import mien
from mien.data.store import FaceStore

FRAMES, RATE, NOISE, SCALE = 50, 25, 12.0, 4
SMOOTHINGS = ("symmetric", "ema", "mode", "none")


class Clip:
    """A face as a video that keeps still."""

    name, live = "clip", False

    def __init__(self, face, seed):
        self.face, self.random = np.repeat(np.repeat(face, SCALE, 0), SCALE, 1), np.random.default_rng(seed)

    def images(self):
        for number in range(FRAMES):
            shifted = np.roll(self.face, self.random.integers(-SCALE, SCALE + 1, 2), (0, 1))
            noisy = shifted + self.random.normal(0, NOISE, shifted.shape)
            yield mien.VideoImage(number, number / RATE, noisy.clip(0, 255).astype(np.uint8))

    def close(self):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="mien_s")
    parser.add_argument("--data", required=True)
    parser.add_argument("--faces", type=int, default=60)
    options = parser.parse_args()
    store = FaceStore.open(options.data)
    rows = np.random.default_rng(0).permutation(store.rows_of("PublicTest"))[: options.faces]
    recognizer = mien.Recognizer(options.model, "none", threads=1)
    for smooth in SMOOTHINGS:
        pairs = before = after = 0
        for seed, row in enumerate(rows):
            for person in mien.summarize(recognizer.stream(Clip(store.faces[row], seed), smooth=smooth)):
                found = person.noise
                pairs += found.pairs
                before += found.pairs * (found.before or 0)
                after += found.pairs * (found.after or 0)
        share = pairs / (options.faces * (FRAMES - 1))
        changed = f"{before / pairs:.1%} of the answers change before, {after / pairs:.1%} after"
        print(f"{smooth}: {share:.1%} of the pairs seen as still; {changed}", flush=True)


if __name__ == "__main__":
    main()

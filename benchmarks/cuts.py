"""How many cuts between pictures are found, and how many pans, zooms, flashes and turns are taken for cuts.

python benchmarks/cuts.py [--pairs 300]

Pairs of frames of 640x360 are made of nine photographs that come with scikit-image and matplotlib, seeded: two views of
one picture for what is no cut, views of two pictures for cuts.
"""

import argparse
import time
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image
from skimage import data

from mien.faces.cuts import Cuts

SIZE = 640, 360
NAMES = ("astronaut", "coffee", "chelsea", "rocket", "immunohistochemistry", "retina", "hubble_deep_field")


def pictures():
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    found = [np.asarray(getattr(data, name)())[..., :3] for name in NAMES]
    return [*found, np.asarray(data.stereo_motorcycle()[0]), np.asarray(Image.open(hopper).convert("RGB"))]


def view(picture, across, down, scale, turn):
    """A part of a picture: its middle and width as shares of the picture's, turned by degrees."""
    width, height = SIZE
    shape = np.array(picture.shape[1::-1])
    wide = scale * min(shape[0], shape[1] * width / height)
    middle = across * shape[0], down * shape[1]
    matrix = cv2.getRotationMatrix2D(middle, turn, width / wide)
    matrix[:, 2] += np.array([width, height]) / 2 - middle
    return cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT)


def lit(image, gain=1.0, offset=0.0, noise=0.0, random=None):
    grain = random.normal(0, noise, image.shape) if noise else 0.0
    return np.clip(image * gain + offset + grain, 0, 255).astype(np.uint8)


def kinds(random, all_pictures):
    """By name, what makes a pair of frames."""

    def place():
        picture = all_pictures[random.integers(len(all_pictures))]
        where = (*random.uniform(0.35, 0.65, 2), random.uniform(0.4, 0.8), random.uniform(-5, 5))
        return picture, where

    def same(across=0.0, scale=1.0, turn=0.0, **light):
        picture, (x, y, wide, angle) = place()
        moved = view(picture, x + across * wide * random.choice([-1, 1]), y, wide * scale, angle + turn)
        return view(picture, x, y, wide, angle), lit(moved, random=random, **light)

    def cut():
        first, second = random.choice(len(all_pictures), 2, replace=False)
        return view(all_pictures[first], *place()[1]), view(all_pictures[second], *place()[1])

    return {
        "cuts to another picture": cut,
        "noise of 12 levels": lambda: same(noise=12),
        **{
            f"pan by {share:.0%} of the width": lambda share=share: same(across=share)
            for share in (0.03, 0.08, 0.15, 0.25)
        },
        "zoom by 20 %": lambda: same(scale=0.8),
        "turn by 5 degrees": lambda: same(turn=5),
        **{f"exposure times {gain:g}": lambda gain=gain: same(gain=gain) for gain in (0.5, 1.5, 2.5)},
        "flash, times 4, saturated": lambda: same(gain=4),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=300)
    pairs = parser.parse_args().pairs
    spent = 0.0
    for name, make in kinds(np.random.default_rng(0), pictures()).items():
        found = back = 0
        for _ in range(pairs):
            cuts = Cuts()
            before, after = make()
            started = time.process_time()
            found += [cuts.cut(image, number / 25) for number, image in enumerate((before, before, after))][-1]
            spent += (time.process_time() - started) / 3
            back += cuts.cut(before, 3 / 25) and cuts.back
        print(f"{name}: {found} of {pairs} taken for a cut, of which {back} are taken back when the scene returns")
    print(f"{1e3 * spent / pairs / len(kinds(None, [])):.3f} ms of CPU a frame")


if __name__ == "__main__":
    main()

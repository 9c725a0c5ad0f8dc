"""Where eyes, nose and mouth sit in FER2013's 48x48 frame: the figures behind `mien.faces.align.FRAME_LANDMARKS`.

Faces spread evenly over Training are shown to the face detector enlarged to 72..288 px, mirrored every other time,
within surroundings, because it expects some: half of them within borders that repeat their edge, half on a canvas of
clouds. Size, place and surroundings vary because the detector's points depend on them: they lie 5 % closer together
within repeated edges than on canvases, with real photos in between. Printed: the share of faces found, and median and
quartiles of each landmark, in pixels of the 48x48 frame with pixel centres at halves.

    python benchmarks/measure_frame.py STORE [--faces 4000] [--views 2] [--seed 0]
"""

import argparse
from dataclasses import dataclass

import cv2
import numpy as np
from alignment_parity import background
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.faces.yunet import YuNetDetector
from mien.preprocess import FACE_SIZE

SIZES = (72, 288)
BORDER = (0.2, 0.7)
SURROUNDINGS = ("repeated edges", "clouds")
NAMES = ("left eye", "right eye", "nose tip", "left mouth corner", "right mouth corner")


@dataclass(frozen=True)
class View:
    """One showing: what was around the face, score (0 when not found), landmarks (5, 2) in the 48x48 frame."""

    surroundings: str
    score: float
    landmarks: NDArray[np.float64] | None


def surrounded(
    face: NDArray[np.uint8], surroundings: str, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], tuple[int, int], int]:
    """A picture of a face, the (left, top) of the face in it, and its side (uniform on a logarithmic scale), all in
    pixels.
    """
    side = round(SIZES[0] * (SIZES[1] / SIZES[0]) ** rng.random())
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    top, bottom, left, right = (int(side * share) for share in rng.uniform(*BORDER, 4))
    picture = cv2.copyMakeBorder(large, top, bottom, left, right, cv2.BORDER_REPLICATE)
    if surroundings == "clouds":
        picture = background(2, max(picture.shape), rng)[: picture.shape[0], : picture.shape[1]]
        picture[top : top + side, left : left + side] = large
    return picture, (left, top), side


def show(detector: YuNetDetector, face: NDArray[np.uint8], surroundings: str, rng: np.random.Generator) -> View:
    """Detect a face at a random size, place and mirroring."""
    picture, corner, side = surrounded(face[:, ::-1] if rng.random() < 0.5 else face, surroundings, rng)
    detections = detector.detect(picture)
    if not detections:
        return View(surroundings, 0.0, None)
    best = max(detections, key=lambda detection: detection.score)
    return View(surroundings, best.score, (np.array(best.landmarks) - corner) / side * FACE_SIZE)


def report(title: str, views: list[View]) -> None:
    scores = np.array([view.score for view in views])
    shares = ", ".join(f"{(scores >= least).mean():.1%} from {least}" for least in (0.6, 0.7, 0.8, 0.9))
    print(f"{title}: {len(views)} views; found with a score {shares}")
    landmarks = np.array([view.landmarks for view in views if view.landmarks is not None])
    low, median, high = np.percentile(landmarks, (25, 50, 75), axis=0)
    for name, point, first, third in zip(NAMES, median, low, high, strict=True):
        print(
            f"  {name:18} x {point[0]:6.2f} ({first[0]:5.2f} to {third[0]:5.2f})   "
            f"y {point[1]:6.2f} ({first[1]:5.2f} to {third[1]:5.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", help="a data set made by `mien data import`")
    parser.add_argument("--faces", type=int, default=4000)
    parser.add_argument("--views", type=int, default=2, help="showings of each face")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    store, rng = FaceStore.open(options.store), np.random.default_rng(options.seed)
    rows = store.rows_of("Training")
    faces = store.faces[rows[np.linspace(0, len(rows) - 1, options.faces).astype(int)]]
    detector = YuNetDetector(min_score=0.6)
    views = [
        show(detector, face, SURROUNDINGS[number % len(SURROUNDINGS)], rng)
        for face in faces
        for number in range(options.views)
    ]
    for surroundings in SURROUNDINGS:
        report(surroundings, [view for view in views if view.surroundings == surroundings])
    report("all", views)


if __name__ == "__main__":
    main()

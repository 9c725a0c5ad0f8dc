"""How far off yaw, pitch and roll are, and what the columns of quality cost: the figures of docs/guide/predict.md.

Planted poses tell the error of the method; pictures of a data set and their mirror images, whose angles should be
opposite, that of the landmarks, at two sizes of the face; a photo turned in its plane, how much of a roll is found.

    python benchmarks/face_pose.py [STORE] [--step 40] [--seed 0]
"""

import argparse
from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from mien.data.store import FaceStore
from mien.faces.quality import MODEL, pose, quality_of
from mien.faces.yunet import YuNetDetector
from mien.results import Box

SHAPE = (0.5, 0.5, 1.2)
LANDMARKS = 0.4
"""Deviations of faces from the model and of landmarks, where the eyes are 17.8 apart."""

SIDES = (100, 200)
BORDER = 60
HEADS = 48.0


def points(plane: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in plane)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    turn, nod, tilt = np.radians([-yaw, -pitch, roll])
    axes = ((nod, 0.0, 0.0), (0.0, turn, 0.0), (0.0, 0.0, tilt))
    nodded, turned, tilted = (cv2.Rodrigues(np.array(axis))[0] for axis in axes)
    return np.asarray(tilted @ turned @ nodded)


def root_mean_square(errors: list[NDArray[np.float64]]) -> str:
    return " ".join(f"{value:4.1f}" for value in np.sqrt(np.mean(np.square(errors), axis=0)))


def planted(random: np.random.Generator) -> None:
    print("planted poses, root mean square error of yaw, pitch, roll, degrees")
    for yaw in (0, 15, 30, 45, 60):
        errors = []
        for _ in range(200):
            angles = np.array([yaw, *random.uniform(-20, 20, 2)])
            space = (MODEL + random.normal(0, SHAPE, (5, 3))) @ rotation(*angles).T
            found = pose(points(space[:, :2] + random.normal(0, LANDMARKS, (5, 2))))
            errors.append(np.array(found) - angles)
        print(f"  yaw {yaw:2}: {root_mean_square(errors)}")
    for heads in (5, 8, 15):
        errors = []
        for _ in range(300):
            angles = random.uniform([-45, -20, -20], [45, 20, 20])
            space = (MODEL - MODEL.mean(axis=0)) @ rotation(*angles).T + (0, 0, HEADS * heads)
            errors.append(np.array(pose(points(space[:, :2] / space[:, 2:] * 1000))) - angles)
        print(f"  perspective at {heads:2} heads, at most: {np.abs(errors).max():.1f}")


def angles_of(detector: YuNetDetector, picture: NDArray[np.uint8], least: float) -> NDArray[np.float64] | None:
    found = [face for face in detector.detect(picture) if face.box[3] > least]
    best = max(found, key=lambda face: face.score, default=None)
    angles = None if best is None else pose(best.landmarks)
    return None if angles is None else np.array(angles)


def mirrored(detector: YuNetDetector, faces: NDArray[np.uint8]) -> None:
    print("pictures and their mirror images, root mean square of one reading of yaw, pitch, roll, degrees")
    for side in SIDES:
        readings = []
        for face in faces:
            large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
            picture = cv2.copyMakeBorder(large, *[BORDER] * 4, cv2.BORDER_REPLICATE)
            views = picture, np.ascontiguousarray(picture[:, ::-1])
            plain, other = (angles_of(detector, np.asarray(view), side / 2) for view in views)
            if plain is not None and other is not None:
                readings.append((plain, other * (-1, 1, -1)))
        apart = [(plain - other) / np.sqrt(2) for plain, other in readings]
        yaws = np.abs([(plain + other)[0] / 2 for plain, other in readings])
        turned = f"{((yaws >= 15) & (yaws < 30)).sum()} turned by 15 to 30, {(yaws >= 30).sum()} by more"
        bias = np.mean([plain[0] - other[0] for plain, other in readings]) / 2
        print(f"  {side} px, {len(readings)} faces: {root_mean_square(apart)}; bias of yaw {bias:.1f}; {turned}")


def turned(detector: YuNetDetector) -> None:
    print("a photo turned by -20 and 20 degrees, share of 40 degrees that is found")
    photo = data.astronaut()[:300]
    for scale in (0.5, 0.7, 1, 1.5, 2, 3):
        size = round(512 * scale), round(300 * scale)
        large = cv2.resize(photo, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        rolls = []
        for angle in (-20, 20):
            turn = cv2.getRotationMatrix2D((223 * scale, 120 * scale), angle, 1)
            view = np.asarray(cv2.warpAffine(large, turn, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
            found = angles_of(detector, view, 50 * scale)
            rolls.append(np.nan if found is None else found[2])
        print(f"  {round(113 * scale):3} px: {(rolls[0] - rolls[1]) / 40:.2f}")


def microseconds(call: Callable[[], object]) -> float:
    rounds = []
    for _ in range(7):
        started = perf_counter()
        for _ in range(2000):
            call()
        rounds.append((perf_counter() - started) / 2000 * 1e6)
    return min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", nargs="?", help="a data set made by `mien data import`")
    parser.add_argument("--step", type=int, default=40, help="every so many Training rows")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    landmarks, crop = points(MODEL[:, :2] + 100), random.integers(0, 256, (48, 48), np.uint8)
    angles = microseconds(lambda: pose(landmarks))
    print(f"microseconds a face: {microseconds(lambda: quality_of(Box(1, 2, 30, 40), landmarks, crop)):.0f}")
    print(f"  of them the angles: {angles:.0f}")
    planted(random)
    detector = YuNetDetector(threads=1)
    turned(detector)
    if arguments.store is not None:
        store = FaceStore.open(arguments.store)
        rows = store.rows_of("Training")[:: arguments.step]
        mirrored(detector, store.faces[rows])


if __name__ == "__main__":
    main()

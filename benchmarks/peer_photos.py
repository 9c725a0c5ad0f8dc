"""Photos with known faces, made of two public-domain portraits, and how many of the found boxes are right."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image
from skimage import data

SIZES = ((640, 480), (1280, 960), (1920, 1080), (2592, 1944), (4000, 3000), (6000, 4000))
COUNTS = (1, 4, 12, 20, 40, 2, 6, 16, 3, 30, 8, 24)
LEAST_FACE = 60
"""Pixels: larger than the least face of every peer's defaults (`fer` 50, `mien` 48)."""

FACES = ((0.30, 0.25, 0.40, 0.50), (0.23, 0.26, 0.52, 0.51))
"""Left, top, width and height of the face in each portrait, as shares of its side, brow to chin, marked by eye."""

FACE_HEIGHT = 0.5
AREA_RATIO = 6.0
"""Wide, since some detectors frame the whole head: at 3.0 most boxes of `@vladmandic/human` counted as wrong."""


def portraits():
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return data.astronaut()[20:220, 123:323], np.asarray(Image.open(hopper).convert("RGB"))[35:415, 78:458]


def cells(size, count):
    """Squares of a grid, left, top, side: at most so many, and none too small for a face of `LEAST_FACE`."""
    width, height = size
    least = LEAST_FACE / FACE_HEIGHT
    columns = max(1, min(round((count * width / height) ** 0.5), int(width / least)))
    rows = max(1, min(-(-count // columns), int(height / least)))
    side = min(width / columns, height / rows)
    places = [(width * (at % columns) / columns, height * (at // columns) / rows) for at in range(columns * rows)]
    return [(left, top, side) for left, top in places[:count]]


def photo(rng, size, count):
    """A picture, RGB uint8 (H, W, 3), and the boxes of its faces (N, 4)."""
    image = cv2.resize(rng.integers(40, 216, (12, 16, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    people, boxes = portraits(), []
    for left, top, cell in cells(size, count):
        side = int(rng.uniform(max(LEAST_FACE / FACE_HEIGHT, 0.5 * cell), cell))
        x, y = (int(start + rng.uniform(0, cell - side)) for start in (left, top))
        who = rng.integers(2)
        image[y : y + side, x : x + side] = cv2.resize(people[who], (side, side), interpolation=cv2.INTER_AREA)
        boxes.append(np.array(FACES[who]) * side + (x, y, 0, 0))
    noise = cv2.resize(rng.normal(0, 6, (size[1] // 2, size[0] // 2, 3)).astype(np.float32), size)
    return np.clip(image + noise, 0, 255).astype(np.uint8), np.array(boxes)


def write_photos(folder, count):
    """Write so many JPEG files; returns the faces of each by its name."""
    rng, truth = np.random.default_rng(17), {}
    for number in range(count):
        image, truth[f"{number:05d}.jpg"] = photo(rng, SIZES[number % len(SIZES)], COUNTS[number % len(COUNTS)])
        Image.fromarray(image).save(folder / f"{number:05d}.jpg", quality=90)
    return truth


def right_boxes(found, faces):
    """Boxes with their centre in a face and an area within `AREA_RATIO` times of its, at most one for each face."""
    left = list(faces)
    for x, y, width, height in found:
        for at, face in enumerate(left):
            inside = (0 <= x + width / 2 - face[0] <= face[2]) and (0 <= y + height / 2 - face[1] <= face[3])
            if inside and 1 / AREA_RATIO <= width * height / (face[2] * face[3]) <= AREA_RATIO:
                del left[at]
                break
    return len(faces) - len(left)

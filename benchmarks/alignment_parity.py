"""Does a face that was found in a picture read like the same face given directly?

PublicTest faces are enlarged to 60..300 px, rotated within 20 degrees and pasted on larger canvases (noise, gradients,
clouds), then go through detection and alignment. Over the faces detected, the accuracy of the aligned crops is set
against that of the original 48x48 faces. Printed besides: the detection rate, and how the aligned crop sits relative to
the original frame and how well it correlates with it.

    python benchmarks/alignment_parity.py STORE [--faces 4000] [--model NAME|FILE|none] [--usage PublicTest] [--seed 0]
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.defaults import DEFAULT_MODEL
from mien.faces.align import align_face, frame_of
from mien.faces.detection import Detection
from mien.faces.yunet import YuNetDetector
from mien.model.onnx_model import Bundle
from mien.preprocess import FACE_SIZE

SIZES = (60, 300)
DEGREES = 20
MOST_LOST = 0.03


@dataclass(frozen=True)
class Pasted:
    """A canvas with one face, and the (2, 3) matrix from the face's 48x48 frame to the canvas (pixel centres at
    halves).
    """

    canvas: NDArray[np.uint8]
    placement: NDArray[np.float64]
    side: int


def background(kind: int, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A square grayscale canvas: white noise, a gradient, or clouds (noise of falling amplitude at rising frequency, as
    in photos).
    """
    if kind == 0:
        return rng.integers(0, 256, (side, side), dtype=np.uint8)
    if kind == 1:
        ramp = np.linspace(*rng.uniform(0, 255, 2), side)
        return np.tile(ramp, (side, 1)).astype(np.uint8)
    frequencies = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) / np.maximum(frequencies, 1 / side)
    clouds = np.fft.irfft2(spectrum, (side, side))
    return (255 * (clouds - clouds.min()) / np.ptp(clouds)).astype(np.uint8)


def paste(face: NDArray[np.uint8], rng: np.random.Generator) -> Pasted:
    """The face on a canvas of 1.6 to 3 times its size, at a random size, rotation and place."""
    side = int(rng.integers(SIZES[0], SIZES[1] + 1))
    canvas = background(int(rng.integers(3)), round(side * rng.uniform(1.6, 3.0)), rng)
    reach = 0.5 * side * (np.cos(np.radians(DEGREES)) + np.sin(np.radians(DEGREES)))
    centre = rng.uniform(reach, canvas.shape[0] - reach, 2)
    angle, scale = np.radians(rng.uniform(-DEGREES, DEGREES)), side / FACE_SIZE
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placement = np.column_stack([turn, centre - turn @ (FACE_SIZE / 2, FACE_SIZE / 2)])
    grid = placement.copy()
    grid[:, 2] += turn @ (0.5, 0.5) - 0.5
    size = canvas.shape[::-1]
    large = cv2.warpAffine(face, grid, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full_like(face, 255), grid, size) > 127
    return Pasted(np.where(inside, large, canvas), placement, side)


def find(detector: YuNetDetector, pasted: Pasted) -> Detection | None:
    """The best detection whose centre lies within a quarter of the face's side from the face's centre."""
    centre = pasted.placement @ (FACE_SIZE / 2, FACE_SIZE / 2, 1)
    hits = [
        face
        for face in detector.detect(pasted.canvas)
        if np.hypot(*(np.add(face.box[:2], np.divide(face.box[2:], 2)) - centre)) < pasted.side / 4
    ]
    return max(hits, key=lambda face: face.score, default=None)


def framing(pasted: Pasted, detection: Detection) -> tuple[float, float, float, float]:
    """How the aligned crop shows the original frame: scale, rotation in degrees, shift of the frame's centre in pixels
    (x, y).
    """
    together = frame_of(detection.landmarks) @ np.vstack([pasted.placement, (0, 0, 1)])
    shift = together @ (FACE_SIZE / 2, FACE_SIZE / 2, 1) - FACE_SIZE / 2
    scale = float(np.hypot(together[0, 0], together[1, 0]))
    return scale, float(np.degrees(np.arctan2(together[1, 0], together[0, 0]))), float(shift[0]), float(shift[1])


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Pearson correlation of the grey levels inside the 44x44 centre, which is what networks see."""
    flat = [face[2:-2, 2:-2].ravel() for face in (one, other)]
    return float(np.corrcoef(flat)[0, 1]) if min(np.std(flat, axis=1)) > 0 else 0.0


def trials(
    faces: NDArray[np.uint8], rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None]:
    """For every face, the aligned crop and its framing, or None when it was not detected."""
    detector = YuNetDetector()
    for face in faces:
        pasted = paste(face, rng)
        detection = find(detector, pasted)
        yield detection and (align_face(pasted.canvas, detection.landmarks), framing(pasted, detection))


def report_framing(framings: NDArray[np.float64]) -> None:
    quartiles = np.percentile(framings, (25, 50, 75), axis=0).T
    for name, (low, median, high) in zip(("scale", "rotation", "shift x", "shift y"), quartiles, strict=True):
        print(f"  {name:9} median {median:6.2f}, quartiles {low:6.2f} to {high:6.2f}")


def report_accuracy(
    model: str, direct: NDArray[np.uint8], aligned: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> bool:
    bundle = Bundle.load(model)
    right_direct = bundle.logits(direct).argmax(axis=1) == labels
    right_aligned = bundle.logits(aligned).argmax(axis=1) == labels
    lost = right_direct.astype(float) - right_aligned
    error = lost.std() / np.sqrt(len(lost))
    print(f"accuracy of {model}: direct {right_direct.mean():.2%}, detected and aligned {right_aligned.mean():.2%}")
    print(f"  lost {100 * lost.mean():.2f} points (standard error {100 * error:.2f}), allowed {100 * MOST_LOST:.0f}")
    return bool(lost.mean() <= MOST_LOST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", help="a data set made by `mien data import`")
    parser.add_argument("--faces", type=int, default=4000)
    parser.add_argument("--usage", default="PublicTest")
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a model's name or file; none: only detection and framing"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    store, rng = FaceStore.open(options.store), np.random.default_rng(options.seed)
    rows = store.rows_of(options.usage)
    rows = np.sort(rng.choice(rows, min(options.faces, len(rows)), replace=False))
    results = list(trials(store.faces[rows], rng))
    detected = rows[[result is not None for result in results]]
    aligned = np.array([result[0] for result in results if result is not None])
    print(f"detected: {len(detected)} of {len(rows)} faces of {options.usage}, {len(detected) / len(rows):.1%}")
    report_framing(np.array([result[1] for result in results if result is not None]))
    pairs = zip(store.faces[detected], aligned, strict=True)
    print(f"  correlation with the original face, median {np.median([correlation(*pair) for pair in pairs]):.3f}")
    if options.model != "none" and not report_accuracy(
        options.model, store.faces[detected], aligned, store.labels[detected]
    ):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

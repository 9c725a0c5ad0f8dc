"""Conformal sets and flags of faces out of place: what they promise, and what they keep.

Sets: over 200 random halves of PublicTest, coverage on the half that was not fitted on, of all faces and of each class,
and how often it lies in the interval that theory gives. Flags: the area under the ROC curve between the half of
PublicTest that the trust file was not fitted on and planted non-faces, and what is flagged of both. Planted: cartoons
and backs of heads drawn by code, noise, squares of a cat, of other animals, objects, textures and scenes of
scikit-image and scikit-learn, patches without faces of LFW, what YuNet takes for faces in these pictures, and faces
upside down.

python benchmarks/trust.py --data fer2013 [--splits 200] [--sheets DIR] MODEL...
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from pathlib import Path

import numpy as np
import skimage
import sklearn
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from mien.data.store import FaceStore
from mien.evaluation.conformal import LEVELS, halves, tested_level, true_probabilities
from mien.face_quality import OUT_OF_PLACE
from mien.model.onnx_model import Bundle, softmax
from mien.model.trust import Trust
from mien.preprocess import to_gray
from mien.recognition.finder import MakeFinder

SIDE = 192
SKIMAGE = Path(skimage.__file__).parent / "data"
SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
WITHOUT_FACES = (
    *("brick.png", "cell.png", "chelsea.png", "coffee.png", "coins.png", "color.png", "grass.png", "gravel.png"),
    *("horse.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png", "phantom.png"),
    *("retina.jpg", "rocket.jpg", "text.png"),
)


def cartoon(seed):
    random = np.random.default_rng(seed)
    image = Image.new("L", (SIDE, SIDE), int(random.integers(0, 256)))
    pen, skin, width = ImageDraw.Draw(image), int(random.integers(0, 256)), int(random.integers(2, 8))
    ink = 0 if skin > 128 else 255
    x, y = SIDE / 2 + random.integers(-8, 9, 2)
    across, down = random.uniform(60, 92), random.uniform(70, 95)
    pen.ellipse([x - across, y - down, x + across, y + down], fill=skin, outline=ink, width=width)
    for side in (-1, 1):
        eye, high, size = x + side * random.uniform(28, 36), y - random.uniform(15, 30), random.uniform(6, 18)
        if random.random() < 0.5:
            pen.ellipse([eye - size, high - size * 1.3, eye + size, high + size * 1.3], fill=255, outline=ink, width=2)
            pen.ellipse([eye - size / 2, high - size / 2, eye + size / 2, high + size / 2], fill=0)
        else:
            pen.ellipse([eye - size / 2, high - size / 2, eye + size / 2, high + size / 2], fill=ink)
        if random.random() < 0.6:
            tilt = random.uniform(-10, 10)
            pen.line([eye - 14, high - 26 - tilt, eye + 14, high - 26 + tilt], fill=ink, width=width)
    mouth, kind = y + random.uniform(28, 42), random.integers(0, 4)
    if kind == 0:
        pen.arc([x - 35, mouth - 25, x + 35, mouth + 15], 20, 160, fill=ink, width=width)
    elif kind == 1:
        pen.arc([x - 35, mouth, x + 35, mouth + 35], 200, 340, fill=ink, width=width)
    elif kind == 2:
        pen.ellipse([x - 14, mouth - 10, x + 14, mouth + 16], fill=ink)
    else:
        pen.line([x - 28, mouth, x + 28, mouth], fill=ink, width=width)
    return small(np.array(image))


def back_of_head(seed):
    random = np.random.default_rng(1000 + seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    middle, high = SIDE / 2 + random.integers(-10, 11), SIDE * 0.45
    across, down = random.uniform(58, 78), random.uniform(70, 88)
    image = np.full((SIDE, SIDE), random.uniform(60, 230)) + gaussian_filter(random.normal(size=(SIDE, SIDE)), 20) * 400
    image[(y > SIDE * 0.8) & (np.abs(x - middle) < SIDE * 0.5 - (SIDE - y) * 0.3)] = random.uniform(20, 200)
    image[(y > high) & (np.abs(x - middle) < across * 0.55) & (y < SIDE * 0.9)] = random.uniform(110, 210)
    strands = gaussian_filter(random.normal(size=(SIDE, SIDE)), (random.uniform(4, 15), 1)) * random.uniform(60, 160)
    shine = 25 * np.exp(-(((x - middle + 20) / 40) ** 2 + ((y - high + 40) / 30) ** 2))
    head = ((x - middle) / across) ** 2 + ((y - high) / down) ** 2 < 1
    image[head] = (random.uniform(15, 120) + strands + shine)[head]
    return small(gaussian_filter(image, 1))


def noise(seed):
    random = np.random.default_rng(2000 + seed)
    values = random.normal(size=(48, 48))
    if seed % 3 == 1:
        values = gaussian_filter(values, random.uniform(1, 6))
    elif seed % 3 == 2:  # as much of every octave, as in photos
        steps = np.fft.fftfreq(48)
        frequency = np.hypot(*np.meshgrid(steps, steps))
        frequency[0, 0] = 1
        values = np.fft.ifft2(np.fft.fft2(values) / frequency).real
    values = (values - values.mean()) / values.std() * random.uniform(20, 70) + random.uniform(70, 190)
    return values.clip(0, 255).astype(np.uint8)


def small(image):
    return np.array(Image.fromarray(np.asarray(image).clip(0, 255).astype(np.uint8)).resize((48, 48), Image.BOX))


def enlarged(patch):
    return np.array(Image.fromarray((255 * patch).astype(np.uint8)).resize((48, 48), Image.BICUBIC))


def picture(path):
    return np.array(Image.open(path).convert("RGB"))


def squares(pictures, count, seed, least):
    random, found = np.random.default_rng(seed), []
    for number in range(count):
        image = to_gray(pictures[number % len(pictures)])
        side = int(random.integers(least, min(image.shape) + 1))
        top, left = (random.integers(0, length - side + 1) for length in image.shape)
        found.append(small(image[top : top + side, left : left + side]))
    return np.array(found)


def taken_for_faces(pictures):
    finder = MakeFinder("yunet", 0.15, 1)()
    found = [finder.find(image[:: 1 + large, :: 1 + large]) for image in pictures for large in range(3)]
    return np.array([candidate.crop for candidates in found for candidate in candidates])


def planted(faces):
    scenes = [picture(SKIMAGE / name) for name in WITHOUT_FACES] + [picture(path) for path in SKLEARN.glob("*.jpg")]
    return {
        "cartoons": np.array([cartoon(number) for number in range(200)]),
        "backs of heads": np.array([back_of_head(number) for number in range(200)]),
        "noise": np.array([noise(number) for number in range(200)]),
        "a cat": squares([picture(SKIMAGE / "chelsea.png")], 200, 1, 100),
        "objects, textures, scenes": squares(scenes, 400, 2, 48),
        "patches of LFW": np.array([enlarged(patch) for patch in np.load(SKIMAGE / "lfw_subset.npy")[100:]]),
        "taken for faces by YuNet": taken_for_faces(scenes),
        "faces upside down": faces[::6, ::-1],
    }


def report_sets(probabilities, labels, classes, splits):
    for level in LEVELS if splits else ():
        shares, inside = {name: [] for name in ("all", *classes)}, {name: [] for name in ("all", *classes)}
        sizes = []
        for seed in range(splits):
            fitted, tested = halves(labels, seed)
            none = np.empty(0, np.float32)
            known = true_probabilities(probabilities[fitted], labels[fitted])
            trust = Trust(
                sha256="", labels=classes, data="", true_probabilities=known, mean=none, factor=none, distances=none
            )
            found = tested_level(trust, level, probabilities[tested], labels[tested])
            sizes.append(found["mean_size"])
            for name, figures in [("all", found), *found["per_class"].items()]:
                shares[name].append(figures["coverage"])
                inside[name].append(figures["interval"][0] <= figures["coverage"] <= figures["interval"][1])
        print(
            f"sets {level:.0%}: {np.mean(sizes):.2f} classes; coverage (in its 95 % interval in so many of {splits}):"
        )
        print("  " + ", ".join(f"{name} {np.mean(shares[name]):.1%} ({np.mean(inside[name]):.0%})" for name in shares))


def report_flags(model, faces, kinds):
    trust = model.trust
    typical = trust.typicality(model.features(faces))
    print(f"flagged of {len(faces)} PublicTest faces not fitted on: {np.mean(typical < OUT_OF_PLACE):.1%}", end="")
    print(f" below {OUT_OF_PLACE}, {np.mean(typical < 0.02):.1%} below 0.02")
    energies = -np.log(np.exp(model.logits(faces) / model.card.temperature).sum(axis=1))
    for name, found in kinds.items():
        other = trust.typicality(model.features(found))
        truth = np.repeat([0, 1], [len(typical), len(other)])
        distances = roc_auc_score(truth, -np.concatenate([typical, other]))
        energy = -np.log(np.exp(model.logits(found) / model.card.temperature).sum(axis=1))
        by_energy = roc_auc_score(truth, np.concatenate([energies, energy]))
        print(
            f"  {name} ({len(found)}): AUC {distances:.3f} (energy: {by_energy:.3f}), "
            f"flagged {np.mean(other < OUT_OF_PLACE):.0%}, below 0.02 {np.mean(other < 0.02):.0%}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--splits", type=int, default=200, help="random halves; 0: flags alone")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of what is planted")
    options = parser.parse_args()
    store = FaceStore.open(options.data)
    rows = store.rows_of("PublicTest")
    faces, labels = np.array(store.faces[rows]), store.labels[rows]
    _, tested = halves(labels)
    kinds = planted(faces[tested])
    for name, found in kinds.items() if options.sheets else ():
        Image.fromarray(np.concatenate(list(found[:16]), axis=1)).save(options.sheets / f"{name}.png")
    for name in options.models:
        model = Bundle.load(name, threads=1)
        print(f"\n{model.card.name}")
        report_sets(softmax(model.logits(faces) / model.card.temperature), labels, model.card.labels, options.splits)
        report_flags(model, faces[tested], kinds)


if __name__ == "__main__":
    main()

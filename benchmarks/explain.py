"""How faithful explanations are: deletion and insertion curves, and maps of networks with random weights.

Deletion hides the places of a face from the strongest evidence to the weakest under its mean grey; insertion shows them
in that order on a strongly blurred face. The mean probability of the answer over the curve is low for deletion, and
high for insertion, where the map is faithful (RISE, arXiv 1806.07421). What is given is insertion minus deletion: for
the model's map, for a random map of the same grain (random weights of the 7x7 cells), and for one of random pixels.
Intervals are bootstrapped over faces.

python benchmarks/explain.py --data fer2013 [--faces 500] MODEL...
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import hashlib
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import numpy_helper
from scipy.stats import spearmanr

from mien.data.store import FaceStore
from mien.model.embedded import read_embedded, versioned_name
from mien.model.onnx_model import Bundle
from mien.recognition.explain import GRID, _spread, evidence

STEPS = 10
BLUR = 5
RANDOM_NETWORKS = 3
COMPARED = 20
"""Faces whose maps are compared with those of random networks."""


def curves(model, face, number, values):
    """Mean probability of a class while places are deleted, and while they are inserted."""
    count = face.size
    rank = np.empty(count, int)
    rank[np.argsort(-values.ravel(), kind="stable")] = np.arange(count)
    taken = [rank.reshape(face.shape) < bound for bound in np.linspace(0, count, STEPS + 1)]
    mean, blurred = round(float(face.mean())), cv2.GaussianBlur(face, (0, 0), BLUR)
    faces = [np.where(places, mean, face) for places in taken] + [np.where(places, face, blurred) for places in taken]
    probabilities = model.probabilities(np.array(faces, np.uint8))[:, number]
    return probabilities[: STEPS + 1].mean(), probabilities[STEPS + 1 :].mean()


def random_maps(random, side):
    spread = _spread(side)
    return spread @ random.normal(size=(GRID, GRID)) @ spread.T, random.normal(size=(side, side))


def interval(values, random):
    means = random.choice(values, (2000, len(values))).mean(axis=1)
    return f"{values.mean():.3f} ({np.quantile(means, 0.025):.3f} .. {np.quantile(means, 0.975):.3f})"


def shuffled(name, seed):
    """The model with the weights of each of its tensors in random order, as a `Bundle`."""
    version, random = versioned_name(name), np.random.default_rng(seed)
    model = onnx.load_from_string(read_embedded(version) if version else Path(name).read_bytes())
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1 and values.dtype in (np.float16, np.float32):
            mixed = random.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    description = None if version else Path(name).with_suffix(".toml")
    return Bundle(model.SerializeToString(), f"{name} shuffled", threads=1, description=description)


def measure(name, faces):
    model, random = Bundle.load(name, threads=1), np.random.default_rng(1)
    gained, deleted, inserted, maps, seconds = [], [], [], [], 0.0
    answers = model.probabilities(faces).argmax(axis=1)
    for face, answer in zip(faces, answers, strict=True):
        began = time.process_time()
        maps.append(evidence(model, face))
        seconds += time.process_time() - began
        kinds = (maps[-1][answer], *random_maps(random, face.shape[0]))
        found = np.array([curves(model, face, answer, values) for values in kinds])
        deleted.append(found[:, 0])
        inserted.append(found[:, 1])
        gains = found[:, 1] - found[:, 0]
        gained.append([gains[0], gains[0] - gains[1], gains[0] - gains[2]])
    gained = np.array(gained)
    print(f"\n{model.card.name}, {len(faces)} faces, SHA-256 {hashlib.sha256(model.content).hexdigest()[:8]}")
    print(f"seconds of processor time a face: {seconds / len(faces):.2f}")
    for title, values in (("deletion", np.array(deleted)), ("insertion", np.array(inserted))):
        means = values.mean(axis=0)
        print(f"{title}: map {means[0]:.3f}, random cells {means[1]:.3f}, random pixels {means[2]:.3f}")
    print(f"insertion - deletion of the map: {interval(gained[:, 0], random)}")
    print(f"gain over random cells: {interval(gained[:, 1], random)}")
    print(f"gain over random pixels: {interval(gained[:, 2], random)}", flush=True)
    compare_with_random(name, faces, answers, maps)


def compare_with_random(name, faces, answers, maps):
    found = []
    for seed in range(RANDOM_NETWORKS):
        other = shuffled(name, seed)
        for face, answer, mine in list(zip(faces, answers, maps, strict=True))[:COMPARED]:
            found.append(spearmanr(mine[answer].ravel(), evidence(other, face)[answer].ravel()).statistic)
    found = np.nan_to_num(np.array(found))
    text = f"mean {found.mean():.3f}, mean size {np.abs(found).mean():.3f}"
    print(f"rank correlation with the maps of {RANDOM_NETWORKS} networks of shuffled weights: {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--faces", type=int, default=500)
    options = parser.parse_args()
    store = FaceStore.open(options.data)
    rows = np.random.default_rng(0).permutation(store.rows_of("PublicTest"))[: options.faces]
    faces = np.array(store.faces[np.sort(rows)])
    for name in options.models:
        measure(name, faces)


if __name__ == "__main__":
    main()

"""Transfer to labels that the parent has not seen: tuning an embedded model, mapping its answers, and from scratch.

The labels are FER+'s strict majority of PublicTest's faces: its eight classes, or three (happy, neutral, other). So
many rows a class tune, at most half of a class; all other rows test, but those that are nearly the same as a tuning
row. Each training holds a fifth of its rows out to choose its epoch. The parent was trained on Training rows with
FER2013's labels; its epoch was chosen on PublicTest, with those labels.

Every result is a line of JSON, appended at once, and what stands there is not trained again; the table is of all lines.

python benchmarks/transfer.py STORE OUT.jsonl [--sets three eight] [--rows 20 100 500] [--seeds 0 1 2 3 4]
    [--ways mapped tuned scratch] [--parent mien_s-2] [--threads N]
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from mien.data.crossings import near_copies
from mien.data.store import FaceStore, StoreMeta
from mien.data.votes import STRICT, vote_targets
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.tta import predict_logits
from mien.labels import FERPLUS_EMOTIONS
from mien.networks.saved import load_network
from mien.training.data import TrainingData
from mien.training.distillation import load_parent
from mien.training.engine import train
from mien.training.recipe import load_config
from mien.training.tuning import TUNING_RECIPE, tuning_config

WAYS = ("mapped", "scratch", "tuned")

SETS = {
    "three": (("happy", "neutral", "other"), [2, 2, 2, 0, 2, 2, 1, 2]),
    "eight": (FERPLUS_EMOTIONS, list(range(8))),
}
"""Class names, and the class of each of FER+'s eight."""

SCRATCH = ("optimizer.body_rate=1.0", "epochs=60", "early_stopping=20")
"""What a training from random weights needs otherwise: one rate for all layers, and more epochs."""


def labelled(store, classes, meanings):
    """PublicTest's rows with a strict majority, and their classes."""
    voted = vote_targets(store.votes, STRICT, len(FERPLUS_EMOTIONS))
    rows = np.flatnonzero(voted.any(axis=1) & (store.usages == 1))
    return rows, np.array(meanings)[voted[rows].argmax(axis=1)].astype(np.uint8)


def drawn(labels, count, seed):
    """Which rows tune: so many of each class, at most half of it, drawn by chance."""
    random = np.random.default_rng(seed)
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.sort(np.concatenate([random.permutation(rows)[: min(count, len(rows) // 2)] for rows in of_class]))


def part(faces, labels, classes):
    """Faces and labels as Training rows of a data set in memory."""
    meta = StoreMeta(len(faces), "own labels", "0" * 64, 2, classes)
    return FaceStore(faces, labels, np.zeros(len(faces), np.uint8), meta)


def accuracy_of(network, card, faces, labels):
    return float((predict_logits(TorchClassifier(network, card), faces).argmax(axis=1) == labels).mean())


def trained(way, mine, parent, seed, threads):
    """Accuracy's ingredients: the network of a training, its card, and its seconds."""
    settings = [f"seed={seed}", f"split_seed={seed}"]
    if way == "tuned":
        config = tuning_config(parent, mine, None, settings)
    else:
        rows = ("split=stratified_folds", "folds=5", "select_on=held_out")
        config = load_config(TUNING_RECIPE, [*rows, *SCRATCH, *settings])
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        train(config, TrainingData.prepared(mine, config), Path(folder) / "run", device="cpu", threads=threads)
        network, card = load_network(Path(folder) / "run")
    return network, card, time.perf_counter() - began


def mapped_accuracy(parent, faces, labels, meanings):
    """The parent's answers taken for the own classes: of eight classes it never answers contempt."""
    network, card = load_parent(parent).network, load_parent(parent).card
    answers = predict_logits(TorchClassifier(network, card), faces)
    likeliest = np.zeros((len(faces), max(meanings) + 1))
    probabilities = torch.softmax(torch.from_numpy(answers) / card.temperature, 1).numpy()
    for column in range(probabilities.shape[1]):
        likeliest[:, meanings[column]] += probabilities[:, column]
    return float((likeliest.argmax(axis=1) == labels).mean())


def measured(store, kind, count, seed, way, parent, threads):
    classes, meanings = SETS[kind]
    rows, labels = labelled(store, classes, meanings)
    mine = drawn(labels, count, seed)
    others = np.setdiff1d(np.arange(len(rows)), mine)
    near = near_copies(store, rows[mine], rows[others])
    test = others[~np.isin(rows[others], near)]
    faces, truth = store.faces[rows[test]], labels[test]
    entry = {"set": kind, "rows": count, "seed": seed, "way": way, "trained_on": len(mine), "tested_on": len(test)}
    if way == "mapped":
        return entry | {"accuracy": mapped_accuracy(parent, faces, truth, meanings), "seconds": 0.0}
    own = part(store.faces[rows[mine]], labels[mine], classes)
    network, card, seconds = trained(way, own, parent, seed, threads)
    return entry | {"accuracy": accuracy_of(network, card, faces, truth), "seconds": round(seconds, 1)}


def table(lines):
    for kind, count in sorted({(line["set"], line["rows"]) for line in lines}):
        for way in WAYS:
            found = [line for line in lines if (line["set"], line["rows"], line["way"]) == (kind, count, way)]
            if found:
                values = [100 * line["accuracy"] for line in found]
                spread = statistics.stdev(values) if len(values) > 1 else float("nan")
                seconds = statistics.mean(line["seconds"] for line in found)
                print(
                    f"{kind:6} {count:4} rows a class, {way:8} {statistics.mean(values):6.2f} % ± {spread:.2f} "
                    f"over {len(values)} seeds, trained on {found[0]['trained_on']}, {seconds:.0f} s"
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--rows", nargs="+", type=int, default=[20, 100, 500])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument(
        "--ways", nargs="+", choices=("mapped", "tuned", "scratch"), default=["mapped", "tuned", "scratch"]
    )
    parser.add_argument("--parent", default="mien_s-2")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    store = FaceStore.open(asked.store)
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    done = {(line["set"], line["rows"], line["seed"], line["way"]) for line in lines}
    for count in asked.rows:
        for seed in asked.seeds:
            for kind in asked.sets:
                for way in asked.ways:
                    if (kind, count, seed, way) not in done:
                        lines.append(measured(store, kind, count, seed, way, asked.parent, asked.threads))
                        with asked.out.open("a") as file:
                            file.write(json.dumps(lines[-1]) + "\n")
    table(lines)


if __name__ == "__main__":
    main()

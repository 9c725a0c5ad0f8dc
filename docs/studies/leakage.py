"""How 99 % comes about: one network trained with the test faces among its training faces, and one without them.

    python docs/studies/leakage.py STORE OUT [--drop-rows rows_in_private.txt]

Both trainings turn half of the faces upside down where a careful one mirrors left and right: the mistake of the system
that claimed 0.990. OUT gets a run for each (a second call goes on where the first stopped) and leakage.json.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.data.splits import training_rows
from mien.data.store import FaceStore
from mien.evaluation.classifier import TorchClassifier
from mien.evaluation.metrics import accuracy, standard_error
from mien.networks.saved import load_network
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.recipe import load_config

RECIPE = (
    "batch_size=128",
    "epochs=20",
    "select_on=last",
    "preprocess.frame_size=32",
    "preprocess.input_size=32",
    "schedule.name=cosine",
    "augment.flip=0",
    "augment.vertical_flip=0.5",
    "augment.brightness=0",
    "augment.contrast=0",
)
TRAINED = 12_000
VIEWS: dict[str, tuple[int, ...]] = {"as they are": (), "mirrored": (2,), "upside down": (1,)}


def new_to(store: FaceStore, rows: NDArray[np.intp], known: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows whose pixels are not those of a known row."""
    pixels = {store.faces[row].tobytes() for row in known}
    return np.array([row for row in rows if store.faces[row].tobytes() not in pixels], np.intp)


def figures(run: Path, store: FaceStore, groups: Mapping[str, NDArray[np.intp]]) -> dict[str, dict[str, dict]]:
    """Accuracy of a run's network, by group of faces and by view of them."""
    classifier = TorchClassifier(*load_network(run))
    found: dict[str, dict[str, dict]] = {}
    for group, rows in groups.items():
        for view, axes in VIEWS.items():
            faces = np.ascontiguousarray(np.flip(store.faces[rows], axes)) if axes else store.faces[rows]
            logits = classifier.logits_of_input(classifier.card.preprocess.apply(faces))
            right = accuracy(logits.argmax(1), store.labels[rows])
            found.setdefault(group, {})[view] = {
                "n": len(rows),
                "accuracy": right,
                "standard_error": standard_error(right, len(rows)),
            }
    return found


def main() -> None:
    """Train both, score both, print the table and write leakage.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--drop-rows", type=Path)
    parser.add_argument("--only", choices=("honest", "leaking"), help="train this one and stop")
    options = parser.parse_args()

    store = FaceStore.open(options.store)
    allowed, public_test = training_rows(store, options.drop_rows).rows, store.rows_of("PublicTest")
    trained = allowed[:TRAINED]
    unseen = new_to(store, allowed[TRAINED:], trained)[: len(public_test)]
    rows = {"honest": trained, "leaking": np.concatenate((trained, public_test))}
    for name in [options.only] if options.only else list(rows):
        train(load_config("resnet", RECIPE), TrainingData(store, rows[name]), options.out / name, resume=True)
    if options.only:
        return
    groups = {"first 3,589 of the training faces": trained[:3589], "PublicTest": public_test, "unseen": unseen}
    found = {name: figures(options.out / name, store, groups) for name in rows}
    (options.out / "leakage.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for name, by_group in found.items():
        for group, views in by_group.items():
            line = "  ".join(f"{view} {100 * figure['accuracy']:.1f} %" for view, figure in views.items())
            print(f"{name:8} {group:34} {line}")


if __name__ == "__main__":
    main()

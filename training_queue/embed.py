"""Puts an exported model into the package: python -m training_queue.embed mien_s-3.onnx [--weights FILE.safetensors]

The file's name is the model's versioned name. A mean of models is stored in pieces, since it shares weights with those
that are embedded already; embed them first. With the weights that a network was exported from, trainings may start from
it: the tensors of its batch normalisation are put beside it.
"""

import argparse
import shutil
from pathlib import Path

import onnx
from torch import nn

from mien.model.card import ModelCard
from mien.model.embedded import NORMS_SUFFIX, PIECES_SUFFIX, embedded_versions, read_embedded
from mien.model.onnx_model import Bundle
from mien.model.pieces import cut
from mien.networks.saved import load_network, save_tensors

PACKAGE = Path(__file__).parents[1] / "src" / "mien" / "model" / "weights"


def main() -> None:
    """Writes the model into the package's folder of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="NAME-VERSION.onnx")
    parser.add_argument("--weights", type=Path, metavar="FILE.safetensors")
    options = parser.parse_args()
    whole, name = options.model.read_bytes(), options.model.stem
    card = Bundle(whole, name).card
    if "members" in card.training:
        (PACKAGE / f"{name}{PIECES_SUFFIX}").write_bytes(in_pieces(whole))
    else:
        shutil.copyfile(options.model, PACKAGE / f"{name}.onnx")
    if options.weights:
        save_norms(options.weights, card, PACKAGE / f"{name}{NORMS_SUFFIX}")


def in_pieces(whole: bytes) -> bytes:
    """A model file without the weights that smaller embedded models have, of the smallest that has each."""
    held = sorted((len(content := read_embedded(name)), name, content) for name in embedded_versions())
    smaller = {name: content for size, name, content in held if size < len(whole)}
    weights = [weight.raw_data for weight in onnx.load_from_string(whole).graph.initializer]
    return cut(whole, [data for data in weights if len(data) >= 1024], smaller)


def save_norms(weights: Path, card: ModelCard, target: Path) -> None:
    """The tensors of a network's batch normalisation, float32, with the card of its ONNX file."""
    network, _ = load_network(weights)
    norms = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    found = {f"{name}.{key}": tensor for name, layer in norms for key, tensor in layer.state_dict().items()}
    save_tensors(target, found, card.to_json())


if __name__ == "__main__":
    main()

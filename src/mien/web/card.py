"""The model card as JSON beside a model file: in browsers onnxruntime does not show a file's own metadata."""

import json
from typing import Any

from mien.model.onnx_model import Bundle
from mien.output.colours import colours_of
from mien.version import __version__


def web_card(bundle: Bundle) -> dict[str, Any]:
    """What a browser must know of a model: its card, hash, interface and colours, as values of JSON."""
    return {
        **json.loads(bundle.card.to_json()),
        "sha256": bundle.sha256,
        "mien": __version__,
        "interface": bundle.interface,
        "colours": {name: f"#{bytes(colour).hex()}" for name, colour in colours_of(bundle.card.labels).items()},
    }

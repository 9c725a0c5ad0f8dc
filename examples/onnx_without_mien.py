"""Read expressions with a model file and onnxruntime alone, as a program in any language would.

python examples/onnx_without_mien.py MODEL.onnx FACE.png [FACE.png ...]

Each picture must already be a face, framed as FER2013 frames them. Everything else stands in the file's metadata.
"""

import json
import sys

import numpy as np
import onnxruntime as ort
from PIL import Image


def opened(model):
    """The session of a model file, and what stands in its metadata."""
    try:
        session = ort.InferenceSession(model)
        return session, json.loads(session.get_modelmeta().custom_metadata_map["mien"])
    except KeyError:
        sys.exit(f"{model}: a model without mien's metadata; name a file that `mien export` wrote")
    except Exception as error:  # onnxruntime has one of its own for each reason
        sys.exit(f"{model}: not a model that onnxruntime loads ({str(error).splitlines()[0]})")


def read(path, side):
    """A picture, float32 (side, side), 0..255."""
    try:
        return np.asarray(Image.open(path).convert("L").resize((side, side)), np.float32)
    except OSError as error:
        sys.exit(f"{path}: not a picture that can be read ({error})")


def main():
    if len(sys.argv) < 3:
        sys.exit(f"usage: python {sys.argv[0]} MODEL.onnx FACE.png [FACE.png ...]")
    session, card = opened(sys.argv[1])
    spec = card["preprocess"]
    frame, size = spec["frame_size"], spec["input_size"]
    corner = (frame - size) // 2
    for path in sys.argv[2:]:
        grey = read(path, frame)
        window = grey[corner : corner + size, corner : corner + size]
        face = (window / 255 - spec["mean"]) / spec["std"]
        logits = session.run(None, {session.get_inputs()[0].name: face[None, None].astype(np.float32)})[0][0]
        scaled = np.exp((logits - logits.max()) / card["temperature"])
        likely = int(scaled.argmax())
        print(f"{path}: {card['labels'][likely]} {scaled[likely] / scaled.sum():.3f}")


if __name__ == "__main__":
    main()

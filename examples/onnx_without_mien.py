"""Read expressions with a model file and onnxruntime alone, as a program in any language would.

python examples/onnx_without_mien.py MODEL.onnx FACE.png [FACE.png ...]

Each picture must already be a face, framed as FER2013 frames them. Everything else stands in the file's metadata.
"""

import json
import sys

import numpy as np
import onnxruntime as ort
from PIL import Image


def main():
    session = ort.InferenceSession(sys.argv[1])
    card = json.loads(session.get_modelmeta().custom_metadata_map["mien"])
    spec = card["preprocess"]
    frame, size = spec["frame_size"], spec["input_size"]
    corner = (frame - size) // 2
    for path in sys.argv[2:]:
        grey = np.asarray(Image.open(path).convert("L").resize((frame, frame)), np.float32)
        window = grey[corner : corner + size, corner : corner + size]
        face = (window / 255 - spec["mean"]) / spec["std"]
        logits = session.run(None, {session.get_inputs()[0].name: face[None, None].astype(np.float32)})[0][0]
        scaled = np.exp((logits - logits.max()) / card["temperature"])
        likely = int(scaled.argmax())
        print(f"{path}: {card['labels'][likely]} {scaled[likely] / scaled.sum():.3f}")


if __name__ == "__main__":
    main()

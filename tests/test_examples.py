import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from mien.labels import EMOTIONS
from mien.model.onnx_model import Bundle

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_a_program_without_mien_reads_the_same(write_linear_model, tmp_path):
    model = write_linear_model(tmp_path / "linear.onnx")
    face = np.random.default_rng(2).integers(0, 256, (16, 16), np.uint8)
    Image.fromarray(face).save(tmp_path / "face.png")
    script = EXAMPLES / "onnx_without_mien.py"
    done = subprocess.run(
        [sys.executable, script, model, tmp_path / "face.png"], capture_output=True, text=True, check=True
    )
    probabilities = Bundle.load(model).probabilities(face[None])[0]
    likely = int(probabilities.argmax())
    assert done.stdout == f"{tmp_path / 'face.png'}: {EMOTIONS[likely]} {probabilities[likely]:.3f}\n"

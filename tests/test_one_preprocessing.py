"""The same faces through every path of the package: the network must see the same numbers."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from mien.data.reading.importing import import_data
from mien.evaluation.measured import MeasuredFaces
from mien.evaluation.tta import views
from mien.model.onnx_model import Bundle
from mien.preprocess import PreprocessSpec
from mien.recognition.recognizer import Recognizer
from mien.training.augment import augment
from mien.training.augment_config import AugmentConfig

FACES = np.random.default_rng(0).integers(0, 256, (7, 48, 48), np.uint8)
STILL = AugmentConfig(flip=0, rotate=0, scale=0, shift=0, brightness=0, contrast=0, erase=0)


@pytest.fixture
def store(tmp_path):
    """The faces as PublicTest rows, imported from a csv."""
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels", "Usage"])
        rows.writerows([label, " ".join(map(str, face.ravel())), "PublicTest"] for label, face in enumerate(FACES))
    return import_data(tmp_path / "faces.csv", tmp_path / "store")


@pytest.mark.parametrize(("input_size", "corner"), [(44, 2), (48, 0), (40, 4), (43, 2)])
def test_training_selection_and_evaluation_see_the_closed_form(store, input_size, corner):
    spec = PreprocessSpec(input_size=input_size, mean=0.4, std=0.3)
    window = slice(corner, corner + input_size)
    expected = (FACES[:, None, window, window] / 255 - 0.4) / 0.3
    measured = MeasuredFaces.of(spec, store, np.arange(len(FACES)), torch.device("cpu"))
    seen = {
        "training": augment(torch.from_numpy(np.array(store.faces)), STILL, spec, input_size).numpy(),
        "choosing the epoch": measured.inputs.numpy(),
        "evaluation": next(iter(views(store.faces, spec, "none"))),
        "model file": spec.apply(store.faces),
    }
    for path, inputs in seen.items():
        np.testing.assert_allclose(inputs, expected, atol=1e-4, err_msg=path)


def test_a_picture_gives_the_numbers_of_its_row(store, tmp_path):
    model = Bundle.load()
    expected = model.probabilities(store.faces)
    for row, face in enumerate(FACES):
        Image.fromarray(face).save(tmp_path / f"{row}.png")
    pictures = [tmp_path / f"{row}.png" for row in range(len(FACES))]
    for found, wanted in zip(Recognizer(detector="none").predict_batch(pictures), expected, strict=True):
        np.testing.assert_allclose(list(found[0].probabilities.values()), wanted, atol=1e-6)

"""What a stranger builds on the public names alone: each in a file of at most 30 lines, outside the package."""

import importlib.util
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien

HERE = Path(__file__).parent


def extension(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clip(tmp_path, write_clip, stage):
    return write_clip(tmp_path / "clip.mp4", [stage((0, 100 + number, 60)) for number in range(12)])


@pytest.mark.parametrize("name", ["happiest_face", "median", "bright_square"])
def test_it_is_short_and_uses_public_names_only(name):
    source = (HERE / f"{name}.py").read_text()
    assert len(source.splitlines()) <= 30
    assert "from mien" not in source
    assert "mien._" not in source
    used = {part.split("(")[0].split(":")[0].strip(").\n") for part in source.split("mien.")[1:]}
    assert used <= set(mien.__all__)


def test_a_sink_takes_pictures_and_videos(tmp_path, clip):
    sink = extension("happiest_face").HappiestFace(tmp_path / "best.png")
    with sink:
        for recognized in mien.Recognizer().watch(clip):
            sink.add(recognized)
    width, height = Image.open(tmp_path / "best.png").size
    boxes = [face.box for frame in mien.Recognizer().stream(clip) for face in frame.faces]
    assert (width, height) in {(box.width, box.height) for box in boxes}


def test_a_smoothing_steadies_a_video(clip):
    """The oracle: the median of the raw readings, written down once more."""
    recognizer = mien.Recognizer()
    raw = [list(frame.faces[0].probabilities.values()) for frame in recognizer.stream(clip, smooth="none")]
    found = [frame.faces[0] for frame in recognizer.stream(clip, smooth=extension("median").Median)]
    for number, face in enumerate(found):
        middle = np.median(raw[max(0, number - 4) : number + 1], axis=0)
        np.testing.assert_allclose(list(face.probabilities.values()), middle / middle.sum())


def test_a_detector_finds_faces_in_pictures_and_videos():
    image = np.full((90, 120, 3), 20, np.uint8)
    image[30:70, 50:90] = 220
    detector = extension("bright_square").BrightSquare()
    (face,) = mien.analyze(image, detector=detector)
    assert tuple(face.box) == (50, 30, 40, 40)
    assert face.confidence == 0.9
    recognizer = mien.Recognizer(detector=detector)
    assert repr(recognizer) == "Recognizer(mien_s, BrightSquare, min_confidence 0.6)"
    assert recognizer.header.options["detector"] == "BrightSquare"
    with pytest.raises((pickle.PicklingError, ImportError, AttributeError)):  # its module is not to be imported by name
        pickle.dumps(recognizer)

import os
import subprocess
import sys
from importlib import metadata

import pytest
from skimage import data

import mien
from mien.inference import recognizer
from waiting import HANG


def test_the_public_names_are_these():
    assert sorted(mien.__all__) == ["EMOTIONS", "Face", "MienError", "Recognizer", "__version__", "analyze"]


def test_every_public_name_exists_and_is_listed():
    for name in mien.__all__:
        assert getattr(mien, name) is not None
        assert name in dir(mien)
    assert mien.Recognizer is recognizer.Recognizer
    assert mien.analyze is recognizer.analyze


def test_public_things_are_documented():
    for thing in (mien, mien.Face, mien.MienError, mien.Recognizer, mien.Recognizer.predict, mien.analyze):
        assert thing.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'mien' has no attribute 'analyse'"):
        mien.analyse  # noqa: B018


def test_the_version_is_that_of_the_distribution():
    assert mien.__version__ == metadata.version("mien")


def test_importing_mien_loads_nothing_heavy():
    code = "import sys, mien; print([m for m in ('numpy', 'cv2', 'onnxruntime', 'PIL', 'torch') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert result.stdout.strip() == "[]"


def test_analyze_uses_the_embedded_model():
    (face,) = mien.analyze(data.astronaut())
    assert face.emotion == "happy"
    assert mien.analyze(data.astronaut()) == [face]


def test_predicting_leaves_nothing_in_the_home_folder(tmp_path):
    script = "import mien, numpy as np; mien.analyze(np.zeros((64, 64, 3), np.uint8))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", script], check=True, env={**kept, "HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []

import copy
import doctest
import os
import pickle
import subprocess
import sys
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data

import mien
from mien.faces.haar import HaarDetector
from mien.faces.whole_image import WholeImage
from mien.faces.yunet import YuNetDetector
from mien.model.embedded import versioned_name
from waiting import HANG

NAMES = {
    *("EMOTIONS", "Box", "Detection", "Detector", "Episode", "Explanation", "Face", "Frame", "MienError"),
    *("Recognized", "Recognizer", "Sink", "Smoothing", "VideoImage", "VideoSource", "__version__"),
    *("analyze", "annotate", "find_episodes", "recognize", "summarize", "to_pandas"),
}


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


def test_the_public_names_are_these_and_nothing_else_is_listed():
    assert set(mien.__all__) == NAMES
    assert len(mien.__all__) == len(NAMES)
    assert dir(mien) == sorted(NAMES)


def test_the_examples_in_docstrings_run():
    """Those that the reference shows, and no fewer."""
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    examples = [found for name in sorted(NAMES) for found in finder.find(getattr(mien, name), name) if found.examples]
    assert len(examples) >= 8
    for example in examples:
        assert runner.run(example).failed == 0


def test_every_public_name_exists_and_is_documented():
    for name in NAMES - {"EMOTIONS", "__version__"}:
        assert getattr(mien, name).__doc__
    assert mien.__doc__
    for method in (name for name in vars(mien.Recognizer) if not name.startswith("_")):
        assert getattr(mien.Recognizer, method).__doc__


def test_importing_every_name_with_a_star_works():
    script = "from mien import *; print(Recognizer, recognize, Sink)"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=HANG)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'mien' has no attribute 'analyse'"):
        mien.analyse  # noqa: B018


def test_the_version_is_that_of_the_distribution():
    assert mien.__version__ == metadata.version("mien")


def test_importing_mien_loads_nothing_heavy():
    code = "import sys, mien; print([m for m in ('numpy', 'cv2', 'onnxruntime', 'PIL', 'torch') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert result.stdout.strip() == "[]"


def test_recognizing_and_analyzing_find_the_same_faces(astronaut):
    recognized = mien.recognize(astronaut)
    assert mien.analyze(astronaut) == list(recognized.faces) == mien.Recognizer().predict(astronaut)
    assert recognized.faces[0].emotion == "happy"
    assert (recognized.frame.width, recognized.frame.height) == (512, 512)
    np.testing.assert_array_equal(recognized.image, astronaut)


def test_a_picture_is_called_by_its_name(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (60, 50)).save(path)
    names = [mien.recognize(picture).frame.source for picture in (path, str(path), path.read_bytes(), Image.open(path))]
    assert names == [str(path), str(path), "picture", str(path)]


def test_options_choose_the_recognizer(astronaut):
    whole = mien.recognize(astronaut, detector="none")
    assert tuple(whole.faces[0].box) == (0, 0, 512, 512)
    assert mien.analyze(astronaut, min_confidence=1.0) == []
    with pytest.raises(mien.MienError, match="unknown face detector"):
        mien.recognize(astronaut, detector="mtcnn")


def test_a_detector_that_cannot_be_hashed_is_taken_too(astronaut):
    class Halves(list):
        def detect(self, image):
            return [mien.Detection((0.0, 0.0, image.shape[1] / 2, image.shape[0]), 1.0)]

    assert tuple(mien.recognize(astronaut, detector=Halves()).faces[0].box) == (0, 0, 256, 512)


def test_a_model_file_that_was_written_anew_is_loaded_anew(tmp_path, write_linear_model, linear_weights):
    face = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    path = write_linear_model(tmp_path / "model.onnx")
    before = mien.analyze(face, model=path, detector="none")
    linear_weights[:] = -linear_weights
    write_linear_model(path)
    os.utime(path, ns=(0, 0))
    assert mien.analyze(face, model=path, detector="none") != before


def test_a_recognized_picture_is_drawn_and_saved(tmp_path, astronaut):
    recognized = mien.recognize(astronaut)
    np.testing.assert_array_equal(recognized.annotated(), mien.annotate(astronaut, recognized.faces))
    for result in (recognized, recognized.frame):
        np.testing.assert_array_equal(mien.annotate(astronaut, result), recognized.annotated())
    saved = recognized.save(tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(saved)), recognized.annotated())
    assert Image.open(recognized.save(str(tmp_path / "a.JPG"))).format == "JPEG"
    with pytest.raises(mien.MienError, match=r"\.png or \.jpg"):
        recognized.save(tmp_path / "a.bmp")
    with pytest.raises(mien.MienError, match="cannot be written"):
        recognized.save(tmp_path / "missing" / "a.png")


@pytest.mark.parametrize("image", ["photo.jpg", np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8)])
def test_only_pixels_are_annotated(image):
    with pytest.raises(mien.MienError, match="expected an array of uint8"):
        mien.annotate(image, [])


def test_results_become_a_table(astronaut):
    recognized = mien.recognize(astronaut)
    table = recognized.to_pandas()
    assert table["emotion"].tolist() == ["happy"]
    pd.testing.assert_frame_equal(table, mien.to_pandas(recognized.frame))
    assert len(mien.to_pandas([recognized, recognized.frame])) == 2
    assert recognized.to_dict() == recognized.frame.to_dict()


def test_a_table_says_what_it_comes_from(astronaut, tmp_path):
    one = mien.Recognizer(detector="none")
    table = mien.to_pandas([one.recognize(astronaut), one.recognize(astronaut), mien.recognize(astronaut)])
    first, second = table.attrs["mien"]
    assert first == one.header.to_dict()
    assert first["model"] == {"name": versioned_name("mien_s"), "sha256": one.classifier.sha256}
    assert (first["options"]["detector"], second["options"]["detector"]) == ("none", "yunet")
    frames = one.stream([save_as_png(astronaut, tmp_path / "a.png")], smooth="mode")
    assert mien.to_pandas(frames).attrs["mien"][0]["options"]["smooth"] == "mode"


def save_as_png(image, path):
    Image.fromarray(image).save(path)
    return path


def test_what_is_printed_is_short(astronaut, tmp_path, write_linear_model):
    recognized = mien.recognize(astronaut)
    assert repr(recognized) == f"Recognized(512x512, Frame('picture', faces=[{recognized.faces[0]}]))"
    assert repr(mien.Recognizer()) == "Recognizer(mien_s, yunet, min_confidence 0.6)"
    newest = versioned_name("mien_s")
    assert repr(mien.Recognizer(detector=WholeImage()).classifier) == f"Bundle({newest}, 883,035 parameters)"


NOTEBOOK_CELLS = ["import mien; from skimage import data", "mien.recognize(data.astronaut())", "mien.Recognizer()"]


def test_a_notebook_shows_the_annotated_picture(astronaut, tmp_path):
    """Run by a real kernel, as a user would."""
    import io
    from base64 import b64decode

    import nbformat

    from kernels import execute

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in NOTEBOOK_CELLS])
    execute(notebook, tmp_path)
    shown, described = (cell.outputs[0].data for cell in notebook.cells[1:])
    picture = np.asarray(Image.open(io.BytesIO(b64decode(shown["image/png"]))))
    np.testing.assert_array_equal(picture, mien.recognize(astronaut).annotated())
    assert shown["text/plain"].startswith("Recognized(512x512")
    assert described["text/plain"] == "Recognizer(mien_s, yunet, min_confidence 0.6)"


def test_a_large_picture_is_shown_small():
    import io

    shown = mien.recognize(np.zeros((1000, 3000), np.uint8))._repr_png_()
    assert Image.open(io.BytesIO(shown)).size == (1024, 341)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
@pytest.mark.parametrize("detector", ["yunet", YuNetDetector(min_score=0.5), HaarDetector(neighbours=4), WholeImage()])
def test_a_recognizer_can_be_copied_and_sent(again, detector, astronaut):
    recognizer = mien.Recognizer(detector=detector, min_confidence=0.7)
    assert again(recognizer).predict(astronaut) == recognizer.predict(astronaut)
    assert repr(again(recognizer)) == repr(recognizer)


def test_a_copy_finds_its_model_file_from_another_folder(tmp_path, monkeypatch, write_linear_model, astronaut):
    write_linear_model(tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    recognizer = mien.Recognizer("model.onnx")
    sent = pickle.dumps(recognizer)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pickle.loads(sent).predict(astronaut) == recognizer.predict(astronaut)


def test_a_bundle_can_be_copied_and_sent():
    bundle = mien.Recognizer().classifier
    faces = np.random.default_rng(0).integers(0, 256, (5, 48, 48), np.uint8)
    for again in (copy.deepcopy(bundle), pickle.loads(pickle.dumps(bundle))):
        np.testing.assert_array_equal(again.probabilities(faces), bundle.probabilities(faces))
        assert again.sha256 == bundle.sha256


def test_a_copy_computes_with_as_many_threads():
    recognizer = mien.Recognizer(threads=3)
    for again in (copy.deepcopy(recognizer), pickle.loads(pickle.dumps(recognizer))):
        bundle = copy.deepcopy(again.classifier)
        for session in (again.classifier._session, bundle._session):
            assert session.get_session_options().intra_op_num_threads == 3


POOL = """
import multiprocessing, sys
import mien
from skimage import data

recognizer = mien.Recognizer(threads=2)
expected = recognizer.predict_batch([data.astronaut()] * 8)
with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
    found = pool.map(recognizer.predict_batch, [[data.astronaut()] * 8] * 3)
assert found == [expected] * 3
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_recognizer_works_in_other_processes(method):
    """One that has been at work before, so that its threads exist; a fork does not take them along.

    Nor those of other tests, whose locks it might find held: hence a process of its own.
    """
    subprocess.run([sys.executable, "-c", POOL, method], check=True, timeout=HANG)


def test_predicting_leaves_nothing_in_the_home_folder(tmp_path):
    script = "import mien, numpy as np; mien.analyze(np.zeros((64, 64, 3), np.uint8))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    subprocess.run([sys.executable, "-c", script], check=True, env={**kept, "HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_the_picture_itself_is_never_written_over(tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(photo)
    before = photo.read_bytes()
    with pytest.raises(mien.MienError, match="is the picture itself"):
        mien.recognize(photo).save(photo)
    assert photo.read_bytes() == before

"""Networks of somebody else, described by a TOML beside them."""

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from scipy import special

from mien.data.store import FaceStore
from mien.errors import ConfigError, ModelFileError
from mien.labels import EMOTIONS, FERPLUS_EMOTIONS
from mien.model.foreign import Description, Interface, classes_and_columns
from mien.model.onnx_model import Bundle
from waiting import HANG

FER_PLUS = ["Neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]
"""FER+'s classes in its own order."""
TO_MIEN = [4, 5, 6, 1, 3, 2, 0, 7]
"""Where mien's eight stand in it."""
WITHOUT_CONTEMPT = 'leave_out = ["contempt"]\n'
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SIDE = 16

TOML = f"""
labels = {json.dumps(FER_PLUS)}
channels = 3
layout = "nhwc"
outputs = "logits"

[preprocess]
frame_size = {SIDE}
input_size = {SIDE}
mean = {MEAN.tolist()}
std = {STD.tolist()}
"""


def described(**replaced):
    """The text of TOML with lines replaced; None removes a line."""
    lines = TOML.splitlines()
    for key, value in replaced.items():
        at = next(number for number, line in enumerate(lines) if line.startswith(f"{key} ="))
        lines[at] = "" if value is None else f"{key} = {value}"
    return "\n".join(lines)


@pytest.fixture
def weights():
    return np.random.default_rng(3).normal(0, 0.03, (SIDE * SIDE * 3, len(FER_PLUS))).astype(np.float32)


def write_network(path, weights, *, shape=(SIDE, SIDE, 3), batch="n", softmax=False, element=TensorProto.FLOAT):
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    stored = weights.astype(helper.tensor_dtype_to_np_dtype(element))
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("x", element, [batch, *shape])],
        [helper.make_tensor_value_info(nodes[-1].output[0], element, [batch, weights.shape[1]])],
        [numpy_helper.from_array(stored, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture
def theirs(tmp_path, weights):
    """A described network: three channels, channel last, FER+'s classes."""
    (tmp_path / "theirs.toml").write_text(TOML)
    return write_network(tmp_path / "theirs.onnx", weights)


def faces_of(n):
    return np.random.default_rng(8).integers(0, 256, (n, SIDE, SIDE), np.uint8)


def their_logits(faces, weights):
    """What their own code would compute: grey repeated, scaled per channel, flattened, multiplied."""
    pictures = np.repeat(faces[..., None], 3, axis=3) / 255.0
    return ((pictures - MEAN) / STD).reshape(len(faces), -1) @ weights.astype(np.float64)


def test_logits_come_in_miens_order_contempt_last(theirs, weights):
    faces = faces_of(70)
    assert Bundle.load(theirs).card.labels == FERPLUS_EMOTIONS
    expected = their_logits(faces, weights)[:, TO_MIEN]
    np.testing.assert_allclose(Bundle.load(theirs).logits(faces), expected, atol=1e-4)


def test_channels_first_is_the_same_network_with_its_weights_turned(tmp_path, theirs, weights):
    turned = weights.reshape(SIDE, SIDE, 3, -1).transpose(2, 0, 1, 3).reshape(weights.shape)
    first = write_network(tmp_path / "first.onnx", turned, shape=(3, SIDE, SIDE))
    (tmp_path / "first.toml").write_text(described(layout='"nchw"'))
    faces = faces_of(5)
    np.testing.assert_allclose(Bundle.load(first).logits(faces), Bundle.load(theirs).logits(faces), atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_probabilities_are_renormalised_without_what_is_left_out(tmp_path, weights, temperature):
    path = write_network(tmp_path / "p.onnx", weights, softmax=True)
    (tmp_path / "p.toml").write_text(
        f"temperature = {temperature}\n{WITHOUT_CONTEMPT}" + described(outputs='"probabilities"')
    )
    kept = special.softmax(their_logits(faces_of(9), weights), axis=1)[:, TO_MIEN[:7]]
    expected = kept ** (1 / temperature)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Bundle.load(path).probabilities(faces_of(9)), expected, atol=1e-5)


def test_probabilities_of_zero_stay_finite(tmp_path, weights):
    path = write_network(tmp_path / "p.onnx", weights * 5000, softmax=True)
    (tmp_path / "p.toml").write_text(described(outputs='"probabilities"'))
    bundle = Bundle.load(path)
    assert np.isfinite(bundle.logits(faces_of(20))).all()
    np.testing.assert_allclose(bundle.probabilities(faces_of(20)).sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("n", [1, 4, 10])
def test_a_network_for_a_fixed_number_of_faces_is_filled_up(tmp_path, theirs, weights, n):
    fixed = write_network(tmp_path / "fixed.onnx", weights, batch=4)
    (tmp_path / "fixed.toml").write_text(TOML)
    faces = faces_of(n)
    np.testing.assert_allclose(Bundle.load(fixed).logits(faces), Bundle.load(theirs).logits(faces), atol=1e-5)


def test_the_embedded_model_stripped_of_its_metadata_and_described_answers_the_same(tmp_path):
    own = Bundle.load("mien_s-1")
    model = onnx.load_from_string((resources.files("mien.model") / "weights" / "mien_s-1.onnx").read_bytes())
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "stripped.onnx")
    spec = own.card.preprocess
    (tmp_path / "stripped.toml").write_text(
        f'name = "mine"\nlabels = {json.dumps(list(EMOTIONS))}\nchannels = 1\nlayout = "nchw"\noutputs = "logits"\n'
        f"temperature = {own.card.temperature}\n[preprocess]\nframe_size = {spec.frame_size}\n"
        f"input_size = {spec.input_size}\nmean = {spec.mean}\nstd = {spec.std}\n"
    )
    stripped = Bundle.load(tmp_path / "stripped.onnx")
    np.testing.assert_array_equal(stripped.probabilities(faces_of(8)), own.probabilities(faces_of(8)))
    assert (stripped.card.name, stripped.card.network, stripped.card.licence) == ("mine", "unknown", "unknown")


def test_metadata_in_the_file_wins_over_a_toml_beside_it(tmp_path, write_linear_model, linear_card):
    (tmp_path / "m.toml").write_text("a recipe, perhaps")
    assert Bundle.load(write_linear_model(tmp_path / "m.onnx")).card == linear_card


def test_a_file_without_either_names_the_toml_it_needs(tmp_path, weights):
    path = write_network(tmp_path / "bare.onnx", weights)
    with pytest.raises(ModelFileError, match=r"bare\.onnx: .*without mien's metadata.*describe it in .*bare\.toml"):
        Bundle.load(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("labels = [", "not a TOML file"),
        (described(layout=None), "key layout is missing: expected one of nchw, nhwc"),
        (described(std=None), r"key preprocess\.std is missing: expected a number, or a list of one for each channel"),
        (
            "chanels = 3\n" + TOML,
            r"unknown key chanels \(did you mean 'channels'\?\): expected one of channels",
        ),
        (TOML + "scale = 2", r"unknown key preprocess\.scale: expected one of blur, channels, equalize, face_size"),
        (described(layout='"NCHW"'), "layout is 'NCHW': expected one of nchw, nhwc"),
        (described(outputs="3"), "outputs is 3"),
        (described(channels="4"), "channels is 4: expected one of 1, 3"),
        (described(channels="true"), "channels is True"),
        (described(channels="1"), r"preprocess\.mean is .*: expected a number, or a list of one for each channel"),
        (described(mean="[0.5, 0.5]"), r"preprocess\.mean"),
        (described(std="[0.2, 0.2, 0.0]"), r"preprocess\.std is 0\.0: expected more than 0 and at most 1"),
        (described(std='"wide"'), r"preprocess\.std is 'wide'"),
        (described(frame_size='"16"'), "frame_size is '16'"),
        (described(input_size="20"), "input_size is 20: expected 8..16"),
        (described(labels='"angry"'), "labels is 'angry': expected a list"),
        (described(labels='["angry"]'), r"labels are \['angry'\]: 1 class \(angry\): expected 2..100 distinct ones"),
        (described(labels='["calm", "calm"]'), r"class names 'calm' and 'calm' are the same: expected each once"),
        ('leave_out = ["scorn"]\n' + TOML, "leave_out names scorn: expected some of labels, Neutral, happiness"),
        (described(labels=json.dumps([*FER_PLUS, "sad"])), "labels name sad twice"),
        ("temperature = 0\n" + TOML, "temperature is 0"),
        ("temperature = nan\n" + TOML, "temperature is nan"),
        ("name = 3\n" + TOML, "name is 3"),
        ('name = "a\\nb"\n' + TOML, r"name is 'a\\nb': expected printable"),
        (described(outputs='"logits"\npreprocess = 3').partition("[preprocess]")[0], "expected a section"),
    ],
)
def test_a_wrong_description_is_refused_by_key(theirs, text, words):
    with pytest.raises(ConfigError, match=words):
        Description.from_toml(text)
    theirs.with_suffix(".toml").write_text(text)
    with pytest.raises(ModelFileError, match=words) as caught:
        Bundle.load(theirs)
    assert "theirs.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"layout": '"nchw"'}, {"input_size": "12"}, {"labels": json.dumps(FER_PLUS[:-1])}])
def test_a_description_of_another_network_is_refused(theirs, changes):
    theirs.with_suffix(".toml").write_text(described(**changes))
    with pytest.raises(
        ModelFileError, match=r"theirs\.onnx: maps .*16, 16, 3.* expected .*as .*theirs\.toml says; mend"
    ):
        Bundle.load(theirs)


def test_a_network_of_other_numbers_than_float32_is_refused(tmp_path, weights):
    path = write_network(tmp_path / "double.onnx", weights, element=TensorProto.DOUBLE)
    path.with_suffix(".toml").write_text(TOML)
    with pytest.raises(ModelFileError, match=r"double \['n', 16, 16, 3\].*all float"):
        Bundle.load(path)


def test_logits_said_to_be_probabilities_are_refused(theirs):
    theirs.with_suffix(".toml").write_text(described(outputs='"probabilities"'))
    with pytest.raises(ModelFileError, match=r'not probabilities .* set outputs = "logits"'):
        Bundle.load(theirs).logits(faces_of(3))


def test_sizes_left_open_are_checked_when_the_network_runs(tmp_path, weights):
    path = write_network(tmp_path / "open.onnx", weights, shape=("h", "w", 3))
    path.with_suffix(".toml").write_text(described(frame_size="20", input_size="20"))
    with pytest.raises(ModelFileError, match=r"open\.onnx: the network fails on inputs \(2, 1, 20, 20\)") as caught:
        Bundle.load(path).logits(faces_of(2))
    assert "\n" not in str(caught.value)


def test_another_number_of_outputs_than_labels_is_refused():
    with pytest.raises(ModelFileError, match=r"theirs: its outputs are \(2, 8\): expected \(N, 7\)"):
        Interface(labels=tuple(FER_PLUS[:-1])).logits(np.zeros((2, 8), np.float32), "theirs")


def test_columns_are_found_by_alias_number_and_case():
    names = ("6", "Surprised", "SAD", "happiness", " fear", "2nd", "disgust", "anger")
    assert classes_and_columns(names, ("2nd",)) == (EMOTIONS, (7, 6, 4, 3, 2, 1, 0))


def test_classes_that_are_no_known_set_stay_as_they_are():
    assert classes_and_columns(("高兴", "happy", "难过")) == (("高兴", "happy", "难过"), (0, 1, 2))
    assert classes_and_columns((*EMOTIONS, "calm"), ("sad",))[0] == (
        *(name for name in EMOTIONS if name != "sad"),
        "calm",
    )


def mien(*arguments):
    command = [sys.executable, "-c", "from mien.cli.main import run; run()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)


def test_evaluate_takes_it_as_a_user_would(theirs, weights, small_store):
    theirs.with_suffix(".toml").write_text(WITHOUT_CONTEMPT + TOML)
    done = mien("evaluate", theirs, "--data", small_store, "--usage", "PublicTest", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    store = FaceStore.open(small_store)
    reduced = np.stack([np.asarray(Image.fromarray(face).reduce(3)) for face in store.faces[60:]])
    expected = their_logits(reduced, weights)[:, TO_MIEN[:7]].argmax(axis=1) == store.labels[60:]
    # Pillow rounds a mean of nine pixels where OpenCV does not always: one answer may flip.
    assert abs(json.loads(done.stdout)["accuracy"] - expected.mean()) <= 1.5 / 90


def test_predict_takes_it_and_says_what_is_wrong_in_one_line(theirs, weights, tmp_path):
    face = np.random.default_rng(2).integers(0, 256, (48, 48), np.uint8)
    Image.fromarray(face).save(tmp_path / "face.png")
    arguments = ["predict", tmp_path / "face.png", "--detector", "none", "--format", "json", "--model", theirs]
    done = mien(*arguments)
    assert done.returncode == 0, done.stderr
    assert all(emotion in done.stdout for emotion in FERPLUS_EMOTIONS)
    theirs.with_suffix(".toml").write_text("chanels = 3\n" + TOML)
    done = mien(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "unknown key chanels" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_example_of_the_guide_is_a_description():
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "evaluation.md").read_text(encoding="utf-8")
    example = Description.from_toml(guide.partition("```toml\n")[2].partition("```")[0])
    assert example.name == "their network"
    assert example.interface.input_shape(example.preprocess.input_size) == (3, 224, 224)

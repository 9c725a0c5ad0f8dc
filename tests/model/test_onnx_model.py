import hashlib
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from mien.errors import ConfigError, ModelFileError
from mien.labels import EMOTIONS
from mien.model.card import ModelCard
from mien.model.embedded import embedded_models, embedded_versions, versioned_name
from mien.model.onnx_model import Bundle, softmax
from mien.preprocess import PreprocessSpec


@pytest.fixture
def path(tmp_path, write_linear_model):
    return write_linear_model(tmp_path / "model.onnx")


def random_faces(n, side=48):
    return np.random.default_rng(1).integers(0, 256, (n, side, side), np.uint8)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_logits_are_those_of_the_network(path, linear_weights, linear_card, n):
    faces = random_faces(n)
    expected = linear_card.preprocess.apply(faces).reshape(n, -1).astype(np.float64) @ linear_weights
    logits = Bundle.load(path).logits(faces)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_probabilities_are_calibrated_and_sum_to_one(path):
    bundle, faces = Bundle.load(path), random_faces(100)
    probabilities = bundle.probabilities(faces)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(probabilities, special.softmax(bundle.logits(faces) / 1.7, axis=1), atol=1e-6)


def test_a_network_that_gives_no_numbers_is_named(path):
    with pytest.raises(ModelFileError, match=f"{path}: the network gives logits that are not finite"):
        Bundle.load(path).logits_of_input(np.full((1, 1, 12, 12), np.nan, np.float32))


def test_no_faces_give_no_answers(path):
    bundle, none = Bundle.load(path), np.empty((0, 48, 48), np.uint8)
    assert bundle.logits(none).shape == bundle.probabilities(none).shape == (0, 7)


def test_the_card_and_the_hash_are_those_of_the_file(path, linear_card):
    bundle = Bundle.load(path)
    assert bundle.card == linear_card
    assert bundle.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "without mien's metadata"),
        ("{", "not JSON"),
        ("[]", "not JSON"),
        ('{"format": 99}', "not of format 1"),
        ('{"format": 1}', "its metadata: key name is missing: expected text"),
    ],
)
def test_a_file_without_usable_metadata_is_refused(tmp_path, write_linear_model, metadata, words):
    path = write_linear_model(tmp_path / "bad.onnx", metadata=metadata)
    with pytest.raises(ModelFileError, match=words) as caught:
        Bundle.load(path)
    assert str(path) in str(caught.value)
    assert "mien export" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", ["happy", "angry", "Happy"]),
        ("labels", ["happy"]),
        ("labels", "angry"),
        ("labels", None),
        ("temperature", 0),
        ("temperature", "warm"),
        ("preprocess", {"frame_size": 48}),
        ("preprocess", None),
        ("preprocess", 5),
        ("name", 5),
        ("parameters", "many"),
        ("training", []),
        ("unknown", 1),
    ],
)
def test_a_malformed_field_is_refused(linear_card, field, value):
    values = json.loads(linear_card.to_json()) | {field: value}
    with pytest.raises(ConfigError):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize("field", ["name", "network", "parameters", "macs", "preprocess", "labels"])
def test_a_missing_field_is_refused(linear_card, field):
    values = json.loads(linear_card.to_json())
    del values[field]
    with pytest.raises(ConfigError, match=field):
        ModelCard.from_json(json.dumps(values))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_refused(linear_card, constant):
    text = linear_card.to_json().replace('"temperature": 1.7', f'"temperature": {constant}')
    with pytest.raises(ConfigError, match="not JSON"):
        ModelCard.from_json(text)


def test_an_infinite_temperature_is_refused(linear_card):
    with pytest.raises(ConfigError, match="finite"):
        replace(linear_card, temperature=float("inf"))


@given(st.floats(1e-3, 1e3), st.text(min_size=1), st.dictionaries(st.text(), st.integers() | st.text()))
def test_a_card_survives_its_json(temperature, name, training):
    card = ModelCard(
        name=name, network="n", parameters=3, macs=4, preprocess=PreprocessSpec(), temperature=temperature,
        training=training, public_test={"accuracy": 0.67, "n": 3589},
    )  # fmt: skip
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"\x08\x07" * 50])
def test_what_is_no_onnx_file_is_refused(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"x\.onnx: not a usable ONNX file"):
        Bundle.load(tmp_path / "x.onnx")


def test_a_truncated_file_is_refused(tmp_path, path):
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ModelFileError, match=r"cut\.onnx"):
        Bundle.load(tmp_path / "cut.onnx")


@pytest.mark.parametrize("spec", [PreprocessSpec(frame_size=16, input_size=11), PreprocessSpec(input_size=44)])
def test_preprocessing_for_another_network_is_refused(tmp_path, write_linear_model, linear_card, spec):
    path = write_linear_model(tmp_path / "m.onnx", metadata=replace(linear_card, preprocess=spec).to_json())
    with pytest.raises(ModelFileError, match=rf"maps .*12, 12.* expected \[N, 1, {spec.input_size}"):
        Bundle.load(path)


def test_a_network_for_a_fixed_number_of_faces_is_refused(tmp_path, path):
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "one.onnx")
    with pytest.raises(ModelFileError, match="for any N"):
        Bundle.load(tmp_path / "one.onnx")


def test_sizes_that_the_file_leaves_open_are_accepted(tmp_path, path):
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    onnx.save(model, tmp_path / "open.onnx")
    assert Bundle.load(tmp_path / "open.onnx").logits(random_faces(2)).shape == (2, 7)


@pytest.mark.parametrize("model", ["no_such_model", "folder", ""])
def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError, match="no such model file, nor the name of an embedded model"):
        Bundle.load(model)


@pytest.mark.parametrize("name", embedded_models())
def test_of_a_missing_version_the_others_are_named(name):
    there = ", ".join([name, *reversed([version for version in embedded_versions() if version.startswith(f"{name}-")])])
    with pytest.raises(ModelFileError, match=rf"^{name}-99: no such model file, .* embedded model \({there}\)$"):
        Bundle.load(f"{name}-99")


def test_every_embedded_model_loads_and_answers():
    for version in embedded_versions():
        bundle = Bundle.load(version)
        assert bundle.card.name == bundle.source == version
        assert bundle.probabilities(random_faces(2)).shape == (2, len(EMOTIONS))


def test_a_plain_name_means_the_newest_version():
    assert embedded_models() == tuple(dict.fromkeys(version.rpartition("-")[0] for version in embedded_versions()))
    for name in embedded_models():
        newest = next(version for version in embedded_versions() if version.startswith(f"{name}-"))
        assert versioned_name(name) == versioned_name(newest) == newest
        assert Bundle.load(name).sha256 == Bundle.load(newest).sha256
    assert versioned_name("mien_s-0") is None


def test_a_replaced_version_keeps_its_bytes():
    """Results state name and hash: what they name must stay what it was."""
    assert Bundle.load("mien_s-1").sha256.startswith("1f18de1293e200bf")
    assert Bundle.load("mien_l-1").sha256.startswith("5aeeb58ba5589058")


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=7, max_size=7), max_size=5))
def test_softmax_agrees_with_scipy(rows):
    logits = np.asarray(rows, np.float64).reshape(-1, 7)
    np.testing.assert_allclose(softmax(logits), special.softmax(logits, axis=1), atol=1e-12)

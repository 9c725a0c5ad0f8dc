"""Fine-tuning: the parent, the last layer for other classes, the rows that judge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mien.cli.main import app
from mien.data.store import FaceStore, StoreMeta, write_store
from mien.errors import ConfigError, ModelFileError, TrainingError, UsageError
from mien.labels import EMOTIONS
from mien.model.embedded import trainable_models, versioned_name, weights_file
from mien.model.onnx_model import Bundle
from mien.networks import network_entry
from mien.networks.saved import load_network
from mien.training.config import OptimizerConfig
from mien.training.data import TrainingData, rows_held_out
from mien.training.distillation import load_parent, trainable
from mien.training.optimizers import RATE, head_of, make_optimizer
from mien.training.start import with_classes
from mien.training.tuning import tuning_config

WEIGHTS = Path(__file__).parents[2] / "training_queue" / "weights"
OWN = ("happy", "neutral", "yawning")


def own_store(rows=60, *, usages=0, groups=False, classes=OWN):
    random = np.random.default_rng(4)
    labels = (np.arange(rows) % len(classes)).astype(np.uint8)
    faces = random.integers(0, 256, (rows, 48, 48), np.uint8)
    names = np.array([f"person {number % 12}" for number in range(rows)]) if groups else None
    part = np.full(rows, usages, np.uint8)
    return FaceStore(faces, labels, part, StoreMeta(rows, "own", "0" * 64, 2, classes), groups=names)


@pytest.fixture(scope="module")
def parent():
    return load_parent("mien_s-3")


def test_an_embedded_model_has_its_weights_beside_it(parent):
    assert "mien_s-3" in trainable_models()
    assert trainable("mien_s") == weights_file(versioned_name("mien_s"))
    assert parent.provenance["sha256"] == Bundle.load("mien_s-3").sha256
    assert parent.network.head.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mien_l",
            "mien_l: has no weights to train from in the package, since it is the mean of mien_m-2 and mien_m-1 and "
            "mien_s-3: expected one of mien_m-2, mien_m-1, mien_s-3, mien_s-2, a run or a saf",
        ),
        (
            "theirs.onnx",
            r"theirs\.onnx: an ONNX file has no weights to train from: name the run .* or one of .*mien_s-3",
        ),
        ("efficientnet_lite1", "its pretrained weights become one by `mien pretrained efficientnet_lite1 --out effici"),
    ],
)
def test_what_has_no_weights_names_what_has(name, words):
    with pytest.raises(ModelFileError, match=words):
        load_parent(name)


def test_known_classes_keep_their_answers_and_new_ones_begin_at_nothing(parent):
    """By the parent's own logits: those of happy and neutral are the same, that of an unknown class is 0."""
    inputs = torch.from_numpy(parent.card.preprocess.apply(own_store(5).faces))
    with torch.inference_mode():
        theirs, ours = parent.network(inputs), with_classes(parent.network, parent.card, OWN).eval()(inputs)
    known = [EMOTIONS.index("happy"), EMOTIONS.index("neutral")]
    torch.testing.assert_close(ours[:, :2], theirs[:, known])
    assert (ours[:, 2] == 0).all()
    assert with_classes(parent.network, parent.card, EMOTIONS) is parent.network


def test_names_of_emotions_in_other_words_are_known_too(parent):
    inputs = torch.from_numpy(parent.card.preprocess.apply(own_store(3).faces))
    with torch.inference_mode():
        theirs = parent.network(inputs)
        ours = with_classes(parent.network, parent.card, ("Happiness", "Neutral", "Other")).eval()(inputs)
    torch.testing.assert_close(ours[:, :2], theirs[:, [EMOTIONS.index("happy"), EMOTIONS.index("neutral")]])


def test_a_model_without_weights_of_its_own_beside_it_is_unfolded():
    """mien_m-1's lie in its ONNX file, batch normalisation folded into them: both answer alike, and so in training."""
    found, spec = load_parent("mien_m-1"), Bundle.load("mien_m-1").card.preprocess
    inputs = spec.apply(np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8))
    with torch.inference_mode():
        answers = found.network(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(answers, Bundle.load("mien_m-1").logits_of_input(inputs), atol=1e-4)
    assert found.provenance["sha256"] == Bundle.load("mien_m-1").sha256
    with safe_open(WEIGHTS / "mien_m-h100-11.safetensors", "pt") as file:  # what it was exported from
        for name, tensor in found.network.state_dict().items():
            torch.testing.assert_close(tensor, file.get_tensor(name).to(tensor.dtype), rtol=1e-3, atol=2e-4)


def test_the_last_layer_has_a_rate_of_its_own():
    network = network_entry("mien_s").build(3)
    optimizer = make_optimizer(network, OptimizerConfig(name="adamw", body_rate=0.2))
    rates = {parameter: group[RATE] for group in optimizer.param_groups for parameter in group["params"]}
    assert set(rates) == set(network.parameters())
    assert {rates[parameter] for parameter in network.head.parameters()} == {1.0}
    assert {rate for parameter, rate in rates.items() if parameter.shape[:1] != (3,)} == {0.2}
    assert head_of(network) is network.head
    assert len(make_optimizer(network, OptimizerConfig()).param_groups) == 2


def test_the_configuration_follows_parent_and_data(parent):
    config = tuning_config("mien_s-2", own_store(), None, ["epochs=3"])
    assert (config.network, config.initial_weights, config.epochs) == ("mien_s", "mien_s-2", 3)
    assert config.preprocess == parent.card.preprocess
    assert (config.split, config.select_on, config.folds) == ("stratified_folds", "held_out", 5)
    assert tuning_config("mien_s-2", own_store(groups=True), None, []).split == "grouped_folds"
    for people, folds in ((3, 3), (12, 5)):
        few = replace(own_store(), groups=np.array([f"person {number // 3 % people}" for number in range(60)]))
        config = tuning_config("mien_s-2", few, None, [])
        held_out = len(np.unique(few.groups[rows_held_out(few, config)]))
        assert config.folds == folds
        assert people // folds <= held_out <= -(-people // folds)
    judged = tuning_config("mien_s-2", own_store(usages=1), None, [])
    assert (judged.split, judged.select_on) == ("official", "PublicTest")
    with pytest.raises(ConfigError, match="unknown key epoch"):
        tuning_config("mien_s-2", own_store(), None, ["epoch=3"])


def test_one_command_tunes_and_the_card_names_the_parent(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store = own_store(40)
    arrays = store.faces, store.labels, store.usages
    write_store("mine", *arrays, source="own", source_sha256="0" * 64, classes=OWN)
    with pytest.raises(UsageError, match="name a recipe with --recipe, or what to fine-tune with --from"):
        app(["train", "--data", "mine", "--run", "tuned"], standalone_mode=False)
    words = "train --from mien_s-2 --data mine --run tuned --set epochs=1 --set precision=fp32 --set batch_size=16"
    app(words.split(), standalone_mode=False)
    network, card = load_network("tuned")
    assert (card.labels, network.head.out_features) == (OWN, 3)
    told = card.training["initial_weights"]
    sha256 = Bundle.load("mien_s-2").sha256
    assert (told["name"], told["sha256"], told["licence"]) == ("mien_s-2", sha256, "Apache-2.0")
    assert card.training["held_out"]["n"] == 8
    assert "held-out rows (8 faces" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("trained", "judged", "words"),
    [
        (
            [0, 1, 0, 1],
            [0, 1, 2],
            "no Training row that may be used shows yawning: expected some of each of happy, neut",
        ),
        ([0, 1, 0, 1], [0, 1], "no Training row that may be used shows yawning"),
        ([0, 1, 2, 1], [0, 1], "no PublicTest row shows yawning: .* set split=stratified_folds and select_on=held_out"),
    ],
)
def test_classes_in_one_usage_only_are_refused(trained, judged, words):
    labels = np.array([*trained, *judged], np.uint8)
    usages = np.array([0] * len(trained) + [1] * len(judged), np.uint8)
    faces = np.random.default_rng(0).integers(0, 256, (len(labels), 48, 48), np.uint8)
    store = FaceStore(faces, labels, usages, StoreMeta(len(labels), "own", "0" * 64, 2, OWN))
    data = TrainingData(store, store.rows_of("Training"))
    with pytest.raises(TrainingError, match=words):
        data.check_classes("PublicTest")


def test_one_class_is_too_few_and_few_faces_need_fewer_folds():
    for classes, held, words in (
        (
            EMOTIONS,
            [3, 3, 3, 3, 3],
            "all Training rows that may be used show happy: expected at least 2 of angry, disg",
        ),
        (
            OWN,
            [0, 1, 0, 1, 2, 2],
            "no held_out row shows yawning: .* set split=stratified_folds and fewer folds, another",
        ),
    ):
        labels = np.array(held, np.uint8)
        faces = np.random.default_rng(0).integers(0, 256, (len(labels), 48, 48), np.uint8)
        store = FaceStore(faces, labels, np.zeros_like(labels), StoreMeta(len(labels), "own", "0" * 64, 2, classes))
        data = TrainingData(store, np.arange(2, len(labels)), held_out=np.arange(2))
        with pytest.raises(TrainingError, match=words):
            data.check_classes("held_out")

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.data.store import FaceStore
from mien.errors import ConfigError, DataError, DivergedError, ModelFileError, TrainingError
from mien.model.card import ModelCard
from mien.networks import network_entry
from mien.networks.saved import save_network
from mien.preprocess import PreprocessSpec
from mien.training.recipe import load_config
from mien.training.sweep import load_sweep, run_sweep
from mien.training.sweep_checks import check_comparable, check_trainable

GOOD = """
seeds = [3, 1]
set = ["epochs=4", "resolutions=[]"]
[variants.plain]
recipe = "mien_s"
[variants.slow]
recipe = "mien_s"
set = ["epochs=6", "optimizer.learning_rate=0.01"]
"""


def write(tmp_path, text):
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return path


def test_every_variant_is_trained_with_every_seed(tmp_path):
    runs = load_sweep(write(tmp_path, GOOD)).runs
    assert [str(run.folder) for run in runs] == ["plain/seed-3", "plain/seed-1", "slow/seed-3", "slow/seed-1"]
    expected = load_config("mien_s", ["epochs=6", "resolutions=[]", "optimizer.learning_rate=0.01", "seed=1"])
    assert runs[-1].config == expected
    assert (runs[0].config.epochs, runs[0].config.seed) == (4, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = [", "not a TOML file"),
        ("seed = [1]", "unknown key seed"),
        ("seeds = []\n[variants.a]\nrecipe='mien_s'", "seeds is \\[\\]"),
        ("seeds = [0]", "no variants"),
        ("[variants.a]\nset=[]", "key variants.a.recipe is missing: expected the name of a recipe or a TOML file"),
        ("[variants.a]\nrecipe='mien_x'", "variants.a: mien_x: no such recipe.*did you mean 'mien_s'"),
        ("[variants.a]\nrecipe='mien_s'\nepochs=3", "unknown key variants.a.epochs"),
        ("[variants.a]\nrecipe='mien_s'\nset='epochs=3'", "variants.a.set is 'epochs=3'"),
        ("[variants.'comparison.json']\nrecipe='mien_s'", "comparison.json is called like a file that the sweep wr"),
        ("[variants.'Accuracy.SVG']\nrecipe='mien_s'", "Accuracy.SVG is called like a file"),
        ("[variants.'../a']\nrecipe='mien_s'", r"variants\.\.\./a cannot name a folder"),
        ("[variants.'']\nrecipe='mien_s'", r"variants\. cannot name a folder"),
        ("[variants.'/tmp/a']\nrecipe='mien_s'", r"variants\./tmp/a cannot name a folder"),
        ("[variants.a]\nrecipe='mien_s'\nset=['epoch=3']", "unknown key epoch.*did you mean 'epochs'"),
        ("[variants.a]\nrecipe='mien_s'\nset=['network=mien_t']", "variants.a: unknown network.*did you mean 'mien_s'"),
        (
            "[variants.a]\nrecipe='vggnet'\nset=['preprocess.input_size=32']",
            "variants.a: network vggnet does not take faces of 32 px: set preprocess.input_size=48",
        ),
    ],
)
def test_a_bad_sweep_is_refused_before_anything_is_trained(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_sweep(write(tmp_path, text))
    assert str(caught.value).startswith(str(tmp_path))


def test_a_diverging_run_is_recorded_and_not_tried_again(tmp_path):
    calls = []

    def train(config, folder):
        calls.append(str(folder.relative_to(tmp_path)))
        if folder.name == "seed-3":
            raise DivergedError("the loss is nan in epoch 1")

    runs = load_sweep(write(tmp_path, GOOD)).runs
    for _ in range(2):
        errors = [outcome.error for outcome in run_sweep(runs, tmp_path, train)]
        assert errors == ["the loss is nan in epoch 1", None, "the loss is nan in epoch 1", None]
    assert calls == ["plain/seed-3", "plain/seed-1", "slow/seed-3", "slow/seed-1", "plain/seed-1", "slow/seed-1"]


def test_a_failure_of_another_configuration_is_not_taken_for_todays(tmp_path):
    def diverge(config, folder):
        raise DivergedError("the loss is nan in epoch 0")

    list(run_sweep(load_sweep(write(tmp_path, GOOD)).runs, tmp_path, diverge))
    mended = load_sweep(write(tmp_path, GOOD.replace("epochs=4", "epochs=5"))).runs
    with pytest.raises(TrainingError, match=r"plain/seed-3: diverged with another configuration.*remove it"):
        list(run_sweep(mended, tmp_path, diverge))


def test_other_errors_end_the_sweep(tmp_path):
    def train(config, folder):
        raise TrainingError("was started with another configuration")

    with pytest.raises(TrainingError):
        list(run_sweep(load_sweep(write(tmp_path, GOOD)).runs, tmp_path, train))


JUDGED = """
seeds = [0, 1]
set = ["epochs=2", "resolutions=[]", "split=stratified", "select_on=held_out"]
[variants.a]
recipe = "mien_s"
[variants.b]
recipe = "mien_s"
"""


@pytest.fixture
def without_public_test(small_store):
    store = FaceStore.open(small_store)
    return FaceStore(store.faces, store.labels, np.zeros(len(store), np.uint8), store.meta)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("", "", r"a/seed-0 and a/seed-1 would hold out different rows.*split_seed=0"),
        ("split=stratified", "split=ordered_70_30", None),
        ('"split=stratified"', '"split=stratified", "split_seed=7"', None),
        ('"split=stratified", "select_on=held_out"', "", r"variants\.a: small\.csv has no PublicTest rows"),
        ('"select_on=held_out"', '"split_seed=7"', r"variants\.a: small\.csv has no PublicTest rows"),
        ("[variants.b]", '[variants.b]\nset=["split=ordered_70_30"]', "a/seed-0 and a/seed-1 would"),
    ],
)
def test_runs_that_could_not_be_compared_are_refused_before_training(
    tmp_path, without_public_test, small_store, before, after, message
):
    runs = load_sweep(write(tmp_path, JUDGED.replace(before, after))).runs
    check_comparable(runs, FaceStore.open(small_store))
    if message is None:
        check_comparable(runs, without_public_test)
        return
    with pytest.raises(ConfigError, match=message):
        check_comparable(runs, without_public_test)


@pytest.mark.parametrize(
    ("second", "kind", "message"),
    [
        ("epochs=3", TrainingError, r"slow/seed-3: data set of small\.csv: its owners' terms are 'for research'"),
        ("split=grouped_folds", DataError, r"slow/seed-3: data set of small\.csv: no groups for split=grouped_folds"),
        ("loss.targets=ferplus_majority", TrainingError, r"slow/seed-3: .*votes"),
    ],
)
def test_a_run_that_the_data_do_not_serve_is_refused_before_any_is_trained(
    tmp_path, small_store, second, kind, message
):
    store = FaceStore.open(small_store)
    if second == "epochs=3":
        store = replace(store, meta=replace(store.meta, terms="for research"))
    text = GOOD.replace("[variants.slow]", 'set = ["licence=research only"]\n[variants.slow]')
    text = text.replace('"optimizer.learning_rate=0.01"', f'"{second}"')
    runs = load_sweep(write(tmp_path, text)).runs
    check_trainable(runs[:2], store)
    with pytest.raises(kind, match=message):
        check_trainable(runs, store)


def slow_with(*settings):
    """The good sweep with other settings of its second variant; JSON's list of texts is TOML's."""
    return GOOD.replace('["epochs=6", "optimizer.learning_rate=0.01"]', json.dumps(["epochs=6", *settings]))


def test_a_variant_without_its_teachers_is_named(tmp_path):
    text = GOOD.replace('[variants.slow]\nrecipe = "mien_s"', '[variants.slow]\nrecipe = "mien_s_robust"')
    with pytest.raises(ConfigError, match=r"sweep.toml: variants.slow: loss.teacher_weight is 0.7 and loss.teachers"):
        load_sweep(write(tmp_path, text))


@pytest.fixture
def parent(tmp_path):
    """A mien_s of FER2013's classes in a file."""
    network = network_entry("mien_s").build().eval()
    card = ModelCard(name="a", network="mien_s", parameters=1, macs=1, preprocess=PreprocessSpec())
    save_network(tmp_path / "parent.safetensors", network, card)
    return tmp_path / "parent.safetensors"


@pytest.mark.parametrize(
    ("second", "kind", "message"),
    [
        (["initial_weights=nope"], ModelFileError, "slow/seed-3: nope: no such file or run"),
        (["initial_weights=out/slow/seed-1"], ModelFileError, "slow/seed-3: out/slow/seed-1: no such file or run"),
        (['loss.teachers=["out/nope"]'], ModelFileError, "slow/seed-3: out/nope: no such file or run"),
        (["network=mini_xception", "initial_weights=PARENT"], TrainingError, "slow/seed-3: .*are those of mien_s"),
        (["precision=fp16"], TrainingError, "slow/seed-3: precision is fp16 and the device is cpu"),
        (["initial_weights=PARENT"], None, ""),
        (["initial_weights=out/plain/seed-3"], None, ""),
        (['loss.teachers=["out/plain/seed-3/best.safetensors"]', "loss.teacher_views=2"], None, ""),
    ],
)
def test_a_start_that_cannot_be_made_is_refused_before_any_is_trained(
    tmp_path, small_store, parent, second, kind, message
):
    """Weights that an earlier run of the sweep leaves are not there yet."""
    second = [setting.replace("PARENT", str(parent)) for setting in second]
    runs, store = load_sweep(write(tmp_path, slow_with(*second))).runs, FaceStore.open(small_store)
    if kind is None:
        check_trainable(runs, store, out=Path("out"), device="cpu")
        return
    with pytest.raises(kind, match=message):
        check_trainable(runs, store, out=Path("out"), device="cpu")


def test_teachers_of_other_classes_are_refused_before_any_is_trained(tmp_path, small_store, parent):
    store = FaceStore.open(small_store)
    renamed = replace(store, meta=replace(store.meta, classes=tuple("abcdefg")))
    runs = load_sweep(write(tmp_path, slow_with(f'loss.teachers=["{parent}"]'))).runs
    check_trainable(runs[:2], renamed)
    with pytest.raises(TrainingError, match=r"slow/seed-3: teacher .*: has the classes angry"):
        check_trainable(runs, renamed)


def test_a_class_of_which_no_row_is_left_is_found_before_any_is_trained(tmp_path, small_store):
    store = FaceStore.open(small_store)
    renamed = replace(store, meta=replace(store.meta, classes=tuple("abcdefg")))
    runs = load_sweep(write(tmp_path, GOOD)).runs
    check_trainable(runs, renamed)
    rows = store.rows_of("Training")
    dropped = tmp_path / "drop.txt"
    dropped.write_text("\n".join(map(str, rows[store.labels[rows] == 3])))
    with pytest.raises(TrainingError, match="plain/seed-3: no Training row that may be used shows d"):
        check_trainable(runs, renamed, dropped)
    dropped.write_text("three")
    with pytest.raises(DataError, match=r"^[^ ]*drop\.txt: line 1 is 'three'"):
        check_trainable(runs, renamed, dropped)

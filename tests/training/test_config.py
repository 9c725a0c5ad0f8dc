from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import ConfigError
from mien.networks import network_names
from mien.preprocess import PreprocessSpec
from mien.toml_json import to_toml
from mien.training.config import (
    AugmentConfig,
    LossConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
    config_from_dict,
)
from mien.training.recipe import config_to_train, load_config, recipe_names

share = st.floats(0, 0.99)
configs = st.builds(
    TrainConfig,
    network=st.sampled_from(network_names()),
    epochs=st.integers(8, 500),
    batch_size=st.integers(2, 4096),
    seed=st.integers(0, 2**31),
    precision=st.sampled_from(["auto", "bf16", "fp16", "fp32"]),
    ema_decay=share,
    select_on=st.sampled_from(["PublicTest", "last"]),
    resolutions=st.sampled_from([(), ((0, 32),), ((0, 32), (7, 44))]),
    preprocess=st.builds(PreprocessSpec, input_size=st.integers(8, 48), mean=share, std=st.floats(0.01, 1)),
    early_stopping=st.just(0),
    optimizer=st.builds(
        OptimizerConfig,
        name=st.sampled_from(["sgd", "adam", "adamw", "rmsprop"]),
        learning_rate=st.floats(1e-9, 10),
        nesterov=st.booleans(),
    ),
    schedule=st.one_of(
        st.builds(ScheduleConfig, name=st.sampled_from(["cosine", "constant", "step"]), warmup_epochs=st.floats(0, 5)),
        st.builds(ScheduleConfig, name=st.just("multistep"), milestones=st.just((3, 7))),
    ),
    augment=st.builds(AugmentConfig, flip=share, shift=share, rotate=st.floats(0, 180)),
    loss=st.one_of(
        st.builds(LossConfig, label_smoothing=share, mixup=st.floats(0, 4), mixup_last_epochs=st.integers(0, 9)),
        st.builds(LossConfig, targets=st.just("ferplus_probability"), fer2013_weight=st.floats(0, 1)),
    ),
)
SHARED_LABELS = {"targets": "ferplus_majority", "fer2013_weight": 0.5}


@pytest.mark.parametrize("name", ["vgg_s3", "cnn_small", "resnet_s3"])
def test_recipes_of_s3_flip_and_jitter_as_the_report_did(name):
    augment = load_config(name).augment
    assert (augment.flip, augment.brightness, augment.contrast) == (0.5, 0.5, 0.5)
    assert (augment.rotate, augment.scale, augment.shift, augment.erase) == (0, 0, 0, 0)
    assert load_config(name).shuffle


def test_s0_stops_by_the_validation_loss_and_model_b_keeps_the_order_of_its_rows():
    stopping = load_config("emotion_net")
    assert (stopping.early_stopping, stopping.stop_on) == (10, "validation_loss")
    assert not load_config("face_cnn").shuffle


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_trains_for_one_epoch_or_for_its_own(name):
    whole, brief = load_config(name), load_config(name, ["epochs=1"])
    assert (brief.epochs, brief.input_size_at(0)) == (1, whole.input_size_at(whole.epochs - 1))
    assert brief.schedule.warmup_epochs <= 1
    assert load_config(name, [f"epochs={whole.epochs}"]) == whole


def test_settings_that_do_not_fit_follow_the_epochs_and_say_so(caplog):
    caplog.set_level("INFO", "mien")
    brief = load_config("mien_s", ["epochs=8"])  # of 80: starts at 0, 28 and 50, warmup 2
    assert (brief.resolutions, brief.schedule.warmup_epochs) == (((0, 32), (2, 38), (5, 44)), 2)
    assert caplog.messages == ["epochs is 8: resolutions follows and is [[0, 32], [2, 38], [5, 44]]"]
    assert load_config("mien_s", ["epochs=1"]).schedule.warmup_epochs == 2 / 80
    with pytest.raises(ConfigError, match="resolutions go to 40 px at epoch 9"):
        load_config("mien_s", ["epochs=8", "resolutions=[[0, 32], [9, 40]]"])


def test_another_input_size_leaves_out_the_sides_of_the_recipe(caplog):
    with caplog.at_level("INFO", "mien"):
        assert load_config("mien_s", ["preprocess.input_size=40"]).resolutions == ()
    assert caplog.messages == ["preprocess.input_size is 40: resolutions follows and is []"]
    chosen = load_config("mien_s", ["preprocess.input_size=40", "resolutions=[[0, 32], [9, 40]]"])
    assert chosen.resolutions == ((0, 32), (9, 40))
    assert load_config("mien_s", []).resolutions[-1][1] == 44


@given(configs)
def test_a_config_survives_its_toml(tmp_path_factory, config):
    file = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    file.write_text(to_toml(config))
    assert load_config(str(file)) == config


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_and_names_a_network(name):
    assert load_config(name).network in network_names()


TAUGHT = {"mien_m_restart": 0.5, "mien_m_taught": 0.8, "mien_s_robust": 0.7}


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_for_teachers_is_not_trained_without_a_word_of_them(name, tmp_path):
    if name in TAUGHT:
        with pytest.raises(ConfigError, match=rf"^loss.teacher_weight is {TAUGHT[name]} and loss.teachers names none"):
            config_to_train(name)
    else:
        assert config_to_train(name) == load_config(name)
    for override in ("loss.teacher_weight=0", 'loss.teachers=["runs/wide"]', "loss.teachers=[]"):
        assert config_to_train(name, [override]) == load_config(name, [override])
    (tmp_path / "config.toml").write_text(to_toml(load_config(name)))  # of a run that had no teachers
    assert config_to_train(str(tmp_path / "config.toml")) == load_config(name)


def test_every_network_has_a_recipe():
    assert set(network_names()) <= set(recipe_names())


PUBLISHED = {
    "emotion_net": ("rmsprop", 1e-5, 1e-6, 64, 120, "step"),
    "vggnet": ("adam", 1e-3, 0, 32, 60, "constant"),
    "resnet": ("adam", 1e-3, 0, 32, 60, "constant"),
    "deep_emotion": ("adamw", 1e-3, 0.1, 64, 200, "cosine"),
    "face_cnn": ("sgd", 0.1, 0, 128, 100, "constant"),
    **dict.fromkeys(("vgg_s3", "cnn_small", "resnet_s3"), ("sgd", 0.01, 0, 128, 60, "constant")),
    **dict.fromkeys(
        ("resnet18", "resnet34", "senet18", "densenet", "vgg19", "preact_resnet18", "preact_resnet34", "dla", "dpn"),
        ("sgd", 0.1, 1e-4, 128, 300, "plateau"),
    ),
    "mini_xception": ("adam", 1e-3, 0, 32, 200, "plateau"),
}
"""Optimiser, learning rate, weight decay, batch, epochs and schedule, as the authors of each system state them."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_recipe_is_what_its_authors_state(name):
    config = load_config(name)
    optimizer = config.optimizer
    found = optimizer.name, optimizer.learning_rate, optimizer.weight_decay
    assert (*found, config.batch_size, config.epochs, config.schedule.name) == PUBLISHED[name]
    assert (config.ema_decay, config.schedule.warmup_epochs, config.augment.vertical_flip) == (0, 0, 0)


def test_overrides_reach_nested_keys_and_plain_words():
    config = load_config("mien_s", ["epochs=3", "schedule.warmup_epochs=0.5", "optimizer.name=adamw", "resolutions=[]"])
    expected = load_config("mien_s")
    assert config == replace(
        expected,
        epochs=3,
        resolutions=(),
        optimizer=replace(expected.optimizer, name="adamw"),
        schedule=replace(expected.schedule, warmup_epochs=0.5),
    )


def test_resolution_of_an_epoch_is_the_last_one_that_began():
    config = TrainConfig(network="mien_s", resolutions=((0, 32), (4, 40)))
    assert [config.input_size_at(epoch) for epoch in range(6)] == [32, 32, 32, 32, 40, 40]
    assert TrainConfig(network="mien_s").input_size_at(3) == 44


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 3}, "network is missing"),
        ({"network": "mien_s", "epoch": 3}, "unknown key epoch"),
        ({"network": "mien_s", "optimizer": {"lr": 1}}, "unknown key optimizer.lr"),
        ({"network": "mien_s", "optimizer": 3}, "optimizer is 3: expected a section"),
        ({"network": "mien_s", "epochs": 2.5}, "epochs is 2.5: expected a whole number"),
        ({"network": "mien_s", "epochs": True}, "epochs is True: expected a whole number"),
        ({"network": "mien_s", "epochs": 0}, "epochs is 0: expected at least 1"),
        ({"network": "mien_s", "epochs": 1}, "warmup_epochs is 2.0: expected at most epochs, 1"),
        ({"network": 7}, "network is 7: expected a registered name"),
        ({"network": "mien_s", "precision": "fp8"}, "precision is 'fp8'"),
        ({"network": "mien_s", "precision": "fp8"}, "expected one of auto, bf16, fp16, fp32"),
        ({"network": "mien_s", "optimiser": {}}, "unknown key optimiser (did you mean 'optimizer'?)"),
        ({"network": "mien_s", "optimizer": {"nesterov": 1}}, "optimizer.nesterov is 1: expected true or false"),
        ({"network": "mien_s", "schedule": {"name": "multistep"}}, "schedule.milestones and schedule.name = multistep"),
        ({"network": "mien_s", "schedule": {"milestones": [3]}}, "schedule.milestones and schedule.name = multistep"),
        ({"network": "mien_s", "schedule": {"milestones": [3, 2]}}, "expected ascending epochs from 1"),
        ({"network": "mien_s", "schedule": {"milestones": 3}}, "schedule.milestones is 3: expected whole numbers"),
        ({"network": "mien_s", "loss": {"name": "focal"}}, "loss.label_smoothing is 0.1 and loss.name is focal"),
        (
            {"network": "mien_s", "loss": {"fer2013_weight": 0.5}},
            "loss.fer2013_weight is 0.5 and loss.targets is fer2013",
        ),
        (
            {"network": "mien_s", "loss": {"targets": "ferplus_majority", "fer2013_weight": 1.5}},
            "loss.fer2013_weight is 1.5: expected at least 0 and at most 1",
        ),
        (
            {"network": "mien_s", "loss": {"targets": "majority"}},
            "loss.targets is 'majority' (did you mean 'ferplus_majority'?): expected one of fer2013,",
        ),
        (
            {"network": "mien_s", "loss": {"name": "focal", "targets": "ferplus_probability"}},
            "loss.targets is ferplus_probability and loss.name is focal",
        ),
        (
            {"network": "mien_s", "loss": SHARED_LABELS | {"name": "focal", "label_smoothing": 0, "mixup": 0}},
            "loss.fer2013_weight is 0.5 and loss.name is focal",
        ),
        (
            {"network": "mien_s", "loss": {"name": "focal", "label_smoothing": 0}},
            "loss.mixup is 0.2 and loss.name is focal",
        ),
        ({"network": "mien_s", "select_on": "last", "early_stopping": 3}, "need faces to judge by"),
        ({"network": "mien_s", "select_on": "held_out"}, "select_on is held_out and split is official"),
        ({"network": "mien_s", "augment": {"flip": 1.5}}, "augment.flip is 1.5: expected at least 0 and at most 1"),
        ({"network": "mien_s", "optimizer": {"learning_rate": 0}}, "learning_rate is 0.0: expected more than 0"),
        ({"network": "mien_s", "loss": {"label_smoothing": float("nan")}}, "smoothing is nan: expected a finite"),
        (
            {"network": "mien_s", "optimizer": {"sam_radius": float("inf")}},
            "optimizer.sam_radius is inf: expected a finite number, at least 0",
        ),
        ({"network": "mien_s", "optimizer": {"learning_rate": float("inf")}}, "optimizer.learning_rate is inf: "),
        ({"network": "mien_s", "optimizer": {"clip_norm": float("inf")}}, "optimizer.clip_norm is inf: "),
        ({"network": "mien_s", "loss": {"gamma": float("inf")}}, "loss.gamma is inf: expected a finite number"),
        ({"network": "mien_s", "resolutions": [[3, 32]]}, "expected ascending numbers from 0"),
        ({"network": "mien_s", "resolutions": [32]}, "expected pairs of whole numbers"),
        ({"network": "mien_s", "resolutions": [[0, 4]]}, "resolutions is 4: expected at least 8"),
        (
            {"network": "mien_s", "epochs": 10, "resolutions": [[0, 32], [10, 44]]},
            "resolutions go to 44 px at epoch 10, and epochs is 10, so none would train at that side",
        ),
        ({"network": "mien_s", "preprocess": {"input_size": 99}}, "preprocess.input_size is 99: expected 8..48"),
        ({"network": "mien_s", "preprocess": {"std": float("inf")}}, "preprocess.std is inf: expected a finite number"),
        ({"network": "mien_s", "preprocess": {"std": float("nan")}}, "preprocess.std is nan: expected a finite number"),
        ({"network": "mien_s", "preprocess": {"std": 0}}, "preprocess.std is 0.0: expected more than 0 and at most 1"),
        ({"network": "mien_s", "preprocess": {"mean": -1}}, "preprocess.mean is -1.0: expected at least 0 and"),
    ],
)
def test_bad_config_names_the_key(values, message):
    with pytest.raises(ConfigError) as caught:
        config_from_dict(values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["epochs", "=3", "", " =1"])
def test_bad_override_says_what_it_expects(override):
    with pytest.raises(ConfigError, match="expected key=value"):
        load_config("mien_s", [override])


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 100_000])
def test_an_override_that_python_cannot_read_is_no_number(value):
    with pytest.raises(ConfigError, match=r"epochs is '.*: expected a whole number"):
        load_config("mien_s", [f"epochs={value}"])


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such recipe"), (b"epochs = ", "not a TOML"), (b"\xff", "not a TOML")]
)
def test_bad_recipe_file_is_named(tmp_path, content, message):
    file = tmp_path / "recipe.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(str(file))
    assert str(file) in str(caught.value)

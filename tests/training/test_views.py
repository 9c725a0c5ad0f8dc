from dataclasses import replace

import pytest
import torch

from mien.errors import TrainingError
from mien.model.card import ModelCard
from mien.networks import network_entry
from mien.networks.saved import save_network
from mien.preprocess import PreprocessSpec
from mien.training.config import config_from_dict
from mien.training.views import TaughtViews

SPEC = PreprocessSpec(frame_size=16, input_size=12)


@pytest.fixture
def config(tmp_path):
    torch.manual_seed(0)
    card = ModelCard(name="teacher", network="mien_s", parameters=1, macs=1, preprocess=SPEC)
    save_network(tmp_path / "teacher.safetensors", network_entry("mien_s").build(), card)
    return config_from_dict(
        {
            "network": "mien_s",
            "preprocess": {"frame_size": 16, "input_size": 12},
            "loss": {"teachers": [str(tmp_path / "teacher.safetensors")], "teacher_views": 3},
        }
    )


@pytest.fixture
def frames():
    return torch.randint(0, 256, (50, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


class Counting:
    """Answers with the mean of each face in the first class, and counts how many it was asked about."""

    def __init__(self):
        self.asked = 0

    def __call__(self, inputs):
        self.asked += len(inputs)
        first = inputs.mean((1, 2, 3))
        return torch.stack([first, 1 - first], 1)


def test_each_view_is_answered_once_and_comes_back_in_turn(config, frames, tmp_path):
    teacher = Counting()
    views = TaughtViews(config, frames, teacher, tmp_path / "answers", {})
    for epoch in range(6):
        clear, taught = views.of_epoch(epoch, 12)
        torch.testing.assert_close(taught[:, 0], SPEC.scale(clear).mean((1, 2, 3)), atol=2e-3, rtol=0)
        again, _ = views.of_epoch(epoch % 3, 12)
        assert torch.equal(clear, again)
    assert not torch.equal(views.of_epoch(0, 12)[0], views.of_epoch(1, 12)[0])
    assert teacher.asked == 3 * 50


def test_another_pupil_reads_the_answers_from_the_file(config, frames, tmp_path):
    first = TaughtViews(config, frames, Counting(), tmp_path / "answers", {"rows": "a"})
    first.of_epoch(1, 12)
    unasked = Counting()
    noisy = replace(config, seed=9, augment=replace(config.augment, noise=0.5))
    second = TaughtViews(noisy, frames, unasked, tmp_path / "answers", {"rows": "a"})
    for mine, theirs in zip(first.of_epoch(1, 12), second.of_epoch(1, 12), strict=True):
        assert torch.equal(mine, theirs)
    assert unasked.asked == 0
    second.of_epoch(2, 12)  # what the first pupil had not come to
    assert unasked.asked == 50


def test_answers_to_other_views_are_refused(config, frames, tmp_path):
    TaughtViews(config, frames, Counting(), tmp_path / "answers", {"rows": "a"}).of_epoch(0, 12)
    turned = replace(config, augment=replace(config.augment, rotate=3.0))
    for other, identity, faces in ((turned, {"rows": "a"}, frames), (config, {"rows": "b"}, frames)):
        with pytest.raises(TrainingError, match="holds what teachers answer to other views"):
            TaughtViews(other, faces, Counting(), tmp_path / "answers", identity)
    with pytest.raises(TrainingError, match="other views"):  # the same by name, other pixels
        TaughtViews(config, frames.flip(0), Counting(), tmp_path / "answers", {"rows": "a"})


def test_smaller_faces_are_the_same_views(config, frames, tmp_path):
    views = TaughtViews(config, frames, Counting(), tmp_path / "answers", {})
    clear, _ = views.of_epoch(0, 12)
    small, _ = views.of_epoch(0, 6)
    assert small.shape == (50, 1, 6, 6)
    torch.testing.assert_close(small.mean((1, 2, 3)), clear.mean((1, 2, 3)), atol=3.0, rtol=0)

"""EfficientNet-Lite against the original: its code with weights of a formula, and its published weights where they are.

original_efficientnet_lite.py wrote what the original answers, and says how.
"""

import json

import numpy as np
import pytest
import torch

from mien.model.backbone import BackboneCard
from mien.networks import network_entry
from mien.networks.backbone import Backbone, load_backbone, network_on
from mien.networks.pretrained import PUBLISHED, convert, renamed
from mien.networks.profile import count_parameters, outline
from networks.original_efficientnet_lite import (
    OTHER_SIDES,
    REFERENCE,
    SIDES,
    answers,
    drawn_weights,
    original,
    pictures,
    published,
)

RECORDED = json.loads(REFERENCE.read_text(encoding="utf-8"))
CARD = {"data": "d", "licence": "l", "source": "s", "source_sha256": "0" * 64}


def ours(number, theirs, channels=3):
    """Our network with the original's tensors, its last layer among them."""
    card = BackboneCard(network=f"efficientnet_lite{number}", **CARD)
    classes = len(theirs["_fc.bias"])
    network = network_on(Backbone(card, renamed(theirs), ""), classes, channels).eval()
    network.head.load_state_dict({name: theirs[f"_fc.{name}"] for name in ("weight", "bias")})
    return network


def drawn(number):
    return drawn_weights(RECORDED["shapes"][str(number)])


@pytest.fixture(params=SIDES)
def number(request):
    return request.param


@pytest.mark.parametrize("side", OTHER_SIDES)
def test_answers_as_the_original_with_drawn_weights(number, side):
    expected = torch.tensor(RECORDED["drawn"][f"{number} at {side}"])
    assert (expected[0] - expected[1]).abs().max() > 0.05
    torch.testing.assert_close(answers(ours(number, drawn(number)), side), expected, rtol=1e-3, atol=1e-3)


def test_published_parameters_are_counted(number):
    """4.65, 5.42 and 6.09 million for ImageNet's 1,000 classes, as others count the published files."""
    network = outline(lambda: network_entry(f"efficientnet_lite{number}").build(1000, 3))
    assert count_parameters(network) == (4_652_008, 5_416_680, 6_092_072)[number]


def test_a_grey_face_is_answered_as_the_same_face_in_three_colours():
    weights = drawn(0)
    grey = pictures(64)[:, :1].double()  # in float32 some processors round their sums by more than the tolerance
    with torch.inference_mode():
        in_colour = ours(0, weights).double()(grey.expand(-1, 3, -1, -1))
        torch.testing.assert_close(ours(0, weights, channels=1).double()(grey), in_colour, rtol=1e-4, atol=1e-4)


def test_a_face_is_scaled_as_the_makers_scaled_pictures():
    """(x - 127) / 128, their MEAN_RGB and STDDEV_RGB."""
    spec = network_entry("efficientnet_lite0").preprocess
    levels = np.arange(256, dtype=np.float32)
    np.testing.assert_allclose(spec.scale(levels), (levels - 127) / 128, atol=1e-6)


def test_published_weights_answer_as_the_original(number, tmp_path):
    weights = published(number)
    if weights is None:
        pytest.skip(f"{PUBLISHED[f'efficientnet_lite{number}'].package} is not installed")
    convert(f"efficientnet_lite{number}", tmp_path / "lite.safetensors")
    network = network_on(load_backbone(tmp_path / "lite.safetensors"), 1000, 3).eval()
    network.head.load_state_dict({name: weights[f"_fc.{name}"] for name in ("weight", "bias")})
    expected = torch.tensor(RECORDED["published"][str(number)])
    torch.testing.assert_close(answers(network, SIDES[number])[:, ::100], expected, rtol=1e-3, atol=1e-3)


def test_answers_as_the_original_code_where_that_is_installed(number):
    pytest.importorskip("efficientnet_lite_pytorch")
    theirs = original(number, 81, 5)
    theirs.load_state_dict(drawn_weights({name: tensor.shape for name, tensor in theirs.state_dict().items()}))
    network = ours(number, theirs.state_dict())
    torch.testing.assert_close(answers(network, 81), answers(theirs, 81), rtol=1e-3, atol=1e-3)

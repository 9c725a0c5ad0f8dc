"""Deep-Emotion's spatial transformer against SciPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from mien.export.onnx import TOLERANCE, export_onnx
from mien.model.card import ModelCard
from mien.model.onnx_model import Bundle
from mien.networks import network_entry
from mien.networks.deep_emotion import SpatialTransformer

TURN_AND_ZOOM = [0.6, -0.35, 0.1, 0.35, 0.7, -0.2]


@pytest.fixture
def face():
    return torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))


def resampled(image, affine):
    """Output pixel centres on -1..1, mapped by the affine matrix, read bilinearly; 0 outside."""
    centres = (np.arange(48) + 0.5) / 24 - 1
    x, y = np.meshgrid(centres, centres)
    source_x, source_y = np.reshape(affine, (2, 3)) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    rows, columns = (source_y + 1) * 24 - 0.5, (source_x + 1) * 24 - 0.5
    return map_coordinates(image, [rows, columns], order=1, mode="grid-constant").reshape(48, 48)


def test_begins_as_the_identity(face):
    assert torch.allclose(SpatialTransformer()(face), face, atol=1e-5)


@pytest.mark.parametrize("bf16", [False, True])
def test_resamples_as_scipy_does(face, bf16):
    transformer = SpatialTransformer()
    transformer.affine.bias.data = torch.tensor(TURN_AND_ZOOM)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        found = transformer(face)[0, 0].detach().numpy()
    affine = torch.tensor(TURN_AND_ZOOM, dtype=torch.bfloat16).float().numpy() if bf16 else TURN_AND_ZOOM
    np.testing.assert_allclose(found, resampled(face[0, 0].double().numpy(), affine), atol=1e-4)


@pytest.mark.usefixtures("_operators_once")
def test_a_transformer_at_work_survives_export(tmp_path):
    torch.manual_seed(0)
    entry = network_entry("deep_emotion")
    network = entry.build().eval()
    affine = network.transformer.affine
    affine.bias.data = torch.tensor(TURN_AND_ZOOM)
    torch.nn.init.normal_(affine.weight, std=0.5)
    card = ModelCard(name="turned", network=entry.name, parameters=0, macs=0, preprocess=entry.preprocess)
    assert export_onnx(network, card, tmp_path / "turned.onnx") <= TOLERANCE
    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48), np.uint8)
    turned = Bundle.load(tmp_path / "turned.onnx").logits(faces)
    network.transformer = torch.nn.Identity()
    unturned = network(torch.from_numpy(entry.preprocess.apply(faces))).detach().numpy()
    assert np.abs(turned - unturned).max() > 100 * TOLERANCE

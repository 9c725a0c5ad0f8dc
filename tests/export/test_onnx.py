import numpy as np
import onnx
import pytest
import torch
from torch import nn

from mien.errors import ExportError, ModelFileError
from mien.export.onnx import export_onnx, write_model
from mien.model.card import METADATA_KEY, ModelCard
from mien.model.embedded import embedded_versions, read_embedded
from mien.model.onnx_model import Bundle
from mien.preprocess import PreprocessSpec

CARD = ModelCard(
    name="probe", network="probe", parameters=0, macs=0, preprocess=PreprocessSpec(input_size=40), temperature=1.7
)


class Fickle(nn.Module):
    """Computes something else each time, as a network left in training mode does."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1600, 7)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.head(x.flatten(1)) + self.calls


def steady():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(1600, 7))


def test_the_file_computes_the_closed_form_and_holds_its_card(tmp_path):
    network = steady()
    export_onnx(network, CARD, tmp_path / "probe.onnx")
    faces = np.random.default_rng(3).integers(0, 256, (5, 48, 48), np.uint8)
    inputs = ((faces[:, 4:44, 4:44] / 255 - 0.5) / 0.25).reshape(5, -1)
    weight, bias = (p.detach().numpy() for p in network[1].parameters())
    expected = inputs @ weight.T + bias
    bundle = Bundle.load(tmp_path / "probe.onnx")
    np.testing.assert_allclose(bundle.logits(faces), expected, atol=1e-4)
    scaled = np.exp(expected / 1.7)
    np.testing.assert_allclose(bundle.probabilities(faces), scaled / scaled.sum(1, keepdims=True), atol=1e-5)
    properties = {p.key: p.value for p in onnx.load(tmp_path / "probe.onnx").metadata_props}
    assert ModelCard.from_json(properties[METADATA_KEY]) == CARD


def test_embedded_files_say_nothing_of_the_machine_they_were_written_on():
    for version in embedded_versions():
        assert b".py" not in read_embedded(version)


def test_half_precision_halves_the_file_and_rounds_weights_only(tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(1600, 64), nn.ReLU(), nn.Linear(64, 7))
    difference = export_onnx(network, CARD, tmp_path / "half.onnx", half=True)
    export_onnx(network, CARD, tmp_path / "whole.onnx")
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("half", "whole")]
    assert sizes[0] == pytest.approx(sizes[1] / 2, rel=0.02)
    faces = np.random.default_rng(3).integers(0, 256, (70, 48, 48), np.uint8)
    half, whole = (Bundle.load(tmp_path / f"{name}.onnx").logits(faces) for name in ("half", "whole"))
    with torch.no_grad():
        network[1].weight.copy_(network[1].weight.half().float())
        rounded = network(torch.from_numpy(CARD.preprocess.apply(faces))).numpy()
    np.testing.assert_allclose(half, rounded, atol=1e-5)
    assert 0 < np.abs(half - whole).max() <= 0.02
    assert 0 < difference <= 0.02


def test_weights_too_large_for_half_precision_are_refused(tmp_path):
    network = steady()
    with torch.no_grad():
        network[1].weight[0, 0] = 1e5
    with pytest.raises(ExportError, match=r"weight .* reaches 100000: half precision ends at 65,504"):
        export_onnx(network, CARD, tmp_path / "half.onnx", half=True)
    assert not list(tmp_path.iterdir())


def test_a_file_that_disagrees_is_refused_and_the_old_one_kept(tmp_path):
    out = tmp_path / "probe.onnx"
    out.write_bytes(b"the old file")
    with pytest.raises(ExportError, match="differ"):
        export_onnx(Fickle(), CARD, out)
    assert out.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [out]


def test_nan_is_refused(tmp_path):
    network = steady()
    with torch.no_grad():
        network[1].bias.fill_(float("nan"))
    with pytest.raises(ModelFileError, match="not finite"):
        export_onnx(network, CARD, tmp_path / "probe.onnx")


def test_unwritable_target_is_one_line(tmp_path):
    with pytest.raises(ExportError, match="cannot be written"):
        write_model(b"content", tmp_path / "no such folder" / "probe.onnx")

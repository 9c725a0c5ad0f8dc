"""The contract that every registered network keeps."""

import numpy as np
import pytest
import torch

from mien.bundle import Bundle, ModelCard
from mien.errors import ConfigError, ModelFileError
from mien.export.onnx import TOLERANCE, export_onnx
from mien.models import network_entry, network_names
from mien.models.profile import count_macs, count_parameters
from mien.models.registry import register
from mien.models.saved import load_network, save_network
from mien.preprocess import PreprocessSpec

PUBLISHED = {
    "vggnet": (6_016_647, 48_905_216),
    "resnet": (11_176_839, 94_346_752),
    "mien_s": (883_035, 84_184_000),
}


def card_of(name, network):
    spec = network_entry(name).preprocess
    macs = count_macs(network, spec.input_size)
    return ModelCard(name=name, network=name, parameters=count_parameters(network), macs=macs, preprocess=spec)


@pytest.fixture(params=network_names(), scope="module")
def named(request):
    torch.manual_seed(0)
    return request.param, network_entry(request.param).build()


def probe(name, count=3):
    size = network_entry(name).preprocess.input_size
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0))


def test_cost_is_the_published_one(named):
    name, network = named
    assert (count_parameters(network), count_macs(network, network_entry(name).preprocess.input_size)) == PUBLISHED[
        name
    ]


def test_gives_finite_logits_for_seven_classes(named):
    name, network = named
    logits = network.eval()(probe(name))
    assert logits.shape == (3, 7)
    assert torch.isfinite(logits).all()


def test_every_parameter_gets_a_gradient(named):
    name, network = named
    torch.manual_seed(0)
    network.train().zero_grad()
    torch.nn.functional.cross_entropy(network(probe(name, 8)), torch.arange(8) % 7).backward()
    silent = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_faces_of_a_batch_do_not_influence_each_other(named):
    name, network = named
    faces = probe(name)
    network.eval()
    with torch.inference_mode():
        alone = torch.cat([network(face[None]) for face in faces])
        assert torch.allclose(network(faces), alone, atol=1e-4)


def test_survives_saving_and_exporting(named, tmp_path):
    name, network = named
    network.eval()
    card = card_of(name, network)
    save_network(tmp_path / "best.safetensors", network, card)
    loaded, loaded_card = load_network(tmp_path)
    assert loaded_card == card
    with torch.inference_mode():
        assert torch.equal(loaded(probe(name)), network(probe(name)))
    export_onnx(loaded, card, tmp_path / "model.onnx")
    bundle = Bundle.load(tmp_path / "model.onnx")
    assert bundle.card == card
    with torch.inference_mode():
        expected = network(probe(name)).numpy()
    np.testing.assert_allclose(bundle.logits_of_input(probe(name).numpy()), expected, atol=TOLERANCE)


def test_mien_s_stays_compact():
    assert PUBLISHED["mien_s"][0] <= 1_000_000


def test_mien_s_takes_any_side():
    network = network_entry("mien_s").build().eval()
    assert [tuple(network(torch.zeros(1, 1, side, side)).shape) for side in (8, 33, 64)] == [(1, 7)] * 3


def test_unknown_network_lists_those_that_exist():
    with pytest.raises(ConfigError, match="mien_s, resnet, vggnet"):
        network_entry("alexnet")


def test_a_name_is_registered_once():
    def mien_s():
        raise AssertionError

    with pytest.raises(ValueError, match="twice"):
        register(preprocess=PreprocessSpec(), origin="test")(mien_s)


@pytest.mark.parametrize("spoil", ["missing", "empty folder", "truncated", "other network", "text"])
def test_unusable_saved_network_is_named(spoil, tmp_path):
    file = tmp_path / "best.safetensors"
    network = network_entry("mien_s").build()
    save_network(file, network, card_of("mien_s", network))
    content = file.read_bytes()
    if spoil in ("missing", "empty folder"):
        file.unlink()
    elif spoil == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif spoil == "text":
        file.write_text("hello")
    else:
        save_network(file, network, card_of("vggnet", network_entry("vggnet").build()))
    target = tmp_path if spoil == "empty folder" else file
    with pytest.raises(ModelFileError, match=str(tmp_path)) as caught:
        load_network(target)
    assert "\n" not in str(caught.value)

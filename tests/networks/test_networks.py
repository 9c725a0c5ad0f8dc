"""The contract that every registered network keeps; tests/export/test_trained_networks.py has the part on export."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch

from mien.errors import ConfigError, ModelFileError
from mien.model.card import ModelCard
from mien.networks import network_entry, network_names
from mien.networks.profile import count_macs, count_parameters, list_layers, outline
from mien.networks.registry import register
from mien.networks.saved import load_network, save_network
from mien.preprocess import PreprocessSpec

PUBLISHED = {
    "emotion_net": (876_887, 595_161_088),
    "deep_emotion": (66_877, 3_915_450),
    "face_cnn": (42_582_919, 128_468_736),
    "vgg_s3": (36_159_399, 163_745_792),
    "cnn_small": (55_735_175, 121_828_608),
    "mini_xception": (56_951, 10_163_392),
    "vggnet": (6_016_647, 48_905_216),
    "resnet": (11_176_839, 94_346_752),
    "mien_s": (883_035, 84_184_000),
    "mien_m": (2_839_375, 254_643_904),
    "mien_teacher": (7_906_991, 697_505_664),
    "resnet18": (11_171_271, 866_000_384),
    "resnet34": (21_279_431, 1_809_718_784),
    "senet18": (11_257_663, 866_087_424),
    "densenet": (999_031, 195_151_488),
    "vgg19": (20_037_831, 599_006_720),
    "preact_resnet18": (11_168_455, 866_000_384),
    "preact_resnet34": (21_276_615, 1_809_718_784),
    "dla": (16_289_559, 1_610_371_584),
    "dpn": (11_566_391, 1_037_277_824),
    "efficientnet_lite0": (3_379_399, 103_522_448),
    "efficientnet_lite1": (4_144_071, 134_609_360),
    "efficientnet_lite2": (4_819_463, 154_955_856),
}


def card_of(name, network):
    spec = network_entry(name).preprocess
    macs = count_macs(network, spec.input_size)
    return ModelCard(name=name, network=name, parameters=count_parameters(network), macs=macs, preprocess=spec)


@pytest.fixture(params=network_names(), scope="module")
def named(request):
    torch.manual_seed(0)
    network = network_entry(request.param).build()
    for parameter in network.parameters():
        if not parameter.any():  # zeros would hide what lies in front of them from gradients and from parity
            torch.nn.init.normal_(parameter, std=0.02)
    return request.param, network


@pytest.fixture
def brief_folder():
    """A folder that is removed at once: the files of all networks together take gigabytes."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def probe(name, count=2):
    size = network_entry(name).preprocess.input_size
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(0))


def test_cost_is_the_published_one(named):
    name, network = named
    entry = network_entry(name)
    assert (count_parameters(network), count_macs(outline(entry.build), entry.preprocess.input_size)) == PUBLISHED[name]


def test_layers_account_for_every_parameter(named):
    name, network = named
    layers = list_layers(network, network_entry(name).preprocess.input_size)
    modules = dict(network.named_modules())
    assert sum(layer.parameters for layer in layers) == PUBLISHED[name][0]
    assert all(type(modules[layer.name]).__name__ == layer.kind for layer in layers)
    assert layers[-1].output == (7,)


def test_gives_finite_logits_for_seven_classes(named):
    name, network = named
    logits = network.eval()(probe(name))
    assert logits.shape == (2, 7)
    assert torch.isfinite(logits).all()


def test_every_parameter_gets_a_gradient(named):
    name, network = named
    torch.manual_seed(0)
    network.train().zero_grad()
    torch.nn.functional.cross_entropy(network(probe(name, 4)), torch.arange(4)).backward()
    silent = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_faces_of_a_batch_do_not_influence_each_other(named):
    name, network = named
    faces = probe(name)
    network.eval()
    with torch.inference_mode():
        alone = torch.cat([network(face[None]) for face in faces])
        assert torch.allclose(network(faces), alone, atol=1e-4)


@pytest.mark.parametrize("name", ["mien_s", "deep_emotion", "mini_xception"])
def test_survives_saving(name, brief_folder):
    """Small ones, with and without batch normalisation: the files know no network but by its name."""
    network = network_entry(name).build().eval()
    card = card_of(name, network)
    save_network(brief_folder / "best.safetensors", network, card)
    loaded, loaded_card = load_network(brief_folder)
    assert loaded_card == card
    with torch.inference_mode():
        assert torch.equal(loaded(probe(name)), network(probe(name)))


def test_mien_s_stays_compact():
    assert PUBLISHED["mien_s"][0] <= 1_000_000


def test_mien_s_takes_any_side():
    network = network_entry("mien_s").build().eval()
    assert [tuple(network(torch.zeros(1, 1, side, side)).shape) for side in (8, 33, 64)] == [(1, 7)] * 3


def test_unknown_network_lists_those_that_exist():
    with pytest.raises(ConfigError) as caught:
        network_entry("vggnit")
    assert str(caught.value).startswith("unknown network 'vggnit' (did you mean 'vggnet'?): expected one of ")
    assert str(caught.value).endswith(", ".join(network_names()))


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

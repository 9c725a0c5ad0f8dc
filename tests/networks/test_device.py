import pytest
import torch

from mien.errors import UsageError
from mien.networks.deep_emotion import SpatialTransformer
from mien.networks.device import torch_device


@pytest.mark.parametrize(
    ("device", "gpus", "mps", "chosen"),
    [
        ("auto", 2, True, "cuda"),
        ("auto", 0, True, "mps"),
        ("auto", 0, False, "cpu"),
        ("cpu", 2, True, "cpu"),
        ("cuda", 1, True, "cuda"),
        ("mps", 1, True, "mps"),
    ],
)
def test_auto_takes_cuda_then_mps_then_the_cpu(device, gpus, mps, chosen):
    assert torch_device(device, gpus, mps=mps) == chosen


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "^device cuda: .*choose cpu or auto$"),
        ("mps", "^device mps: torch finds no GPU of Apple's.*choose cpu or auto$"),
        ("tpu", "^device 'tpu': a run takes one of auto, cpu, cuda, mps$"),
        ("directml", "^device 'directml'"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(device, message):
    with pytest.raises(UsageError, match=message):
        torch_device(device, 0, mps=False)


def test_the_machine_is_asked_where_nothing_is_handed_in():
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert torch_device("auto") == expected


def test_the_transformer_turns_faces_alike_in_the_precision_that_mps_has():
    torch.manual_seed(0)
    faces, exact = torch.rand(3, 1, 48, 48), torch.nn.functional.affine_grid
    transformer = SpatialTransformer().eval()
    maps = transformer.affine(transformer.localization(faces)).view(-1, 2, 3)
    grids = [exact(kind, [3, 1, 48, 48], align_corners=False).float() for kind in (maps.float(), maps.double())]
    torch.testing.assert_close(*grids, atol=1e-6, rtol=0)

"""One process on the processor computes what Lightning Fabric would."""

import pytest
import torch
from lightning.fabric import Fabric
from torch import nn

from mien.training.machine import OneProcess
from mien.training.precision import FABRIC_PRECISION


def step(machine):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7))
    model, optimizer = machine.setup(network, torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9))
    model.train()
    answers = model(torch.randn(5, 1, 8, 8))
    machine.backward(torch.nn.functional.cross_entropy(answers, torch.arange(5)))
    machine.clip_gradients(model, optimizer, max_norm=0.5, error_if_nonfinite=False)
    optimizer.step()
    mean = machine.all_reduce(answers.detach().mean())
    return [answers.detach(), mean, *(parameter.detach() for parameter in network.parameters())]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_takes_the_step_that_fabric_takes(precision):
    fabric = Fabric(accelerator="cpu", devices=1, precision=FABRIC_PRECISION[precision])
    ours, theirs = step(OneProcess(precision)), step(fabric)
    for expected, found in zip(theirs, ours, strict=True):
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)

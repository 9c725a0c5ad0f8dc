import torch

from mien.networks.densenet import DenseLayer


def test_dense_layer_appends_to_its_input():
    layer = DenseLayer(24, 12).eval()
    x = torch.randn(2, 24, 5, 5)
    y = layer(x)
    assert y.shape == (2, 36, 5, 5)
    assert torch.equal(y[:, :24], x)

import torch

from mien.networks.dla import DeepTree


def test_root_of_a_deep_tree_joins_four_outputs():
    tree = DeepTree(8, 16, 2).eval()
    seen = {}
    tree.root.register_forward_pre_hook(lambda _, inputs: seen.update(joined=inputs[0]))
    x = torch.rand(2, 8, 6, 6)
    with torch.inference_mode():
        assert tree(x).shape == (2, 16, 3, 3)
        first = tree.tree(x)
        left = tree.left(first)
        assert torch.equal(seen["joined"], torch.cat((tree.beside(x), first, left, tree.right(left)), 1))

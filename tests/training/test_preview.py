import numpy as np
import pytest
import torch

from mien.training.config import config_from_dict
from mien.training.preview import augmented_variants

STILL = dict.fromkeys(("flip", "rotate", "scale", "shift", "brightness", "contrast", "erase"), 0.0)
FACE = np.random.default_rng(2).integers(0, 256, (48, 48), np.uint8)


def config(**augment):
    return config_from_dict({"network": "mien_s", "augment": STILL | augment})


def test_without_augmentation_variants_are_the_centre_crop():
    spec = config().preprocess
    margin = spec.margin // 2
    variants = augmented_variants(FACE, config(), 3)
    expected = FACE[margin : margin + spec.input_size, margin : margin + spec.input_size]
    np.testing.assert_array_equal(variants, np.stack([expected] * 3))


def test_a_certain_flip_mirrors():
    still, mirrored = augmented_variants(FACE, config(), 1)[0], augmented_variants(FACE, config(flip=1.0), 1)[0]
    np.testing.assert_array_equal(mirrored, still[:, ::-1])


def test_what_is_erased_is_the_mean_grey():
    variants = augmented_variants(np.zeros((48, 48), np.uint8), config(erase=1.0, erase_area=0.5), 8)
    mean = round(255 * config().preprocess.mean)
    assert set(np.unique(variants)) <= {0, mean, mean + 1}
    assert (variants > 0).any()


def test_the_seed_repeats_variants_and_leaves_torchs_generator_alone():
    moving = config(rotate=20.0, brightness=0.3)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = augmented_variants(FACE, moving, 4, seed=1)
    assert torch.rand(3).tolist() == pytest.approx(expected.tolist())
    np.testing.assert_array_equal(augmented_variants(FACE, moving, 4, seed=1), first)
    assert (augmented_variants(FACE, moving, 4, seed=2) != first).any()

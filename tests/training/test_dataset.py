import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mien.data.store import FaceStore
from mien.errors import DataError
from mien.preprocess import PreprocessSpec
from mien.training.dataset import FaceDataset


def test_a_loader_gets_every_face_of_the_usage_once(small_store):
    store = FaceStore.open(small_store)
    batches = list(DataLoader(FaceDataset(store, "PublicTest"), batch_size=32))
    faces, labels = (torch.cat(parts).numpy() for parts in zip(*batches, strict=True))
    np.testing.assert_allclose(faces[:, 0], store.faces[60:] / np.float32(255), rtol=1e-6)
    assert labels.tolist() == store.labels[60:].tolist()


def test_rows_preprocessing_and_transform_are_the_callers(small_store):
    store, spec = FaceStore.open(small_store), PreprocessSpec(frame_size=16, input_size=12)
    chosen = FaceDataset(store, rows=np.array([7, 3]), preprocess=spec, transform=torch.neg)
    assert len(chosen) == 2
    face, label = chosen[1]
    np.testing.assert_array_equal(-face.numpy(), spec.apply(store.faces[3:4])[0])
    assert label == store.labels[3]
    with pytest.raises(IndexError):
        chosen[2]
    with pytest.raises(DataError, match="unknown usage"):
        FaceDataset(store, "test")

"""Faces of a data set for a training loop of one's own: a map-style `torch.utils.data.Dataset`."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mien.data.store import FaceStore
from mien.preprocess import PreprocessSpec


class FaceDataset(Dataset[tuple[Tensor, int]]):
    """Faces and class numbers, as `torch.utils.data.DataLoader` takes them.

    `mien train` does not use it: it keeps all faces on the device and augments whole batches there.

    Args:
        store: the data set.
        usage: one of `mien.choices.USAGES`; None takes every row.
        rows: row numbers (N,) instead of a usage.
        preprocess: how a face becomes the network's input; by default its levels in 0..1, in its own size and channels.
        transform: applied to each input, float32 (channels, S, S); for example torchvision's.

    Raises:
        DataError: an unknown usage.
    """

    def __init__(
        self,
        store: FaceStore,
        usage: str | None = None,
        *,
        rows: NDArray[np.intp] | None = None,
        preprocess: PreprocessSpec | None = None,
        transform: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        of_usage = np.arange(len(store)) if usage is None else store.rows_of(usage)
        self._store, self.rows = store, of_usage if rows is None else rows
        self._preprocess = preprocess or PreprocessSpec(
            frame_size=store.side,
            input_size=store.side,
            mean=0.0,
            std=1.0,
            channels=3 if store.channels == 3 else 1,
            face_size=store.side,
        )
        self._transform = transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.rows[index]
        face = torch.from_numpy(self._preprocess.apply(self._store.faces[row : row + 1])[0])
        return self._transform(face) if self._transform else face, int(self._store.labels[row])

"""Features of the faces of an evaluation: what the last layer of the model reads, as a table and as a chart."""

from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.errors import MissingExtraError, UsageError
from mien.evaluation.evaluated import Evaluation
from mien.evaluation.tta import Track
from mien.files import checked_file, whole_file
from mien.model.card import ModelCard

_CHUNK: Final = 256
_SUFFIX: Final = ".parquet"


class WithFeatures(Protocol):
    """A network that gives its features; `mien.model.onnx_model.Bundle` and `TorchClassifier` do."""

    @property
    def card(self) -> ModelCard:
        """Labels, preprocessing, temperature and provenance."""

    def features_of_input(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (N, classes) and features (N, D) of preprocessed faces."""


def features_of_rows(
    classifier: WithFeatures, store: FaceStore, rows: NDArray[np.intp], *, track: Track = iter
) -> NDArray[np.float32]:
    """Features (N, D) of some rows of a data set, N at least 1.

    Args:
        classifier: the model.
        store: the data set.
        rows: numbers of its rows.
        track: wraps the loop over chunks of faces, for a progress bar.

    Raises:
        ModelFileError: the model has no layer with weights before its answer.
    """
    spec = classifier.card.preprocess
    chunks = (rows[start : start + _CHUNK] for start in track(range(0, len(rows), _CHUNK)))
    return np.concatenate([classifier.features_of_input(spec.apply(store.faces[chunk]))[1] for chunk in chunks])


def check_table(path: Path) -> None:
    """Refuse what `write_features` could not write, before a model is asked anything.

    Raises:
        UsageError: another suffix, or a file that cannot be written there.
        MissingExtraError: pyarrow is not installed.
    """
    if path.suffix.lower() != _SUFFIX:
        raise UsageError(f"--features {path}: expected a name that ends in {_SUFFIX}")
    checked_file(path, UsageError)
    try:
        import pyarrow  # noqa: F401 - whether it can be imported is asked
    except ModuleNotFoundError:
        raise MissingExtraError("writing features as Parquet", "tables") from None


def write_features(path: Path, evaluation: Evaluation, features: NDArray[np.float32]) -> Path:
    """Write a Parquet table with a row for each face: ``row``, ``label``, ``predicted``, ``probability``, f0, f1, ...

    Args:
        path: the file.
        evaluation: the model's answers.
        features: float32 (N, D), of its rows.

    Raises:
        UsageError: it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet

    names = np.array(evaluation.classes)
    columns = {
        "row": evaluation.rows,
        "label": names[evaluation.labels],
        "predicted": names[evaluation.predictions],
        "probability": evaluation.probabilities.max(axis=1),
    } | {f"f{number}": features[:, number] for number in range(features.shape[1])}
    with whole_file(path, UsageError, pa.ArrowException) as partial:
        pa.parquet.write_table(pa.table(columns), partial)
    return path


def principal_plane(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Principal component analysis: where features (N, D) lie in the plane in which they vary most, N and D at least 2.

    Returns:
        Places (N, 2), each axis with the sign that makes its largest loading positive; and the shares (2,) of all
        variance along the axes.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    chosen = axes[:2] * np.sign(axes[np.arange(2), np.abs(axes[:2]).argmax(axis=1)])[:, None]
    return centred @ chosen.T, lengths[:2] ** 2 / max(float((lengths**2).sum()), np.finfo(float).tiny)

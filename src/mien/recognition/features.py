"""Features of faces: what the last layer of a model reads, for clustering, charts and classifiers of one's own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.preprocess import FACE_SIZE


def features_of(classifier: object, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The features of face crops, each uint8 (S, S) or (S, S, 3), of a classifier that gives them: float32 (N, D).

    Raises:
        UsageError: the classifier has no method ``features``.
        ModelFileError: the model has no layer with weights before its answer.
    """
    features = getattr(classifier, "features", None)
    if features is None:
        raise UsageError(f"a {type(classifier).__name__} gives no features: expected a method `features(faces)`")
    faces = np.stack(crops) if crops else np.empty((0, FACE_SIZE, FACE_SIZE), np.uint8)
    return np.asarray(features(faces), np.float32)

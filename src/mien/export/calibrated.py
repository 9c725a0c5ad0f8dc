"""What every exported mean has in common, of answers or of weights: temperature and figures on PublicTest."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.errors import ExportError
from mien.evaluation.mapped import require_classes
from mien.evaluation.measured import figures
from mien.evaluation.temperature import fit_temperature
from mien.model.card import ModelCard


def judged_rows(store: FaceStore, card: ModelCard) -> NDArray[np.intp]:
    """The PublicTest rows that a model's temperature is fitted on.

    Raises:
        ExportError: the data set has none.
        UsageError: the model has other classes than the data set.
    """
    require_classes(card, store)
    rows = store.rows_of("PublicTest")
    if not len(rows):
        raise ExportError("the data have no PublicTest rows to fit the temperature on; import data that have them")
    return rows


def calibrated(card: ModelCard, logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> ModelCard:
    """The card with the temperature that suits these faces best, and the figures there.

    Args:
        card: of the model that answered.
        logits: its answers (N, classes).
        labels: class numbers (N,).
    """
    temperature = fit_temperature(logits, labels)
    return replace(card, temperature=temperature, public_test=figures(logits, labels, temperature))

"""What every exported mean has in common, of answers or of weights: temperature and figures on PublicTest."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.data.store import FaceStore
from mien.errors import ExportError
from mien.evaluation.mapped import require_classes
from mien.evaluation.measured import figures
from mien.evaluation.temperature import fit_temperature, warn_at_end
from mien.model.card import ModelCard
from mien.model.onnx_model import Bundle


def judged_rows(store: FaceStore, card: ModelCard) -> NDArray[np.intp]:
    """The PublicTest rows that a model's temperature is fitted on.

    Raises:
        ExportError: the data set has none.
        UsageError: the model has other classes than the data set.
    """
    require_classes(card, store)
    return require_judged_rows(store)


def require_judged_rows(store: FaceStore) -> NDArray[np.intp]:
    """The PublicTest rows.

    Raises:
        ExportError: the data set has none.
    """
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
    warn_at_end(temperature, card.name)
    return replace(card, temperature=temperature, public_test=figures(logits, labels, temperature))


def calibrated_as_it_answers(bundle: Bundle, store: FaceStore) -> ModelCard:
    """The card with the temperature that suits PublicTest best, the figures there, and whose PublicTest that is.

    Args:
        bundle: the model file that is to be written, weights in half precision included.
        store: the data set.

    Raises:
        ExportError: the data set has no PublicTest rows.
    """
    rows = judged_rows(store, bundle.card)
    card = calibrated(bundle.card, bundle.logits(store.faces[rows]), store.labels[rows])
    calibrated_on = {"source": store.meta.source, "source_sha256": store.meta.source_sha256}
    return replace(card, training={**card.training, "calibrated_on": calibrated_on})

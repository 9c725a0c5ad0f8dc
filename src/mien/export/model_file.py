"""A model file written again: as it is, under another name, calibrated on other data, or in half precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from mien.data.store import FaceStore
from mien.export.calibrated import calibrated_as_it_answers
from mien.export.onnx import HALF_TOLERANCE, halved, probe_faces, require_close, with_card, write_model
from mien.model.onnx_model import Bundle


def export_again(
    bundle: Bundle, out: Path, name: str | None = None, *, half: bool = False, store: FaceStore | None = None
) -> float:
    """Write a model file of mien to another place; byte for byte where nothing is to change.

    Args:
        bundle: the model, loaded.
        out: the file to write; replaced only when its answers are the model's.
        name: of the model in the file; by default it stays, and what is halved or calibrated is called like the file.
        half: store weights in half precision, see `mien.export.onnx.halved`.
        store: a data set on whose PublicTest rows the file is calibrated and measured anew; else the card's figures
            stay.

    Returns:
        The largest difference of a logit between both files, over generated faces.

    Raises:
        ExportError: the difference exceeds `HALF_TOLERANCE`, the data set has no PublicTest rows, or the file cannot be
            written.
    """
    if name is None and not half and store is None:
        write_model(bundle.content, out)
        return 0.0
    model = onnx.load_from_string(bundle.content)
    if half:
        model = halved(model)
    card = replace(bundle.card, name=name or out.stem)
    again = Bundle(with_card(model, card), str(out))
    faces = probe_faces(33, card.preprocess)
    difference = float(np.abs(again.logits(faces) - bundle.logits(faces)).max())
    require_close(difference, f"{out}: logits", bundle.source, allowed=HALF_TOLERANCE)
    if store is not None:
        card = calibrated_as_it_answers(again, store)
    write_model(with_card(model, card), out)
    return difference

"""Rows of the tables that people load elsewhere (CSV, Parquet, pandas): their columns, written once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from mien.face_quality import JUDGED, QUALITIES
from mien.labels import columns_of
from mien.results import Frame

_BEFORE: Final = (
    *("source", "index", "time", "face", "track", "x", "y", "width", "height"),
    *("confidence", "emotion", "probability", "certain", *QUALITIES, *JUDGED),
)
_AFTER: Final = ("error",)


def table_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Columns of `table_rows` for a model's class names, in order."""
    return (*_BEFORE, *probability_columns(labels), *_AFTER)


def probability_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """The columns of the probabilities: the class names; ``p_NAME`` for one that another column is called."""
    return columns_of(labels, (*_BEFORE, *_AFTER))


def table_rows(frames: Iterable[Frame], labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One flat row per face, and one for every frame without a face, so that no frame is silently absent.

    Args:
        frames: results of one model, or of models with the same classes.
        labels: its class names.
    """
    columns = table_columns(labels)
    named = dict(zip(labels, probability_columns(labels), strict=True))
    for frame in frames:
        shared = {"source": frame.source, "index": frame.index, "time": frame.time, "error": frame.error}
        blank = dict.fromkeys(columns) | shared
        if not frame.faces:
            yield blank
        for face in frame.to_dict()["faces"]:
            x, y, width, height = face["box"]
            values = {**face, "x": x, "y": y, "width": width, "height": height}
            if "emotions" in face:
                values["emotions"] = "|".join(face["emotions"])
            probabilities = {named[name]: share for name, share in face["probabilities"].items() if name in named}
            yield blank | {name: values[name] for name in _BEFORE if name in values} | probabilities

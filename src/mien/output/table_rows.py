"""Rows of the tables that people load elsewhere (CSV, Parquet, pandas): their columns, written once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mien.face_quality import JUDGED, QUALITIES
from mien.labels import columns_of
from mien.results import Frame, Header

_BEFORE: Final = (
    *("source", "index", "time", "face", "track", "x", "y", "width", "height"),
    *("confidence", "emotion", "probability", "certain", *QUALITIES, *JUDGED),
)
_AFTER: Final = ("error",)


def table_columns(labels: Sequence[str], *, raw: bool = False) -> tuple[str, ...]:
    """Columns of `table_rows` for a model's class names, in order.

    Args:
        labels: the class names.
        raw: whether there are columns of the probabilities before smoothing.
    """
    return (*_BEFORE, *probability_columns(labels), *(raw_columns(labels) if raw else ()), *_AFTER)


def probability_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """The columns of the probabilities: the class names; ``p_NAME`` for one that another column is called."""
    return columns_of(labels, (*_BEFORE, *_AFTER))


def raw_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """The columns of the probabilities before smoothing: ``raw_NAME``."""
    return columns_of([f"raw_{name}" for name in labels], (*_BEFORE, *probability_columns(labels), *_AFTER))


def has_raw(header: Header) -> bool:
    """Whether results carry the probabilities before smoothing."""
    return bool(header.options.get("raw"))


def table_rows(frames: Iterable[Frame], labels: Sequence[str], *, raw: bool = False) -> Iterator[dict[str, Any]]:
    """One flat row per face, and one for every frame without a face, so that no frame is silently absent.

    Args:
        frames: results of one model, or of models with the same classes.
        labels: its class names.
        raw: see `table_columns`.
    """
    columns = table_columns(labels, raw=raw)
    named = dict(zip(labels, probability_columns(labels), strict=True))
    raw_named = dict(zip(labels, raw_columns(labels), strict=True)) if raw else {}
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
            shares = _named(face["probabilities"], named) | _named(face.get("raw_probabilities", {}), raw_named)
            yield blank | {name: values[name] for name in _BEFORE if name in values} | shares


def _named(shares: Mapping[str, float], columns: Mapping[str, str]) -> dict[str, float]:
    """Shares by column instead of by class; those of classes without a column are left out."""
    return {columns[name]: share for name, share in shares.items() if name in columns}

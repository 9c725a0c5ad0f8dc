"""Rows of the tables that people load elsewhere (CSV, Parquet, pandas): their columns, written once."""

from collections.abc import Iterable, Iterator
from typing import Any

from mien.labels import EMOTIONS
from mien.results import Frame

TABLE_COLUMNS = (
    *("source", "index", "time", "face", "track", "x", "y", "width", "height"),
    *("confidence", "emotion", "probability", "certain", *EMOTIONS, "error"),
)
"""Columns of `table_rows`, in order."""


def table_rows(frames: Iterable[Frame]) -> Iterator[dict[str, Any]]:
    """One flat row per face, and one for every frame without a face, so that no frame is silently absent."""
    for frame in frames:
        shared = {"source": frame.source, "index": frame.index, "time": frame.time, "error": frame.error}
        blank = dict.fromkeys(TABLE_COLUMNS) | shared
        if not frame.faces:
            yield blank
        for face in frame.to_dict()["faces"]:
            x, y, width, height = face["box"]
            values = {**face, **face["probabilities"], "x": x, "y": y, "width": width, "height": height}
            yield blank | {name: values[name] for name in TABLE_COLUMNS if name in values}

"""Results as a pandas DataFrame, by pandas of the extra `tables`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from mien.errors import MissingExtraError, UsageError
from mien.labels import EMOTIONS
from mien.output.table_rows import has_raw, table_columns, table_rows
from mien.results import Frame, Header

if TYPE_CHECKING:
    import pandas as pd


class HasFrame(Protocol):
    """A result that carries its frame, such as `mien.Recognized`."""

    @property
    def frame(self) -> Frame:
        """What was recognised."""
        ...


def to_pandas(results: "Frame | HasFrame | Iterable[Frame | HasFrame]") -> "pd.DataFrame":
    """Results as a table: a row for each face, and one for each frame without a face.

    Args:
        results: of `recognize` or `Recognizer.stream`, one or many.

    Returns:
        The columns of ``mien predict --format csv``. ``attrs["mien"]`` lists what the rows come from, each model and
        its options once.

    Example:
        >>> from importlib.resources import files
        >>> import mien
        >>> table = mien.to_pandas(mien.recognize(files("mien") / "samples" / "astronaut.jpg"))
        >>> table.loc[0, "emotion"]
        'happy'

    Raises:
        MissingExtraError: pandas is not installed.
        UsageError: something else than results.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("a pandas table", "tables") from None
    headers: list[Header] = []
    frames = list(_noted(_frames(results), headers))
    labels = _labels(frames, headers)
    raw = any(map(has_raw, headers))
    table = pd.DataFrame(list(table_rows(frames, labels, raw=raw)), columns=list(table_columns(labels, raw=raw)))
    table.attrs["mien"] = [header.to_dict() for header in headers]
    return table


def _noted(frames: Iterable[Frame], headers: list[Header]) -> Iterator[Frame]:
    """The same frames; every header that comes by is added to a list once."""
    for frame in frames:
        if frame.header is not None and frame.header not in headers:
            headers.append(frame.header)
        yield frame


def _labels(frames: Sequence[Frame], headers: Sequence[Header]) -> tuple[str, ...]:
    """The class names of all models that some frames come from, in order; FER2013's where nothing tells them."""
    of_headers = (name for header in headers for name in header.labels)
    of_faces = (name for frame in frames for face in frame.faces for name in face.probabilities)
    return tuple(dict.fromkeys((*of_headers, *of_faces))) or EMOTIONS


def _frames(results: "Frame | HasFrame | Iterable[Frame | HasFrame]") -> Iterator[Frame]:
    for result in results if isinstance(results, Iterable) else (results,):
        frame = result if isinstance(result, Frame) else getattr(result, "frame", None)
        if not isinstance(frame, Frame):
            raise UsageError(
                f"a {type(result).__name__} is no row of a table: expected what mien.recognize or "
                "Recognizer.stream gives"
            )
        yield frame

"""Figures by a trait of the faces, for `mien evaluate --groups FILE --by COLUMN`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.table import Table

    from mien.data.reading.class_maps import ClassMap
    from mien.data.store import FaceStore
    from mien.evaluation.by_trait import ByTrait
    from mien.evaluation.evaluated import Evaluation
    from mien.model.card import ModelCard


class TraitFile:
    """The file and the column that `--groups` and `--by` name.

    Raises:
        UsageError: one without the other.
    """

    def __init__(self, path: Path | None, column: str | None) -> None:
        if (path is None) != (column is None):
            raise UsageError("--groups FILE and --by COLUMN belong together: name the csv, and the column to go by")
        self._path, self._column = path, column or ""

    def __bool__(self) -> bool:
        return self._path is not None

    def read(self, store: "FaceStore", usage: str, card: "ModelCard", folder: Path, names: "ClassMap") -> "Trait":
        """The trait of the rows to evaluate, before any is evaluated.

        Args:
            store: the data set.
            usage: which of its rows.
            card: of the model, which tells the rows that its training held out.
            folder: what the data set was opened from; pictures in folders go by ``file_name``, rows by ``row``.
            names: what the folders' names mean.
        """
        from mien.data.columns import row_column
        from mien.data.reading.importing import column_of_pictures
        from mien.data.store import is_store
        from mien.evaluation.by_trait import check_values
        from mien.evaluation.provenance import rows_to_evaluate

        assert self._path is not None
        rows = rows_to_evaluate(store, usage, card)
        if is_store(folder):
            values = row_column(self._path, self._column, rows, len(store))
        else:
            values = column_of_pictures(folder, names, self._path, self._column, model=card.labels)
        check_values(self._column, values)
        return Trait(self._column, rows, values)


class Trait:
    """A trait of some rows: its name, the rows (N,), and its value for each (N,)."""

    def __init__(self, name: str, rows: "NDArray[np.intp]", values: "NDArray[np.str_]") -> None:
        self._name, self._rows, self._values = name, rows, values

    def of(self, result: "Evaluation") -> "ByTrait":
        """An evaluation of these rows, or some of them, by the trait."""
        import numpy as np

        from mien.evaluation.by_trait import ByTrait

        return ByTrait(self._name, result, self._values[np.searchsorted(self._rows, result.rows)])


def print_by_trait(found: "ByTrait", console: "Console") -> None:
    """The table by value, the largest gap, and a warning where faces are few."""
    from mien.evaluation.by_trait import FEW_FACES

    console.print(_table(found))
    console.print("intervals of 95 %, each value by itself", highlight=False)
    if gap := found.gap:
        low, high = gap.interval
        console.print(
            f"largest gap {100 * gap.share:.1f} points: {gap.high} against {gap.low} (95 %: {100 * low:+.1f} .. "
            f"{100 * high:+.1f}); p = {gap.p_value:.2g} that chance alone makes one as large",
            highlight=False,
            markup=False,
        )
    else:
        console.print(f"no gap: fewer than two values have {FEW_FACES} faces", highlight=False)
    if few := found.few:
        console.print(
            f"fewer than {FEW_FACES} faces: {', '.join(few)}; their figures are no ground for a claim, and the gap "
            "leaves them out",
            style="yellow",
            highlight=False,
            markup=False,
        )


def table_by_trait(found: "ByTrait") -> tuple[list[str], list[list[str]]]:
    """Header and rows of `--table`: all faces, then each value of the trait."""
    header = [
        found.trait,
        "data",
        "faces",
        "accuracy, %",
        "95 % low",
        "95 % high",
        "balanced accuracy, %",
        "macro F1",
        "ECE",
        "NLL",
    ]
    figures = [("all", found.whole.to_dict()), *_figures(found).items()]
    return header, [_cells(name, found.whole.where, values) for name, values in figures]


def _figures(found: "ByTrait") -> dict[str, Any]:
    values: dict[str, Any] = found.to_dict()["values"]
    return values


def _cells(name: str, where: str, values: dict[str, Any]) -> list[str]:
    low, high = values["accuracy_interval"]
    shares = (values["accuracy"], low, high, values["balanced_accuracy"])
    figures = (values[key] for key in ("macro_f1_present", "ece", "nll"))
    accuracies = (f"{100 * share:.2f}" for share in shares)
    return [name, where, str(values["n"]), *accuracies, *(f"{value:.3f}" for value in figures)]


def _table(found: "ByTrait") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"by {found.trait}"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(Text(found.trait))
    for name in ("faces", "accuracy, %", "balanced, %", "macro F1", "ECE"):
        table.add_column(name, justify="right")
    for value, figures in _figures(found).items():
        intervals = figures["intervals"]
        table.add_row(
            Text(value),
            f"{figures['n']:,}",
            _with_interval(figures["accuracy"], figures["accuracy_interval"], percent=True),
            _with_interval(figures["balanced_accuracy"], intervals["balanced_accuracy"], percent=True),
            _with_interval(figures["macro_f1_present"], intervals["macro_f1_present"]),
            _with_interval(figures["ece"], intervals["ece"]),
        )
    return table


def _with_interval(value: float, interval: list[float], *, percent: bool = False) -> str:
    low, high = interval
    if percent:
        return f"{100 * value:.1f}\n{100 * low:.0f} .. {100 * high:.0f}"
    return f"{value:.2f}\n{low:.2f} .. {high:.2f}"

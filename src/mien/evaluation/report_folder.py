"""The folder of a report: figures, predictions and charts of an evaluation."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mien.errors import MissingExtraError
from mien.evaluation.by_trait import ByTrait
from mien.evaluation.evaluated import Evaluation
from mien.files import made_folder, writing_into
from mien.labels import columns_of
from mien.toml_json import to_json

if TYPE_CHECKING:
    from mien.chart_style import ChartStyle

REPORT_FILE: Final = "report.json"
PREDICTIONS_FILE: Final = "predictions.csv"
_COLUMNS: Final = ("row", "label", "predicted", "group")


class ReportFolder:
    """A folder for reports. Made before a model is asked anything, so that no result is lost for want of a place.

    Raises:
        UsageError: the folder cannot be made.
        MissingExtraError: matplotlib, which draws the charts, is not installed.
    """

    def __init__(self, folder: Path, style: "ChartStyle | None" = None) -> None:
        try:
            from mien.evaluation import report_charts as pictures
            from mien.evaluation.trait_chart import draw_by_trait
        except ModuleNotFoundError:
            raise MissingExtraError("drawing the charts of a report", "train") from None
        self._folder, self._pictures, self._style = made_folder(folder), pictures, style
        self._by_trait = draw_by_trait

    def write(self, evaluation: Evaluation, by_trait: ByTrait | None = None) -> list[Path]:
        """Write report.json, predictions.csv and the charts, over those of an earlier report; returns their paths.

        Args:
            evaluation: what is reported.
            by_trait: the same by a trait: more in report.json, a column in predictions.csv, and a chart.

        Raises:
            UsageError: the folder is not writable.
        """
        report, table = self._folder / REPORT_FILE, self._folder / PREDICTIONS_FILE
        with writing_into(self._folder):
            report.write_text(json_report(evaluation, by_trait), encoding="utf-8")
            _write_predictions(evaluation, by_trait, table)
            charts = self._pictures.draw_all(evaluation, self._folder, self._style)
            if by_trait is not None:
                charts.append(self._by_trait(by_trait, self._folder, self._style))
            return [report, table, *charts]


def json_report(evaluation: Evaluation, by_trait: ByTrait | None = None) -> str:
    """The document of report.json, and of `mien evaluate --json`."""
    document = evaluation.to_dict() | ({} if by_trait is None else {"by_trait": by_trait.to_dict()})
    return to_json(document)


def _write_predictions(evaluation: Evaluation, by_trait: ByTrait | None, path: Path) -> None:
    more = {} if evaluation.groups is None else {"group": evaluation.groups}
    if by_trait is not None:  # a trait may be called like a column of the table, which has another meaning
        name = f"by_{by_trait.trait}" if by_trait.trait in _COLUMNS else by_trait.trait
        more[name] = by_trait.values
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        taken = (*_COLUMNS, *more)
        writer.writerow(["row", "label", "predicted", *columns_of(evaluation.classes, taken), *more])
        for row, label, predicted, probabilities, *others in zip(
            evaluation.rows,
            evaluation.labels,
            evaluation.predictions,
            evaluation.probabilities,
            *more.values(),
            strict=True,
        ):
            values = (f"{value:.6f}" for value in probabilities)
            writer.writerow([row, evaluation.classes[label], evaluation.classes[predicted], *values, *others])

"""The folder of a report: figures, predictions and charts of an evaluation."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mien.errors import MissingExtraError
from mien.evaluation.evaluated import Evaluation
from mien.files import made_folder, writing_into
from mien.labels import columns_of

if TYPE_CHECKING:
    from mien.evaluation.chart_style import ChartStyle


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
        except ModuleNotFoundError:
            raise MissingExtraError("drawing the charts of a report", "train") from None
        self._folder, self._pictures, self._style = made_folder(folder), pictures, style

    def write(self, evaluation: Evaluation) -> list[Path]:
        """Write report.json, predictions.csv and the charts, over those of an earlier report; returns their paths.

        Raises:
            UsageError: the folder is not writable.
        """
        report, table = self._folder / "report.json", self._folder / "predictions.csv"
        with writing_into(self._folder):
            report.write_text(evaluation.to_json() + "\n", encoding="utf-8")
            _write_predictions(evaluation, table)
            return [report, table, *self._pictures.draw_all(evaluation, self._folder, self._style)]


def _write_predictions(evaluation: Evaluation, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        groups = [] if evaluation.groups is None else [evaluation.groups]
        writer.writerow(
            ["row", "label", "predicted", *columns_of(evaluation.classes, _COLUMNS), *(["group"] if groups else [])]
        )
        for row, label, predicted, probabilities, *group in zip(
            evaluation.rows, evaluation.labels, evaluation.predictions, evaluation.probabilities, *groups, strict=True
        ):
            values = (f"{value:.6f}" for value in probabilities)
            writer.writerow([row, evaluation.classes[label], evaluation.classes[predicted], *values, *group])

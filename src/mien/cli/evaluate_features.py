"""What `mien evaluate --features` and `--trust` write."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.cli.messages import tracked
from mien.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from mien.chart_style import ChartStyle
    from mien.data.store import FaceStore
    from mien.evaluation.evaluated import Evaluation


class FeatureFiles:
    """The table of features with its chart, and the trust file; each only where it was asked for.

    Args:
        features: the Parquet file.
        trust: the trust file.
        style: how the chart is written.

    Raises:
        UsageError: a name with another suffix, or in a folder that is not there.
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, features: Path | None, trust: Path | None, style: "ChartStyle | None") -> None:
        from mien.evaluation.features import check_table
        from mien.files import checked_file
        from mien.model.trust import SUFFIX

        if features is not None:
            check_table(features)
        if trust is not None:
            if not trust.name.endswith(SUFFIX):
                raise UsageError(f"--trust {trust}: expected a name that ends in {SUFFIX}")
            checked_file(trust, UsageError)
        self._features, self._trust, self._style = features, trust, style

    def check(
        self, classifier: object, store: "FaceStore", usage: str, *, mapped: bool, restricted: bool, tta: str
    ) -> None:
        """Refuse what no trust file can be made of, before the model is asked anything.

        Raises:
            UsageError: not a model file; answers that are not those of `mien predict`; or rows that the model learned.
        """
        from mien.evaluation.fit_trust import check_rows
        from mien.evaluation.provenance import rows_to_evaluate, trained_on
        from mien.model.onnx_model import Bundle

        if self._trust is None:
            return
        if not isinstance(classifier, Bundle):
            raise UsageError("--trust is for a model file: `mien export` the run first")
        if mapped or restricted or tta != "none":
            raise UsageError(
                "--trust is for the answers of `mien predict`: leave --map, --classes and --tta out, and take a data "
                "set of the model's classes"
            )
        rows = rows_to_evaluate(store, usage, classifier.card)
        if len(rows):  # `report.evaluate` says which rows there are instead
            check_rows(len(rows), trained_on(classifier.card, store, rows))

    def write(self, classifier: Any, store: "FaceStore", result: "Evaluation", messages: "Console") -> list[Path]:
        """Write the files that were asked for; returns their paths.

        Raises:
            ModelFileError: the model has no layer with weights before its answer.
            UsageError: a file cannot be written, or too few rows.
        """
        from mien.evaluation.features import features_of_rows, write_features
        from mien.evaluation.fit_trust import fit_trust, reference_rows

        if self._features is None and self._trust is None:
            return []
        read = partial(features_of_rows, classifier, store, track=partial(tracked, messages, "features"))
        features = read(result.rows)
        written = []
        if self._features is not None:
            from mien.evaluation.feature_chart import draw_features

            written += [write_features(self._features, result, features)]
            if features.shape[1] > 1 and len(features) > 1:
                written += [draw_features(result, features, self._features, self._style)]
        if self._trust is not None:
            training = reference_rows(store)
            reference = read(training) if len(training) else features[:0]
            written += [fit_trust(result, features, reference).save(self._trust)]
        return written

"""A comparison as JSON-ready rows, one for each variant, as tables and comparison.json have them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, get_args

import numpy as np

from mien.choices import ChartFormat
from mien.evaluation.comparison import Difference, Variant, compared_rows, difference
from mien.evaluation.significance import holm

COMPARISON_FILE: Final = "comparison.json"
ACCURACY_CHART: Final = "accuracy"
CURVES_CHART: Final = "curves"


def file_names() -> set[str]:
    """What a comparison may write into its folder."""
    charts = {f"{chart}.{ending}" for chart in (ACCURACY_CHART, CURVES_CHART) for ending in get_args(ChartFormat)}
    return {COMPARISON_FILE, *charts}


def summary(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """JSON-ready rows, one per variant: the rows it is compared on, seeds, accuracies, and the difference to the first
    variant.

    ``p_holm`` is the p value (McNemar's, else over paired seeds) corrected for all comparisons with the first; null
    where there is none.
    """
    gains = [difference(variant, variants[0]) for variant in variants[1:]]
    p_values = [gain.best_p_value for gain in gains]
    corrected = iter(holm([p_value for p_value in p_values if p_value is not None]))
    data = compared_rows(variants)
    rows = [_row(variants[0], data)]
    for variant, gain, p_value in zip(variants[1:], gains, p_values, strict=True):
        p_holm = None if p_value is None else next(corrected)
        rows.append({**_row(variant, data), **_difference_row(gain), "p_holm": p_holm})
    return rows


def _row(variant: Variant, data: str) -> dict[str, Any]:
    accuracies = variant.accuracies
    return {
        "name": variant.name,
        "data": data,
        "usage": variant.runs[0].usage,
        "tta": variant.runs[0].tta,
        "n": len(variant.correct),
        "seeds": [run.seed for run in variant.runs],
        "epochs": [len(run.history) for run in variant.runs],
        "accuracies": accuracies.tolist(),
        "accuracy": float(accuracies.mean()),
        "deviation": float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None,
        "folds": _folds_row(variant),
    }


def _folds_row(variant: Variant) -> dict[str, Any] | None:
    """Accuracy on each fold, mean over seeds, and its mean and standard deviation over folds."""
    if not all(run.folds for run in variant.runs):
        return None
    accuracies = np.mean([run.folds for run in variant.runs], axis=0)
    return {
        "accuracies": accuracies.tolist(),
        "mean": float(accuracies.mean()),
        "deviation": float(accuracies.std(ddof=1)),
    }


def _difference_row(gain: Difference) -> dict[str, Any]:
    return {
        "difference": gain.share,
        "interval": [gain.low, gain.high],
        "interval_over": gain.over,
        "monte_carlo_error": gain.monte_carlo_error,
        "p_value": gain.p_value,
        "paired_seeds": asdict(gain.paired) if gain.paired else None,
    }

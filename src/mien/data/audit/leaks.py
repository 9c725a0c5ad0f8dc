"""Leakage between Training and the test usages."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
"""Row numbers of a data set."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Leakage between Training and a test usage; rows ascending.

    Args:
        usage: the test usage.
        rows: how many rows it has.
        identical: its rows that are duplicated in Training, pixel for pixel.
        same_label: how many of these stand there with their own label.
        training: Training rows that stand in the usage.
        near: its rows that are nearly the same as a Training row, without those identical to one.
        near_training: Training rows that are nearly the same as a row of the usage, without those identical to one.
    """

    usage: str
    rows: int
    identical: Rows
    same_label: int
    training: Rows
    near: Rows
    near_training: Rows

    @property
    def verdict(self) -> str:
        """One sentence."""
        return f"{len(self.identical):,} of {self.rows:,} {self.usage} rows stand in Training" + (
            f", {len(self.near):,} more nearly so" if len(self.near) else ""
        )

    def lines(self) -> list[tuple[str, int, str]]:
        """Findings as name, count, and what is counted."""
        identical = f"of {self.rows:,} rows stand in Training, {self.same_label:,} of them with the same label"
        near = f"further {self.usage} rows nearly the same as a Training row ({len(self.near_training):,} of Training)"
        return [
            (f"{self.usage} leak", len(self.identical), identical),
            (f"{self.usage} leak, other side", len(self.training), f"Training rows stand in {self.usage}"),
            (f"{self.usage} near leak", len(self.near), near),
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "usage": self.usage,
            "rows": self.rows,
            "verdict": self.verdict,
            "identical": len(self.identical),
            "identical_same_label": self.same_label,
            "training_rows_identical": len(self.training),
            "near": len(self.near),
            "training_rows_near": len(self.near_training),
            "identical_rows": self.identical.tolist(),
            "near_rows": self.near.tolist(),
        }

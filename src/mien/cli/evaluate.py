"""`mien evaluate`: every figure of one model on one part of a data set."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mien.labels import EMOTIONS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mien.evaluation.report import Evaluation

Usage = Literal["Training", "PublicTest", "PrivateTest"]
Augmentation = Literal["none", "flip", "tencrop"]


def evaluate(
    model: Annotated[str, typer.Argument(help="ONNX file, name of an embedded model, or folder of a run.")],
    data: Annotated[Path, typer.Option(help="Data set made by `mien data import`.")],
    usage: Annotated[Usage, typer.Option(help="Choose on PublicTest; look at PrivateTest once.")],
    tta: Annotated[Augmentation, typer.Option(help="Test-time augmentation: the mean of 1, 2 or 10 views.")] = "none",
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, predictions.csv and pictures.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Measure a model: accuracy, macro F1, calibration, per-class figures, confusion."""
    from rich.console import Console

    from mien.data.store import FaceStore
    from mien.evaluation import report
    from mien.evaluation.classifier import open_classifier

    messages = Console(stderr=True)
    folder = report.ReportFolder(out) if out else None
    store = FaceStore.open(data)
    result = report.evaluate(open_classifier(model), store, usage, tta, track=partial(_track, messages))
    try:  # files first: a reader of standard output may stop early, a full disk must not take the figures away
        written = list(folder.write(result)) if folder else []
    finally:
        if as_json:
            typer.echo(result.to_json())
        else:
            _print(result, Console())
    for path in written:
        messages.print(f"wrote {path}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _track(messages: "Console", chunks: range) -> Iterable[int]:
    from rich.progress import track

    return track(chunks, "evaluating", console=messages, transient=True, disable=not messages.is_terminal)


def _print(result: "Evaluation", console: "Console") -> None:
    values = result.to_dict()
    low, high = values["accuracy_interval"]
    what = f"{result.model} on {result.usage} of {result.source}, {len(result):,} faces, tta {result.tta}"
    console.print(what, style="bold", markup=False, highlight=False)
    console.print(
        f"accuracy   {values['accuracy']:.2%} ± {values['standard_error']:.2%} (95 %: {low:.2%} .. {high:.2%})\n"
        f"top-2      {values['top2_accuracy']:.2%}\n"
        f"macro F1   {values['macro_f1']:.4f}\n"
        f"ECE        {values['ece']:.4f} with temperature {values['temperature']:.4g}, "
        f"{values['ece_uncalibrated']:.4f} without; NLL {values['nll']:.4f}",
        highlight=False,
    )
    console.print(_class_table(values["per_class"]), _confusion_table(values["confusion"]))


def _class_table(per_class: dict[str, dict[str, float]]) -> "Table":
    from rich.table import Table

    table = Table("emotion", title="per class", title_justify="left")
    for name in ("precision", "recall", "F1", "faces"):
        table.add_column(name, justify="right")
    for emotion, scores in per_class.items():
        shares = (f"{scores[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(emotion, *shares, f"{scores['support']:,}")
    return table


def _confusion_table(confusion: list[list[int]]) -> "Table":
    from rich.table import Table

    table = Table("true \\ predicted", title="confusion: faces", title_justify="left")
    for emotion in EMOTIONS:
        table.add_column(emotion, justify="right")
    for emotion, counts in zip(EMOTIONS, confusion, strict=True):
        table.add_row(emotion, *map(str, counts))
    return table

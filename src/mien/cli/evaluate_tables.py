"""The figures of `mien evaluate` for people, and as one row of a table."""

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from mien.evaluation.evaluated import Evaluation

_MOST_COLUMNS: Final = 12
"""Classes up to which the confusion matrix is printed whole."""

_MOST_MISTAKES: Final = 12


def row_of(result: "Evaluation") -> tuple[list[str], list[list[str]]]:
    """Header and row of `--table`: the figures of one model."""
    values = result.to_dict()
    low, high = values["accuracy_interval"]
    cells = {
        "model": result.model,
        "data": result.where,
        "faces": str(len(result)),
        "accuracy, %": f"{100 * values['accuracy']:.2f}",
        "standard error": f"{100 * values['standard_error']:.2f}",
        "95 % low": f"{100 * low:.2f}",
        "95 % high": f"{100 * high:.2f}",
        "balanced accuracy, %": f"{100 * values['balanced_accuracy']:.2f}",
        "macro F1": f"{values['macro_f1_present']:.3f}",
        "ECE": f"{values['ece']:.3f}",
        "NLL": f"{values['nll']:.3f}",
    }
    return list(cells), [list(cells.values())]


def print_evaluation(result: "Evaluation", console: "Console") -> None:
    """Every figure of an evaluation."""
    values = result.to_dict()
    (low, high), (least, most) = values["accuracy_interval"], values["ece_band"]
    drawn = f", over {values['groups']:,} groups" if values["groups"] else ""
    what = f"{result.model} on {result.where}, {len(result):,} faces, tta {result.tta}"
    console.print(what, style="bold", markup=False, highlight=False)
    if "target_rule" in values:
        console.print(
            f"truth      {values['target_rule']}; {values['without_target']:,} faces without one left out",
            highlight=False,
        )
    if trained_on := values["trained_on"]:
        _print_trained_on(**trained_on, n=len(result), console=console)
    console.print(
        f"accuracy   {values['accuracy']:.2%} ± {values['standard_error']:.2%} (95 %: {low:.2%} .. {high:.2%}{drawn})\n"
        f"top-2      {values['top2_accuracy']:.2%}\n"
        f"macro F1   {_macro_f1(result, values)}\n"
        f"ECE        {values['ece']:.4f} with temperature {values['temperature']:.4g}, "
        f"{values['ece_uncalibrated']:.4f} without; NLL {values['nll']:.4f}\n"
        f"           of a perfectly calibrated model: {least:.4f} .. {most:.4f} (90 % of simulations)",
        markup=False,
        emoji=False,
        highlight=False,
    )
    console.print(_selective(values["selective"]), highlight=False)
    if values["conformal"]:
        console.print(_sets(values["conformal"]), highlight=False)
    if "eight_classes" in values:
        console.print(_eight_classes(**values["eight_classes"]), highlight=False)
    if "seen" in values:
        console.print(_without_seen(values["seen"], values["without_seen"]), highlight=False)
    for name, quarters in values["by_quality"].items():
        console.print(_by_quality(name, quarters), highlight=False)
    console.print(_class_table(values["per_class"]), _confusion_table(values["confusion"], result.classes))


def _selective(selective: dict[str, Any]) -> str:
    """Accuracy of the most confident answers; thresholds rounded down, so that they answer no fewer faces."""
    at = selective["at"]
    shares, right, least = (
        " / ".join(texts)
        for texts in (
            [f"{entry['coverage']:.0%}" for entry in at],
            [f"{entry['accuracy']:.1%}" for entry in at],
            [f"{_floored(entry['threshold']):.3f}" for entry in at],
        )
    )
    return (
        f"selective  {right} right among the surest {shares}\n"
        f"           (p >= {least}); AURC {selective['aurc']:.4f}, at least {selective['aurc_least']:.4f}"
    )


def _floored(threshold: float) -> float:
    return math.floor(1000 * threshold) / 1000


def _sets(conformal: dict[str, Any]) -> str:
    """Conformal sets: wanted and found coverage, and how many classes they hold."""
    found = ", ".join(
        f"{level['level']:.0%}: {level['coverage']:.1%} ({level['mean_size']:.2f} classes)"
        for level in conformal["levels"]
    )
    tested = f"fitted on {conformal['fitted']:,} faces, tested on {conformal['tested']:,}"
    return f"sets       {found}\n           hold the true class; {tested}"


def _macro_f1(result: "Evaluation", values: dict[str, Any]) -> str:
    """The figure, and over which classes it is where some have no faces."""
    if not result.absent:
        return f"{values['macro_f1']:.4f}"
    over, present = len(values["macro_f1_over"]), len(result.classes) - len(result.absent)
    text = f"{values['macro_f1_present']:.4f} over the {present} classes that have faces"
    if over > present:
        text += f"; {values['macro_f1']:.4f} over {over}, those counted that are predicted all the same"
    return f"{text} (none shows {', '.join(result.absent)})"


def _print_trained_on(rows: int, exact: bool, n: int, console: "Console") -> None:
    if rows:
        most = "" if exact else "at most "
        console.print(
            f"trained on {most}{rows:,} of these {n:,} faces: the figures say what it remembers",
            style="yellow",
            highlight=False,
        )


def _eight_classes(accuracy: float, contempt: int, n: int) -> str:
    return f"8 classes  {accuracy:.2%} on {n:,} faces; {contempt:,} of them show contempt and count as wrong"


def _without_seen(seen: int, figures: dict[str, float]) -> str:
    return (
        f"unseen     {figures['accuracy']:.2%}, macro F1 {figures['macro_f1']:.4f} on {figures['n']:,} faces; "
        f"{seen:,} stand in Training"
    )


def _by_quality(name: str, quarters: list[dict[str, float]]) -> str:
    return f"{name:<10} " + ", ".join(f"{quarter['accuracy']:.1%}" for quarter in quarters) + " from least to most"


def _class_table(per_class: dict[str, dict[str, float]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("emotion", title="per class", title_justify="left")
    for name in ("precision", "recall", "F1", "faces"):
        table.add_column(name, justify="right")
    for emotion, scores in per_class.items():
        shares = (f"{scores[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(Text(emotion), *shares, f"{scores['support']:,}")
    return table


def _confusion_table(confusion: list[list[int]], classes: "Sequence[str]") -> "Table":
    """The confusion matrix; of many classes, whose columns no terminal has room for, the most frequent mistakes."""
    from rich.table import Table
    from rich.text import Text

    if len(classes) > _MOST_COLUMNS:
        return _mistakes_table(confusion, classes)

    table = Table("true \\ predicted", title="confusion: faces", title_justify="left")
    for name in classes:
        table.add_column(Text(name), justify="right")
    for name, counts in zip(classes, confusion, strict=True):
        table.add_row(Text(name), *map(str, counts))
    return table


def _mistakes_table(confusion: list[list[int]], classes: "Sequence[str]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    pairs = [
        (faces, name, other)
        for name, counts in zip(classes, confusion, strict=True)
        for other, faces in zip(classes, counts, strict=True)
        if faces and other != name
    ]
    pairs.sort(key=lambda pair: -pair[0])
    shown = pairs[:_MOST_MISTAKES]
    title = f"confusion: the most frequent {len(shown)} of {len(pairs):,} mistakes (--json has the matrix)"
    table = Table("true", "predicted", title=title, title_justify="left")
    table.add_column("faces", justify="right")
    for faces, name, other in shown:
        table.add_row(Text(name), Text(other), f"{faces:,}")
    return table

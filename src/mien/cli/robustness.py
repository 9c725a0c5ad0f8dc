"""Robustness to corruptions, printed and written for `mien evaluate` and `mien compare`."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from mien.cli.messages import say_written, tracked

if TYPE_CHECKING:
    from rich.table import Table

    from mien.data.store import FaceStore
    from mien.evaluation.classifier import Classifier
    from mien.evaluation.robustness import Robustness, Score
    from mien.evaluation.robustness_report import RobustnessFolder


def report_corruptions(
    classifiers: "Sequence[Classifier]",
    store: "FaceStore",
    usage: str,
    folder: "RobustnessFolder | None",
    *,
    tta: str = "none",
    targets: str = "fer2013",
    as_json: bool = False,
) -> None:
    """Measure one model or several under every corruption, write the files, and print the table or the JSON."""
    from mien.evaluation.robustness_report import compared
    from mien.toml_json import to_json

    results = [_measured(classifier, store, usage, tta, targets) for classifier in classifiers]
    document = results[0].to_dict() if len(results) == 1 else compared(results)
    written = []
    try:
        written = folder.write(results, document) if folder else []
    finally:
        if as_json:
            typer.echo(to_json(document), nl=False)
        elif len(results) == 1:
            _print_one(results[0])
        else:
            _print_several(results, document)
    say_written(written)


def _measured(classifier: "Classifier", store: "FaceStore", usage: str, tta: str, targets: str) -> "Robustness":
    from rich.console import Console

    from mien.evaluation.report import evaluate
    from mien.evaluation.robustness import measure_robustness

    clean = evaluate(classifier, store, usage, tta, targets=targets)
    track = partial(tracked, Console(stderr=True), f"{clean.model} under corruption")
    return measure_robustness(classifier, clean, store.faces, track=track)


def _print_one(result: "Robustness") -> None:
    from mien.evaluation.corruptions import SEVERITIES
    from mien.evaluation.robustness_report import by_severity

    table = _table("accuracy, %", *map(str, SEVERITIES), "mean", "ECE", "confident\nerrors")
    empty = [""] * len(SEVERITIES)
    table.add_row("clean", *empty, *_figures(result.clean))
    for entry in result.corruptions:
        marked = result.trained_families is not None and entry.family not in result.trained_families
        accuracies = (_percent(score.accuracy) for score in entry.scores)
        table.add_row(entry.name + " *" * marked, *accuracies, *_figures(entry.mean))
    table.add_section()
    table.add_row("mean", *map(_percent, by_severity(result)), *_figures(result.mean))
    for name, trained in (("trained with", True), ("not trained *", False)):
        if mean := result.mean_over(trained=trained):
            table.add_row(name, *empty, *_figures(mean))
    _show(result, result.model, table)
    if result.trained_families is None:
        typer.echo("The card names no augment_families: no means by family can be given.")


def _print_several(results: "Sequence[Robustness]", document: dict[str, Any]) -> None:
    from rich.console import Console

    table = _table("mean accuracy, %", *(result.model for result in results))
    table.add_row("clean", *(_percent(result.clean.accuracy) for result in results))
    for entries in zip(*(result.corruptions for result in results), strict=True):
        table.add_row(entries[0].name, *(_percent(entry.mean.accuracy) for entry in entries))
    table.add_section()
    table.add_row("mean", *(_percent(result.mean.accuracy) for result in results))
    table.add_row("mean ECE", *(f"{result.mean.ece:.3f}" for result in results))
    table.add_row("confident errors", *(_percent(result.mean.confident_errors) for result in results))
    for name, trained in (("trained with", True), ("not trained with", False)):
        means = [result.mean_over(trained=trained) for result in results]
        if any(means):
            table.add_row(name, *(_percent(mean.accuracy) if mean else "-" for mean in means))
    if (strange := document["mean_not_trained_by_any"]) is not None:
        table.add_row("no model trained with", *map(_percent, strange))
    _show(results[0], " and ".join(result.model for result in results), table)
    for difference in document["differences"]:
        Console().print(_difference(**difference), markup=False, highlight=False)


def _difference(
    *, model: str, baseline: str, difference: float, interval: list[float], relative_corruption_error: float | None
) -> str:
    low, high = interval
    relative = (
        "" if relative_corruption_error is None else f"\n  corruption error {relative_corruption_error:.3f} times"
    )
    return (
        f"{model} - {baseline}: {100 * difference:+.2f} points in the mean "
        f"(95 %: {100 * low:+.2f} .. {100 * high:+.2f}){relative}"
    )


def _show(result: "Robustness", what: str, table: "Table") -> None:
    from rich.console import Console

    from mien.evaluation.provenance import named_rows
    from mien.evaluation.robustness import CONFIDENT

    console = Console()
    about = f"{what} under corruption\n{named_rows(result.source, result.usage)}, {result.n:,} faces, tta {result.tta}"
    console.print(about, style="bold", markup=False, highlight=False)
    console.print(table)
    console.print(f"confident errors: % of all faces, wrong with a probability of {CONFIDENT:.0%} or more")


def _table(first: str, *others: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _figures(score: "Score") -> tuple[str, str, str]:
    return _percent(score.accuracy), f"{score.ece:.3f}", _percent(score.confident_errors)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"

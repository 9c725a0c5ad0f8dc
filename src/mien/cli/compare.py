"""`mien compare`: runs, models and reports in one table and two charts."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mien.choices import ChartFormat, EvaluatedUsage, TableFormat
from mien.cli.evaluate import answering, chart_style, default_targets, open_data
from mien.cli.messages import say_written, tracked
from mien.cli.options import AsJson, Charts, Column, NoTitles, TableAs
from mien.cli.robustness import report_corruptions
from mien.cli.table_formats import formatted
from mien.cli.tables import print_table, print_text
from mien.errors import MissingExtraError, UsageError
from mien.files import made_folder, writing_into

if TYPE_CHECKING:
    from mien.chart_style import ChartStyle
    from mien.evaluation.comparison import Variant
    from mien.evaluation.evaluated import Evaluation
    from mien.model.card import ModelCard

_HEADER: Final = (
    "name", "data", "seeds", "faces", "accuracy, %", "deviation", "difference", "95 % low", "95 % high", "over", "p",
    "p (Holm)",
)  # fmt: skip

_FOLDS_HEADER: Final = ("folds", "mean over folds, %", "deviation over folds")


def compare(  # noqa: PLR0913, PLR0917 - the options of the command
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|REPORT|MODEL...",
            help="Run folders (seed-N are grouped by parent), folders of `mien evaluate --out`, or, with --data, any "
            "models.",
        ),
    ],
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Compare the robustness of two or more models to image corruptions.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Data set, or a folder of pictures per class, that models are asked about now.")
    ] = None,
    usage: Annotated[
        EvaluatedUsage | None,
        typer.Option(help="Which rows; of runs PublicTest or held-out, by default the first that all of them know."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for charts and comparison.json; with --corruptions for corruptions.json, .csv, .md and .png."
        ),
    ] = None,
    table: TableAs = None,
    charts: Charts = "png",
    column: Column = False,
    no_titles: NoTitles = False,
    as_json: AsJson = False,
) -> None:
    """Compare runs, models and reports on the same faces; differences are to the first one named."""
    from mien.evaluation.comparison import variants_of
    from mien.evaluation.contenders import read_contenders

    if table and as_json:
        raise UsageError("--table and --json both write to standard output; leave one of them out")
    if corruptions:
        if table:
            raise UsageError("--table does not go with --corruptions, whose --out writes .csv and .md")
        style = chart_style(charts, column=column, titles=not no_titles) if out else None
        _compare_corruptions(names, data, usage, out, style, as_json=as_json)
        return
    ask = partial(_asked, data=data, usage=usage) if data else None
    report = Comparison(out, table, charts, column=column, titles=not no_titles, as_json=as_json)
    report.show(variants_of(read_contenders(names, usage, ask)))


def _asked(name: str, *, data: Path, usage: EvaluatedUsage | None) -> "Evaluation":
    from rich.console import Console

    from mien.evaluation.classifier import open_classifier
    from mien.evaluation.report import evaluate

    messages, classifier = Console(stderr=True), open_classifier(name)
    store, part = open_data(data, usage, [], messages, _in_one_order(classifier.card))
    asked = answering(classifier, store, [], advise=False)
    track = partial(tracked, messages, name)
    return evaluate(asked, store, part, targets=default_targets(store), track=track)


def _in_one_order(card: "ModelCard") -> "ModelCard":
    """A model's card with its classes in an order that all models of these classes share."""
    return replace(card, labels=tuple(sorted(card.labels)))


def _compare_corruptions(
    models: list[str],
    data: Path | None,
    usage: EvaluatedUsage | None,
    out: Path | None,
    style: "ChartStyle | None",
    *,
    as_json: bool,
) -> None:
    from rich.console import Console

    from mien.evaluation.classifier import open_classifier
    from mien.evaluation.robustness_report import RobustnessFolder

    if data is None or len(models) < 2:
        raise UsageError("--corruptions compares at least two models on a data set: `mien compare A B --data DATA ...`")
    folder = RobustnessFolder(out, style) if out else None
    opened = [open_classifier(model) for model in models]
    store, part = open_data(data, usage, [], Console(stderr=True), _in_one_order(opened[0].card))
    classifiers = [answering(classifier, store, [], advise=False) for classifier in opened]
    report_corruptions(classifiers, store, part, folder, targets=default_targets(store), as_json=as_json)


class Comparison:
    """Where a comparison goes: the charts' folder and style, and what standard output gets."""

    def __init__(
        self,
        out: Path | None,
        table: TableFormat | None = None,
        charts: ChartFormat = "png",
        *,
        column: bool = False,
        titles: bool = True,
        as_json: bool = False,
    ) -> None:
        self._out, self._table, self._as_json = out, table, as_json
        self._style = charts, column, titles

    def show(self, variants: "tuple[Variant, ...]") -> None:
        """Write the charts to the folder, and print the table or the JSON."""
        from mien.evaluation.comparison_rows import summary
        from mien.toml_json import to_json

        rows = summary(variants)
        try:
            if self._out is not None:
                self._write(variants, rows, self._out)
        finally:
            if self._as_json:
                typer.echo(to_json(rows), nl=False)
            elif self._table:
                typer.echo(formatted(*_cells_of_all(rows), self._table), nl=False)
            else:
                _print(rows)

    def _write(self, variants: "tuple[Variant, ...]", rows: list[dict[str, Any]], out: Path) -> None:
        try:
            from mien.chart_style import ChartStyle
            from mien.evaluation.comparison_charts import draw_comparison
            from mien.evaluation.comparison_rows import COMPARISON_FILE
        except ModuleNotFoundError:
            raise MissingExtraError("drawing a comparison", "train") from None
        from mien.toml_json import to_json

        table = made_folder(out) / COMPARISON_FILE
        with writing_into(out):
            table.write_text(to_json(rows), encoding="utf-8")
            paths = [table, *draw_comparison(variants, out, ChartStyle(*self._style))]
        say_written(paths)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    data, faces, first = rows[0]["data"], rows[0]["n"], rows[0]["name"]
    heads = f"accuracy on {data}, {faces:,} faces", f"difference to {first} (95 %)"
    table = Table(box=None)
    for head in ("name", "seeds", "epochs", *heads):
        table.add_column(Text(head))
    for row in rows:
        spread = "" if row["deviation"] is None else f" ± {row['deviation']:.2%} over seeds"
        epochs = sorted(set(row["epochs"]) - {0})  # of reports and models none is known
        if folds := row["folds"]:
            count = len(folds["accuracies"])
            spread += f"; over {count} folds {folds['mean']:.2%} ± {folds['deviation']:.2%}"
        cells = row["name"], str(len(row["seeds"])), "..".join(map(str, epochs[:: max(1, len(epochs) - 1)]))
        table.add_row(*map(Text, (*cells, f"{row['accuracy']:.2%}{spread}", _difference(row, several=len(rows) > 2))))
    print_table(table)
    if _differs_in_tta(rows):
        told = ", ".join(f"{row['name']} {row['tta']}" for row in rows)
        print_text(f"test-time augmentation differs, and with it what is compared: {told}")
    if errors := [row["monte_carlo_error"] for row in rows[1:]]:
        print_text(f"bounds of the bootstrap: Monte Carlo error at most {100 * max(errors):.2g} points")


def _differs_in_tta(rows: list[dict[str, Any]]) -> bool:
    return len({row["tta"] for row in rows}) > 1


def _difference(row: dict[str, Any], *, several: bool) -> str:
    if "difference" not in row:
        return ""
    low, high = (_points(end, row) for end in row["interval"])
    chance = "" if row["p_value"] is None else f", p = {row['p_value']:.2g}"
    if paired := row["paired_seeds"]:
        chance += f"; over paired seeds {100 * paired['low']:+.2f} .. {100 * paired['high']:+.2f}"
        chance += f", p = {paired['p_value']:.2g}"
    if several and row["p_holm"] is not None:
        chance += f", {row['p_holm']:.2g} by Holm"
    return f"{100 * row['difference']:+.2f} points ({low} .. {high} over {row['interval_over']}{chance})"


def _points(share: float, row: dict[str, Any]) -> str:
    """A bound in points with as many decimals as the Monte Carlo error leaves standing, two at most."""
    error = 100 * row["monte_carlo_error"]
    return f"{100 * share:+.{next((digits for digits in (2, 1) if error < 10**-digits / 2), 0)}f}"


def _cells_of_all(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of `--table`; folds have columns where a row has some, tta one where it differs."""
    header, cells = list(_HEADER), [_cells(row) for row in rows]
    for shown, heads, cells_of, before in (
        (any(row["folds"] for row in rows), _FOLDS_HEADER, _folds, "difference"),
        (_differs_in_tta(rows), ("tta",), lambda row: [row["tta"]], "seeds"),
    ):
        if shown:
            at = header.index(before)
            header[at:at] = heads
            for row, line in zip(rows, cells, strict=True):
                line[at:at] = cells_of(row)
    return header, cells


def _folds(row: dict[str, Any]) -> list[str]:
    folds = row["folds"]
    if not folds:
        return [""] * len(_FOLDS_HEADER)
    return [str(len(folds["accuracies"])), f"{100 * folds['mean']:.2f}", f"{100 * folds['deviation']:.2f}"]


def _cells(row: dict[str, Any]) -> list[str]:
    deviation = "" if row["deviation"] is None else f"{100 * row['deviation']:.2f}"
    cells = [row["name"], row["data"], str(len(row["seeds"])), str(row["n"]), f"{100 * row['accuracy']:.2f}", deviation]
    if "difference" not in row:
        return [*cells, *[""] * 6]
    p_value = row["p_value"] if row["paired_seeds"] is None else row["paired_seeds"]["p_value"]
    chances = ["" if p is None else f"{p:.3g}" for p in (p_value, row["p_holm"])]
    ends = [_points(end, row) for end in row["interval"]]
    return [*cells, f"{100 * row['difference']:+.2f}", *ends, row["interval_over"], *chances]

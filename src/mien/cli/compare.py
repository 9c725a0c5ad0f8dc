"""`mien compare`: several runs in one table and two charts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.choices import EvaluatedUsage
from mien.cli.evaluate import open_data
from mien.cli.messages import say_written
from mien.cli.options import AsJson
from mien.cli.robustness import report_corruptions
from mien.cli.tables import print_table
from mien.errors import MissingExtraError, UsageError
from mien.files import made_folder, writing_into

if TYPE_CHECKING:
    from mien.evaluation.comparison import Variant


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders of `mien train`; seed-N folders are grouped by parent. With --corruptions any models."
        ),
    ],
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Compare the robustness of two or more models to image corruptions.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="With --corruptions: data set, or a folder of pictures per class.")
    ] = None,
    usage: Annotated[
        EvaluatedUsage | None,
        typer.Option(help="Which rows; of runs PublicTest or held-out, by default the first that all of them know."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for curves.png, accuracy.png and comparison.json; with --corruptions for corruptions.json, "
            ".csv, .md and .png."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same faces: PublicTest, else the rows they held out; differences are to the first one."""
    from mien.evaluation.comparison import read_runs, variants_of

    if corruptions:
        _compare_corruptions(runs, data, usage, out, as_json=as_json)
        return
    if data:
        raise UsageError("--data belongs to --corruptions: runs are compared by what they answered")
    show_comparison(variants_of(read_runs(runs, usage)), out, as_json=as_json)


def _compare_corruptions(
    models: list[Path], data: Path | None, usage: EvaluatedUsage | None, out: Path | None, *, as_json: bool
) -> None:
    from rich.console import Console

    from mien.evaluation.classifier import open_classifier
    from mien.evaluation.robustness_report import RobustnessFolder

    if data is None or len(models) < 2:
        raise UsageError("--corruptions compares at least two models on a data set: `mien compare A B --data DATA ...`")
    folder = RobustnessFolder(out) if out else None
    store, part = open_data(data, usage, [], Console(stderr=True))
    classifiers = [open_classifier(str(model)) for model in models]
    report_corruptions(classifiers, store, part, folder, as_json=as_json)


def show_comparison(variants: "tuple[Variant, ...]", out: Path | None, *, as_json: bool) -> None:
    """Write the charts of a comparison to a folder, and print its table or its JSON."""
    from mien.evaluation.comparison import summary

    rows = summary(variants)
    try:
        if out is not None:
            _write(variants, rows, out)
    finally:
        if as_json:
            typer.echo(json.dumps(rows, indent=2, allow_nan=False))
        else:
            _print(rows)


def _write(variants: "tuple[Variant, ...]", rows: list[dict[str, Any]], out: Path) -> None:
    try:
        from mien.evaluation.comparison_charts import draw_comparison
    except ModuleNotFoundError:
        raise MissingExtraError("drawing a comparison", "train") from None
    table = made_folder(out) / "comparison.json"
    with writing_into(out):
        table.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        paths = [table, *draw_comparison(variants, out)]
    say_written(paths)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        "run", "seeds", "epochs", f"{rows[0]['usage']} accuracy", f"difference to {rows[0]['name']} (95 %)", box=None
    )
    for row in rows:
        spread = "" if row["deviation"] is None else f" ± {row['deviation']:.2%} over seeds"
        epochs = sorted(set(row["epochs"]))
        cells = row["name"], str(len(row["seeds"])), "..".join(map(str, epochs[:: max(1, len(epochs) - 1)]))
        table.add_row(*map(Text, (*cells, f"{row['accuracy']:.2%}{spread}", _difference(row))))
    print_table(table)


def _difference(row: dict[str, Any]) -> str:
    if "difference" not in row:
        return ""
    low, high = row["interval"]
    chance = "" if row["p_value"] is None else f", p = {row['p_value']:.2g}"
    interval = f"{100 * low:+.2f} .. {100 * high:+.2f} over {row['interval_over']}{chance}"
    return f"{100 * row['difference']:+.2f} points ({interval})"

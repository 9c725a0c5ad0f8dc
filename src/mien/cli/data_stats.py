"""`mien data stats`: what the faces of a data set are like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mien.choices import ChartFormat
from mien.cli.messages import say_written
from mien.cli.options import AsJson, Charts, Column, DataSet, NoTitles
from mien.files import made_folder, writing_into

if TYPE_CHECKING:
    from rich.table import Table

    from mien.data.statistics import Statistics
    from mien.data.store import FaceStore
    from mien.training.config import TrainConfig

_VARIANTS: Final = 16
_MEASURES: Final = ("brightness", "contrast")


def data_stats(
    data: DataSet,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for statistics.json and charts: counts, mean faces, tones, samples."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help=f"Also draw {_VARIANTS} augmented views of a face under this recipe."),
    ] = None,
    row: Annotated[int | None, typer.Option(metavar="N", help="The face that --recipe augments; 0 by default.")] = None,
    charts: Charts = "png",
    column: Column = False,
    no_titles: NoTitles = False,
    as_json: AsJson = False,
) -> None:
    """Descriptive statistics of a data set: class counts, mean faces, brightness, contrast, samples."""
    import json

    from mien.cli.tables import print_table
    from mien.data.statistics import statistics
    from mien.data.store import FaceStore
    from mien.errors import DataError

    store = FaceStore.open(data)
    if not len(store):
        raise DataError(f"{data}: no rows in it")
    config = _recipe(recipe, row, store, out)
    found = statistics(store)
    document = found.to_dict()
    try:
        if out is not None:
            style = charts, column, not no_titles
            _write(found, document, out, style)
            if recipe is not None and config is not None:
                _write_variants(store, row or 0, recipe, config, out, style)
    finally:
        if as_json:
            typer.echo(json.dumps(document))
        else:
            typer.echo(f"{len(store):,} rows of {store.meta.source}; brightness and contrast in grey levels 0..255")
            print_table(_table(document))


def _recipe(name: str | None, row: int | None, store: "FaceStore", out: Path | None) -> "TrainConfig | None":
    """The recipe to show, after the options around it were checked."""
    from mien.errors import UsageError
    from mien.training.recipe import load_config

    if row is not None and name is None:
        raise UsageError("--row names the face that --recipe varies: name a recipe too")
    if name is None:
        return None
    if out is None:
        raise UsageError("--recipe draws a picture: name a folder with --out DIR")
    if row is not None and not 0 <= row < len(store):
        raise UsageError(f"--row is {row}: expected 0..{len(store) - 1}")
    return load_config(name)


def _write(found: "Statistics", document: dict[str, Any], out: Path, style: "tuple[ChartFormat, bool, bool]") -> None:
    import json

    from mien.errors import MissingExtraError

    try:
        from mien.chart_style import ChartStyle
        from mien.data.charts import draw_statistics
    except ModuleNotFoundError:
        raise MissingExtraError("drawing statistics", "train") from None
    path = made_folder(out) / "statistics.json"
    with writing_into(out):
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        paths = [path, *draw_statistics(found, out, ChartStyle(*style))]
    say_written(paths)


def _write_variants(
    store: "FaceStore", row: int, recipe: str, config: "TrainConfig", out: Path, style: "tuple[ChartFormat, bool, bool]"
) -> None:
    from mien.chart_style import ChartStyle, save_chart
    from mien.data.chart_names import chart_names
    from mien.data.charts import draw_variants
    from mien.errors import MissingExtraError

    try:
        from mien.training.preview import augmented_variants
    except ModuleNotFoundError:
        raise MissingExtraError("varying a face", "train") from None
    variants = augmented_variants(store.faces[row], config, _VARIANTS)
    shown = chart_names(store.classes)[store.labels[row]]
    title = f"{store.meta.source} row {row}, {shown}, under the recipe {Path(recipe).stem}"
    with writing_into(out):
        figure = draw_variants(store.faces[row], variants, title)
        path = save_chart(figure, out, "augmentation", ChartStyle(*style))
    say_written([path])


def _table(document: dict[str, Any]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    counts = document["counts"]
    table = Table("class")
    for name in (*counts, *_MEASURES):
        table.add_column(name, justify="right")
    for emotion in document["brightness"]["per_class"]:
        rows = (f"{by_name[emotion]:,}" for by_name in counts.values())
        table.add_row(Text(emotion), *rows, *(_moments(document[name]["per_class"][emotion]) for name in _MEASURES))
    table.add_section()
    rows = (f"{sum(by_name.values()):,}" for by_name in counts.values())
    table.add_row("all", *rows, *(_moments(document[name]["all"]) for name in _MEASURES))
    return table


def _moments(spread: dict[str, float]) -> str:
    return f"{spread['mean']:.1f} ± {spread['deviation']:.1f}"

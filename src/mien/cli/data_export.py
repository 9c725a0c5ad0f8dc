"""`mien data export`: a data set as files for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from mien.choices import ExportFormat, PictureEncoding
from mien.cli.options import DataSet


def data_export(
    data: DataSet,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder or file to make; it must not exist yet.")],
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="folders: train|validation|test/CLASS/ROW.png. imagefolder: pictures and metadata.csv for Hugging "
            "Face's datasets. numbered: numbered jpg in train_set and verify_set, with emotion.csv and pixels.csv. "
            "train_val: train.csv, val.csv (both test usages merged) and their pictures. "
            "csv: one file as Kaggle's. npz, parquet: one file each.",
        ),
    ],
    encoding: Annotated[
        PictureEncoding | None,
        typer.Option(help="Picture encoding of folders and imagefolder; jpg is lossy; default: png."),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="folders: name the class folders by numbers from 0.")
    ] = False,
) -> None:
    """Write a data set as folders of pictures, csv, npz or Parquet."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    from mien.data.export import export_data
    from mien.data.store import FaceStore

    store, console = FaceStore.open(data), Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(f"Writing {out.name}"), total=1.0)
        done = export_data(
            store,
            out,
            format_,
            lambda part: bar.update(task, completed=part),
            encoding=encoding,
            numbers=numbers,
        )
    for note in done.notes:
        typer.echo(note, err=True)
    typer.echo(f"{out}: {done.rows} rows of {store.meta.source} as {format_}", err=True)

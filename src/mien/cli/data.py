"""`mien data`: import a data set, and say what is in it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.choices import AUTO_CLASSES, FACE_SIDES, ClassSet, DetectorName, FolderLayout, Usage
from mien.cli.audit import audit
from mien.cli.data_export import data_export
from mien.cli.data_stats import data_stats
from mien.cli.options import AsJson, ClassMaps, DataSet, Detector
from mien.defaults import DEFAULT_DETECTOR, MIN_SCORE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mien.data.reading.layouts import FoundPictures
    from mien.data.reading.pictures import FaceKind
    from mien.data.store import FaceStore

app = typer.Typer(help="Data sets: import, inspect, audit, export.", no_args_is_help=True)
app.command("audit")(audit)
app.command("stats")(data_stats)
app.command("export")(data_export)


@app.command("import")
def import_(  # noqa: PLR0913, PLR0917 - the options of the command
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="fer2013.csv, icml_face_data.csv or train.csv, also inside .zip, .tar.gz or .gz; a folder "
            "<class>/*.jpg|png or train|validation|test/<class>/*.jpg|png (Training, PublicTest, PrivateTest), or one "
            "with CK+48, RAF-DB, JAFFE, AffectNet or ExpW; or a csv of pictures with the columns path and label, and "
            "perhaps group and usage.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make; it must not exist yet.")],
    ferplus: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="FER+'s votes for the rows of the csv: fer2013new.csv, or a csv with row instead of Usage. A "
            "fer2013new.csv beside SRC is found without this option.",
        ),
    ] = None,
    map_: ClassMaps = None,
    classes: Annotated[
        ClassSet,
        typer.Option(
            help="Which classes: auto, FER2013's or FER+'s where all names mean them, else the names as they are; "
            "keep, the names as they are; ferplus, the eight, of a csv by the votes of --ferplus."
        ),
    ] = AUTO_CLASSES,
    layout: Annotated[
        FolderLayout | None,
        typer.Option(help="Layout of a folder; by default told by what is in it."),
    ] = None,
    usage: Annotated[
        Usage | None,
        typer.Option(help="Usage of all pictures of a layout that says none; with --detect by default Training."),
    ] = None,
    detect: Annotated[
        bool,
        typer.Option(
            "--detect", help="Pictures are photos: find, align and cut out the largest face, as predict does."
        ),
    ] = False,
    detector: Detector = DEFAULT_DETECTOR,
    face_size: Annotated[
        int, typer.Option(min=FACE_SIDES[0], max=FACE_SIDES[1], help="Side of the faces of pictures, in pixels.")
    ] = FACE_SIDES[0],
    colour: Annotated[bool, typer.Option("--colour", help="Keep the colours of pictures.")] = False,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="subject|sequence|folder|none|FILE",
            help="What rows belong together: the subject or sequence in the file names of CK+48 and JAFFE (subject by "
            "default where all names tell it), a folder level below the class, or a csv: row or file_name, and group.",
        ),
    ] = None,
    terms: Annotated[
        str | None,
        typer.Option(
            help="What the data set's owners demand, in short; known for RAF-DB, AffectNet, CK+, JAFFE, ExpW."
        ),
    ] = None,
    skip_damaged: Annotated[
        bool,
        typer.Option("--skip-damaged", help="Of a folder: leave out pictures that cannot be read, each named."),
    ] = False,
) -> None:
    """Import a FER2013 csv, a folder of pictures or a csv of pictures as a memory-mapped data set."""
    import time

    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    from mien.data.reading.class_maps import class_map, terms_of
    from mien.data.reading.exported import reader_of
    from mien.data.reading.importing import ferplus_beside, import_data

    if ferplus is None and (ferplus := ferplus_beside(source)):
        typer.echo(f"{ferplus}: FER+ votes lie beside {source.name} and are imported too", err=True)
    start, console = time.perf_counter(), Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(f"Reading {source.name}"), total=1.0)
        store = import_data(
            source,
            out,
            lambda done: bar.update(task, completed=done),
            ferplus=ferplus,
            layout=layout,
            names=class_map(map_) if map_ else None,
            usage=usage or _default_usage(source, layout, detect=detect),
            classes=classes,
            kind=_kind(face_size, 3 if colour else 1, detector if detect else None),
            skip_damaged=skip_damaged,
            groups=groups,
            terms=terms or terms_of(map_ or []),
            tell=lambda found: _say_classes(console, found, map_ or []),
        )
    if layout is None and reader_of(source) is not None:
        _say_classes_of_table(console, store)
    seconds = time.perf_counter() - start
    typer.echo(f"{out}: {len(store)} rows of {store.meta.source}{_in_groups(store)} in {seconds:.1f} s", err=True)


def _kind(side: int, channels: int, detector: DetectorName | None) -> "FaceKind":
    """What faces are to be like; with a detector, what finds them in photos is what `mien predict` finds them with."""
    from mien.data.reading.pictures import FaceKind

    if detector is None:
        return FaceKind(side, channels)
    from mien.recognition.finder import MakeFinder

    finder = MakeFinder(detector, MIN_SCORE, None, (side, channels))()
    return FaceKind(side, channels, lambda image: [candidate.crop for candidate in finder.find(image)])


def _default_usage(source: Path, layout: FolderLayout | None, *, detect: bool) -> Usage | None:
    """Photos are for training where nothing says otherwise."""
    from mien.data.reading.layouts import usage_is_stated

    return "Training" if detect and not usage_is_stated(source, layout) else None


def _in_groups(store: "FaceStore") -> str:
    return "" if store.groups is None else f" in {len(set(store.groups.tolist())):,} groups"


def _say_classes(console: "Console", found: "FoundPictures", maps: list[str]) -> None:
    """Print what class names were taken for, on standard error, and which `--map` said nothing about them."""
    from mien.data.reading.class_maps import unused

    counts = found.counts()
    meanings = (f"{name} = {meaning or 'skipped'} ({count:,})" for name, (meaning, count) in counts.items())
    said = [f"layout {found.layout}, {len(found.pictures):,} pictures: {', '.join(meanings)}"]
    if found.kept:
        said.append(_own_classes(found.classes, "say so with --map NAME=CLASS"))
    said += [f"--map {option}: no class of the data is called so" for option in unused(maps, counts)]
    if not maps and not found.kept and found.layout == "splits" and any(name.isdigit() for name in counts):
        said.append("numbers were taken for FER2013's; those of another data set need its map, such as --map affectnet")
    _say(console, said)


def _say_classes_of_table(console: "Console", store: "FaceStore") -> None:
    """Print the classes of an exported table, on standard error."""
    from mien.labels import known_set

    counts = Counter(store.labels.tolist())
    classes = (f"{name} ({counts[number]:,})" for number, name in enumerate(store.classes))
    own = [] if known_set(store.classes) else [_own_classes(store.classes, "rename them in the file")]
    _say(console, [f"table, {len(store):,} rows: {', '.join(classes)}", *own])


def _own_classes(classes: Sequence[str], mend: str) -> str:
    return (
        f"{len(classes)} classes of its own: {', '.join(classes)}; where some of them are FER2013's under other names, "
        f"{mend}"
    )


def _say(console: "Console", lines: Sequence[str]) -> None:
    for line in lines:  # above the bar, if there is one
        console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


@app.command()
def info(
    data: DataSet,
    as_json: AsJson = False,
) -> None:
    """Print class counts per usage, and the agreement of FER+'s majority vote with FER2013's labels."""
    import json
    from dataclasses import asdict

    from rich.console import Console

    from mien.data.store import FaceStore
    from mien.data.votes import agreement
    from mien.labels import EMOTIONS

    store = FaceStore.open(data)
    ferplus = agreement(store.votes, store.labels) if store.votes is not None and store.classes == EMOTIONS else None
    if as_json:
        groups = None if store.groups is None else len(set(store.groups.tolist()))
        faces = {"side": store.side, "channels": store.channels}
        document = asdict(store.meta) | {"counts": store.counts(), "groups": groups, "faces": faces}
        typer.echo(json.dumps(document | ({"ferplus": ferplus} if ferplus else {})))
        return
    typer.echo(f"{len(store)} rows of {store.meta.source}{_in_groups(store)}, SHA-256 {store.meta.source_sha256}")
    typer.echo(f"faces {store.side}x{store.side}, {'grey' if store.channels == 1 else 'in colour'}")
    if store.meta.terms:
        typer.echo(f"terms: {store.meta.terms}")
    Console().print(_table_of_counts(store))
    if ferplus:
        Console().print(_table_of_agreement(ferplus))


def _table_of_agreement(ferplus: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table("FER2013 says", title="FER+'s majority among ten answers", title_justify="left")
    for name in ("rows", "with a majority of the seven", "the same", "share"):
        table.add_column(name, justify="right")
    for emotion, shares in {**ferplus["per_class"], "all": ferplus}.items():
        share = "-" if shares["agreement"] is None else f"{shares['agreement']:.1%}"
        table.add_row(
            emotion, *(str(shares[key]) for key in ("rows", "kept", "same")), share, end_section=emotion == "neutral"
        )
    return table


def _table_of_counts(store: "FaceStore") -> "Table":
    from rich.table import Table
    from rich.text import Text

    counts = store.counts()
    table = Table("class")
    for name in (*counts, "total"):
        table.add_column(name, justify="right")
    for name in store.classes:
        row = [by_name[name] for by_name in counts.values()]
        table.add_row(Text(name), *map(str, (*row, sum(row))))
    table.add_section()
    table.add_row("total", *(str(sum(by_name.values())) for by_name in counts.values()), str(len(store)))
    return table

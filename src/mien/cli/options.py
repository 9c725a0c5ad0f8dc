"""Options and arguments that several commands have. What may be chosen: `mien.choices`."""

from pathlib import Path
from typing import Annotated

import typer

from mien.choices import (
    CLASS_MAPS,
    MOST_WORKERS,
    MOST_YAW,
    SMALLEST_FACE,
    Alignment,
    AnyDevice,
    ChartFormat,
    DetectorName,
    ModelDevice,
    SortedAs,
    TableFormat,
    TrainingDevice,
)
from mien.defaults import MIN_FACE

Model = Annotated[str, typer.Option("--model", help="Name of an embedded model, or a model file.")]
Detector = Annotated[
    DetectorName, typer.Option("--detector", help="Face detector; none: every picture is a face crop.")
]
MinConfidence = Annotated[
    float, typer.Option("--min-confidence", min=0, max=1, help="Minimum detector confidence of a face.")
]
MinFace = Annotated[
    int | None,
    typer.Option(
        "--min-face",
        min=SMALLEST_FACE,
        metavar="PX",
        help="Leave out lower faces; YuNet finds the others in pictures of any size, the quicker the larger. Default: "
        f"{MIN_FACE}, and lower ones where they are found.",
    ),
]
Align = Annotated[
    Alignment,
    typer.Option("--align", help="How faces are framed: as FER2013's, or by their eyes, for models trained so."),
]
MaxYaw = Annotated[
    float | None,
    typer.Option(
        "--max-yaw", min=0, max=MOST_YAW, metavar="DEGREES", help="Leave out faces turned farther to either side."
    ),
]
Sets = Annotated[
    float | None,
    typer.Option(
        "--sets",
        metavar="LEVEL",
        help="Give each face the set of expressions that holds the true one with this probability, 0.9 for example.",
    ),
]
OutOfPlace = Annotated[
    bool, typer.Option("--out-of-place", help="Say how typical each face is, and flag what is unlike any known face.")
]
MinProbability = Annotated[
    float,
    typer.Option(
        "--min-probability",
        min=0,
        max=1,
        help="Probability from which an expression is certain; others are marked, and counted apart.",
    ),
]
Sort = Annotated[
    Path | None,
    typer.Option("--sort", metavar="DIR", help="Sort copies of the pictures into folders by expression, in DIR."),
]
SortAs = Annotated[SortedAs, typer.Option("--sort-as", help="What --sort makes: copies, or symbolic links.")]
Blur = Annotated[
    bool,
    typer.Option(
        "--blur",
        help="Make faces in copies, timelines and the window unrecognisable; every frame of a video is searched then.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=MOST_WORKERS,
        help="Processes that read files and find faces; started only where they pay. Default: one per usable core.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", help="Threads to compute with, 1..1024; default: OMP_NUM_THREADS, else one per usable core."
    ),
]

RunOn = Annotated[ModelDevice, typer.Option("--device", help="Where the network runs.")]
TrainOn = Annotated[TrainingDevice, typer.Option("--device", help="Where to train.")]
RunAnywhere = Annotated[
    AnyDevice,
    typer.Option("--device", help="Where the network runs; mps: runs only; directml and coreml: ONNX files only."),
]

DataSet = Annotated[Path, typer.Argument(metavar="DATA", help="A data set that `mien data import` made.")]
TrainingSet = Annotated[Path, typer.Option("--data", help="Data set made by `mien data import`.")]
DropRows = Annotated[
    Path | None,
    typer.Option("--drop-rows", help="Text file of row numbers to leave out of training, one per line."),
]
ClassMaps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=CLASS|SET|FILE",
        help="Map class names to classes: contempt=skip, joy=happy, happy=positive, a TOML file of such pairs, or "
        f"{', '.join(CLASS_MAPS)}. Repeatable.",
    ),
]

TableAs = Annotated[
    TableFormat | None, typer.Option("--table", help="A table on standard output as CSV, Markdown or LaTeX (booktabs).")
]
Charts = Annotated[ChartFormat, typer.Option("--charts", help="Format of the charts in --out.")]
Column = Annotated[
    bool, typer.Option("--column", help="Charts as wide as one column of a paper (3.4 inches) instead of a page.")
]
NoTitles = Annotated[bool, typer.Option("--no-titles", help="Charts without titles, for captions of your own.")]

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

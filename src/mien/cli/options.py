"""Options that several commands have."""

from typing import Annotated

import typer

from mien.devices import ModelDevice, TrainingDevice
from mien.threads import MOST_THREADS

Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, max=MOST_THREADS, help="Threads to compute with; by default one for each usable core."
    ),
]
RunOn = Annotated[ModelDevice, typer.Option("--device", help="Where the network runs.")]
TrainOn = Annotated[TrainingDevice, typer.Option("--device", help="Where to train.")]

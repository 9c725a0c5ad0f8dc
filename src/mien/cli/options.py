"""Options that several commands have."""

from typing import Annotated

import typer

from mien.choices import ModelDevice, TrainingDevice

Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads to compute with; by default one for each usable core.")
]
RunOn = Annotated[ModelDevice, typer.Option("--device", help="Where the network runs.")]
TrainOn = Annotated[TrainingDevice, typer.Option("--device", help="Where to train.")]

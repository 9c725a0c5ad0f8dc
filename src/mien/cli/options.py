"""Options that several commands have."""

from typing import Annotated

import typer

from mien.devices import ModelDevice, TrainingDevice

Threads = Annotated[
    int | None, typer.Option("--threads", help="Threads to compute with; default: one per usable core.")
]
RunOn = Annotated[ModelDevice, typer.Option("--device", help="Where the network runs.")]
TrainOn = Annotated[TrainingDevice, typer.Option("--device", help="Where to train.")]

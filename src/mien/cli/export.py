"""`mien export`: a run as an ONNX file, or several models as an ensemble."""

from pathlib import Path
from typing import Annotated

import typer

from mien.errors import MissingExtraError, UsageError


def export(
    models: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders of `mien train`, or their best.safetensors; several are averaged, "
            "model files and names of embedded models among them."
        ),
    ],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Data set whose PublicTest rows calibrate an ensemble."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model; default: the network's name, or the file's.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in half precision: half the size, the same speed.")
    ] = False,
) -> None:
    """Write the chosen network of a run as an ONNX file with labels, preprocessing, temperature and provenance inside.

        Several models become an ensemble in one file: the mean of their probabilities. Numerical parity with torch, or
    with the members, is checked before the file is kept.
    """
    try:
        from mien.export.ensemble import export_ensemble, load_member
        from mien.export.onnx import export_onnx
        from mien.networks.saved import load_network
    except ModuleNotFoundError as error:
        raise MissingExtraError("exporting", "train") from error
    from dataclasses import replace

    from mien.data.store import FaceStore

    if len(models) == 1:
        if data is not None:
            raise UsageError(
                "--data calibrates several models together: leave it out for one run, which is calibrated already"
            )
        network, card = load_network(models[0])
        difference = export_onnx(network, replace(card, name=name or card.name), out, half=half)
        agrees = f"logits within {difference:.1e} of torch"
    else:
        if data is None:
            raise UsageError(
                f"{len(models)} models: their mean is calibrated on PublicTest; name the data set with --data"
            )
        store = FaceStore.open(data)
        members = [load_member(model) for model in models]
        difference = export_ensemble(members, name or out.stem, store, out, half=half)
        agrees = f"probabilities within {difference:.1e} of the mean of {len(models)}"
    typer.echo(f"{out}: {out.stat().st_size:,} bytes, {agrees}")

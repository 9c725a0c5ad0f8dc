"""`mien export`: a run, or several, become a model file."""

from pathlib import Path
from typing import Annotated

import typer

from mien.errors import MissingExtraError, UsageError


def export(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders of `mien train`, or their best.safetensors; several are averaged.")
    ],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Data set on whose PublicTest rows several networks are calibrated together."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the model is called; otherwise the network's name, or the file's.")
    ] = None,
) -> None:
    """Write the chosen network of a run as an ONNX file with labels, preprocessing, temperature and provenance inside.

    Several runs become one file that answers with the mean of their probabilities. The file's numbers are compared
    with torch's before it is kept.
    """
    try:
        from mien.export.ensemble import calibrated, load_ensemble
        from mien.export.onnx import export_onnx
        from mien.models.saved import load_network
    except ModuleNotFoundError as error:
        raise MissingExtraError("exporting", "train") from error
    from dataclasses import replace

    from mien.data.store import FaceStore

    if len(runs) == 1:
        if data is not None:
            raise UsageError(
                "--data calibrates several runs together: leave it out for one run, which is calibrated already"
            )
        network, card = load_network(runs[0])
        card = replace(card, name=name or card.name)
    else:
        if data is None:
            raise UsageError(f"{len(runs)} runs: their mean is calibrated on PublicTest; name the data set with --data")
        network, card = load_ensemble(runs, name or out.stem)
        card = calibrated(network, card, FaceStore.open(data))
    difference = export_onnx(network, card, out)
    typer.echo(f"{out}: {out.stat().st_size:,} bytes, logits within {difference:.1e} of torch")

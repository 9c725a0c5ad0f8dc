"""`mien export`: a run becomes a model file."""

from pathlib import Path
from typing import Annotated

import typer

from mien.errors import MissingExtraError


def export(
    run: Annotated[Path, typer.Argument(help="Run folder of `mien train`, or its best.safetensors.")],
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
) -> None:
    """Write the chosen network of a run as an ONNX file with labels, preprocessing, temperature and provenance inside.

    The file's numbers are compared with torch's before it is kept.
    """
    try:
        from mien.export.onnx import export_onnx
        from mien.models.saved import load_network
    except ModuleNotFoundError as error:
        raise MissingExtraError("exporting", "train") from error

    network, card = load_network(run)
    difference = export_onnx(network, card, out)
    typer.echo(f"{out}: {out.stat().st_size:,} bytes, logits within {difference:.1e} of torch")

"""`mien export`: a run or a model file as an ONNX file, or several as an ensemble."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mien.cli.options import DropRows
from mien.errors import ExportError, MissingExtraError, UsageError
from mien.files import checked_file
from mien.given import wrong
from mien.labels import is_printable_name

if TYPE_CHECKING:
    from torch.nn import Module

    from mien.data.store import FaceStore
    from mien.model.card import ModelCard

_ONNX: Final = ".onnx"
_WEIGHTS: Final = ".safetensors"


def export(
    models: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders of `mien train`, their best.safetensors, model files or names of embedded models; "
            "several are averaged."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="ONNX file to write; of weights, one or two interpolated, also .safetensors, to train on."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Data set whose PublicTest rows calibrate several models together, or one anew."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model; default: the network's name, or the file's.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in half precision: half the size, the same speed.")
    ] = False,
    interpolate: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Average the weights of two runs of one network instead: this share of the second."
        ),
    ] = None,
    drop_rows: DropRows = None,
) -> None:
    """Write the chosen network of a run as an ONNX file with labels, preprocessing, temperature and provenance inside.

    One model file or embedded model is copied, or written anew with --name, --data or --half. Several models become an
    ensemble in one file: the mean of their probabilities. With --interpolate two runs of one network become one
    network. Numerical parity with torch, or with the members, is checked before the file is kept.
    """
    try:
        import mien.export.onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("exporting", "train") from error
    checked_file(out, ExportError)
    _check_out_and_name(out, name, of_several=len(models) > 1 and interpolate is None)
    if interpolate is not None:
        agrees = _export_between(models, interpolate, data, drop_rows, out, name, half=half)
    elif drop_rows is not None:
        raise UsageError("--drop-rows is for --interpolate, which looks at Training rows: leave it out")
    elif len(models) == 1:
        agrees = _export_one(models[0], data, out, name, half=half)
    else:
        agrees = _export_mean(models, data, out, name, half=half)
    typer.echo(f"{out}: {out.stat().st_size:,} bytes, {agrees}")


def _check_out_and_name(out: Path, name: str | None, *, of_several: bool) -> None:
    if of_several and out.suffix == _WEIGHTS:
        raise UsageError(f"--out {out}: the mean of several models has no weights to train on: expected {_ONNX} there")
    if out.suffix not in (_ONNX, _WEIGHTS):
        raise UsageError(f"--out {out}: expected a name that ends in {_ONNX}, or in {_WEIGHTS} for weights to train on")
    if name is not None and not is_printable_name(name):
        raise wrong("--name", name, "printable characters in one line")


def _export_one(model: Path, data: Path | None, out: Path, name: str | None, *, half: bool) -> str:
    from mien.data.store import FaceStore
    from mien.export.ensemble import is_model_file, load_member
    from mien.export.model_file import export_again
    from mien.networks.saved import load_network

    if data is not None and out.suffix == _WEIGHTS:
        raise UsageError(f"--data calibrates an ONNX file anew: leave it out for {out.name}, which keeps its card")
    store = None if data is None else FaceStore.open(data)
    if out.suffix != _WEIGHTS and is_model_file(model):
        difference = export_again(load_member(model).bundle, out, name, half=half, store=store)
        return f"logits within {difference:.1e} of {model}"
    return _written(*load_network(_weights(model)), out, name, store, half=half)


def _weights(model: Path) -> Path:
    """A run, a file of weights, or that of an embedded model."""
    from mien.export.ensemble import require_there
    from mien.runs import BEST_FILE
    from mien.training.distillation import trainable

    require_there(model)
    return model if (model / BEST_FILE).is_file() else trainable(str(model))


def _written(
    network: "Module", card: "ModelCard", out: Path, name: str | None, store: "FaceStore | None", *, half: bool
) -> str:
    from mien.export.onnx import export_onnx
    from mien.networks.saved import save_network

    if out.suffix == _WEIGHTS:
        save_network(out, network, replace(card, name=name or card.name), half=half)
        return "to train on"
    difference = export_onnx(network, replace(card, name=name or card.name), out, half=half, store=store)
    return f"logits within {difference:.1e} of torch"


def _export_mean(models: list[Path], data: Path | None, out: Path, name: str | None, *, half: bool) -> str:
    from mien.data.store import FaceStore
    from mien.export.calibrated import require_judged_rows
    from mien.export.ensemble import export_ensemble, load_member

    if data is None:
        raise UsageError(f"{len(models)} models: their mean is calibrated on PublicTest; name the data set with --data")
    store = FaceStore.open(data)
    require_judged_rows(store)  # members take their time to be converted: data that cannot serve are refused before
    members = [load_member(model) for model in models]
    difference = export_ensemble(members, name or out.stem, store, out, half=half)
    return f"probabilities within {difference:.1e} of the mean of {len(models)}"


def _export_between(
    models: list[Path],
    share: float,
    data: Path | None,
    drop_rows: Path | None,
    out: Path,
    name: str | None,
    *,
    half: bool,
) -> str:
    from mien.data.store import FaceStore
    from mien.export.interpolation import interpolated

    if len(models) != 2 or data is None:
        raise UsageError("--interpolate takes two runs of one network, and --data: the data set they were trained on")
    store = FaceStore.open(data)
    network, card = interpolated(_weights(models[0]), _weights(models[1]), share, store, drop_rows)
    agrees = _written(network, card, out, name, store if half else None, half=half)  # else calibrated already
    return f"PublicTest {card.public_test['accuracy']:.4f}, {agrees}"

"""`mien pretrained`: published weights, converted once to a file that a training may begin from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.options import AsJson
from mien.cli.tables import print_table, print_text
from mien.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from rich.table import Table


def pretrained(
    network: Annotated[
        str | None, typer.Argument(help="Whose weights to convert; without it, list what there is.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Safetensors file to write.")] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The published file itself, where its package is not installed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert weights that were trained on other pictures, for `mien train --from FILE`; or list them.

    They lie in packages of the extra pretrained. The file's SHA-256 is checked; nothing is downloaded.
    """
    try:
        from mien.networks.pretrained import convert
    except ModuleNotFoundError as error:
        raise MissingExtraError("converting pretrained weights", "train,pretrained") from error
    if network is None:
        if out or weights:
            raise UsageError("--out and --weights belong to one network: name it, as `mien pretrained` lists them")
        _list(as_json=as_json)
        return
    if out is None or out.suffix != ".safetensors":
        raise UsageError(f"{network}: name the file to write with --out, ending in .safetensors")
    card = convert(network, out, weights)
    if as_json:
        print_text(card.to_json())
        return
    print_text(f"wrote {out}: {card.network} without its last layer, from {card.source}")
    print_text(f"trained on {card.data}; licence {card.licence}")


def _list(*, as_json: bool) -> None:
    from mien.networks.pretrained import PUBLISHED

    rows: list[dict[str, Any]] = [
        {
            "network": network,
            "package": f"{published.package} {published.version}",
            "installed": published.installed_file() is not None,
            "licence": published.licence,
            "data": published.data,
        }
        for network, published in PUBLISHED.items()
    ]
    if as_json:
        print_text(json.dumps({"pretrained": rows}))
    else:
        print_table(_table(rows))


def _table(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table(*rows[0])
    for row in rows:
        table.add_row(*("yes" if value is True else "no" if value is False else value for value in row.values()))
    return table

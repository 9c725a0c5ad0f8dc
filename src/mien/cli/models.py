"""`mien models`: the registered networks, and their layers."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.options import AsJson
from mien.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mien.model.card import ModelCard


def models(
    name: Annotated[str | None, typer.Argument(help="A network: show its layers.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every network with its parameters, multiply-adds, input and origin; or the layers of one."""
    try:
        from mien.networks import network_names
    except ModuleNotFoundError as error:
        raise MissingExtraError("listing networks", "train") from error
    from rich.console import Console

    found = _described(name) if name else [_summary(known) for known in network_names()]
    if as_json:
        typer.echo(json.dumps(found))
    elif isinstance(found, list):
        Console().print(_table_of_networks(found))
    else:
        _print_network(found, Console())


def _summary(name: str) -> dict[str, Any]:
    from mien.networks import network_entry
    from mien.networks.profile import count_macs, count_parameters, outline

    entry = network_entry(name)
    network, side = outline(entry.build), entry.preprocess.input_size
    return {
        "name": name,
        "parameters": count_parameters(network),
        "macs": count_macs(network, side),
        "input": [1, side, side],
        "origin": entry.origin,
    }


def _described(name: str) -> dict[str, Any]:
    """A network's summary with its preprocessing, its layers, and the card of the embedded model that it has."""
    from mien.networks import network_entry
    from mien.networks.profile import list_layers, outline

    entry = network_entry(name)
    layers = list_layers(outline(entry.build), entry.preprocess.input_size)
    card = _embedded_card(name)
    return {
        **_summary(name),
        "preprocess": entry.preprocess.to_dict(),
        "layers": [asdict(layer) for layer in layers],
        "card": json.loads(card.to_json()) if card else None,
    }


def _embedded_card(name: str) -> "ModelCard | None":
    from mien.model.bundle import Bundle, embedded_models

    return Bundle.load(name).card if name in embedded_models() else None


def _table_of_networks(networks: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("name")
    for column in ("parameters", "M macs", "input"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("origin")
    for network in networks:
        costs = f"{network['parameters']:,}", f"{network['macs'] / 1e6:,.1f}"
        table.add_row(network["name"], *costs, _shape(network["input"]), network["origin"])
    return table


def _print_network(network: dict[str, Any], console: "Console") -> None:
    from rich.table import Table

    table = Table("layer", "type")
    for column in ("output", "parameters", "macs"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in network["layers"]:
        costs = (f"{layer[cost]:,}" if layer[cost] else "" for cost in ("parameters", "macs"))
        table.add_row(layer["name"], layer["kind"], _shape(layer["output"]), *costs)
    table.add_section()
    table.add_row("total", "", "", f"{network['parameters']:,}", f"{network['macs']:,}")
    console.print(
        f"{network['name']}: input {_shape(network['input'])}, {network['origin']}", markup=False, highlight=False
    )
    console.print(table)
    if network["card"]:
        console.print(_figures(network["card"]), markup=False, highlight=False, soft_wrap=True)


def _figures(card: dict[str, Any]) -> str:
    figures = card["public_test"]
    return (
        f"embedded model {card['name']}: accuracy {figures['accuracy']:.2%}, macro F1 {figures['macro_f1']:.4f}, "
        f"ECE {figures['ece']:.4f} on PublicTest ({figures['n']:,} faces, no augmentation); "
        f"temperature {card['temperature']:.4g}; licence {card['licence']}"
    )


def _shape(sizes: list[int]) -> str:
    return "x".join(map(str, sizes))

"""`mien models`: the models that can be used, the networks that can be trained, and what they are made of."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mien.cli.messages import log
from mien.cli.options import AsJson
from mien.cli.tables import print_table, print_text
from mien.errors import MissingExtraError, UsageError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from mien.model.card import ModelCard


def models(
    name: Annotated[
        str | None, typer.Argument(help="A model, a model file or a network: show its card and its layers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what --model takes, then every network with its parameters, multiply-adds, input and origin; or show one."""
    if name is not None:
        found = _described(name)
        print_text(json.dumps(found)) if as_json else _print_one(found)
        return
    listed = {"models": [_summary_of_version(card) for card in _embedded_cards()], "networks": _networks()}
    if as_json:
        print_text(json.dumps(listed))
        return
    print_text("models: --model takes these names, and model files")
    print_table(_table_of_models(listed["models"] or []))
    if listed["networks"] is None:
        log.info("%s", MissingExtraError("listing the networks that can be trained", "train"))
    else:
        print_text("networks: what recipes train")
        print_table(_table_of_networks(listed["networks"]))


def _embedded_cards() -> "list[ModelCard]":
    from mien.model.embedded import embedded_versions
    from mien.model.onnx_model import Bundle

    return [Bundle.load(version).card for version in embedded_versions()]


def _summary_of_version(card: "ModelCard") -> dict[str, Any]:
    """The summary of an embedded model, and the plain name that means it today."""
    from mien.model.embedded import embedded_models, versioned_name

    alias = next((name for name in embedded_models() if versioned_name(name) == card.name), None)
    return {**_summary_of_card(card), "alias": alias}


def _summary_of_card(card: "ModelCard") -> dict[str, Any]:
    figures = ("accuracy", "macro_f1", "ece", "n")
    return {
        "name": card.name,
        "network": card.network,
        "parameters": card.parameters,
        "macs": card.macs,
        "input": [card.preprocess.channels, card.preprocess.input_size, card.preprocess.input_size],
        "labels": list(card.labels),
        "public_test": {name: card.public_test[name] for name in figures if name in card.public_test},
        "licence": card.licence,
    }


def _networks() -> list[dict[str, Any]] | None:
    """A summary of every network; None where torch is not installed."""
    try:
        from mien.networks import network_names
    except ModuleNotFoundError:
        return None
    return [_summary(known) for known in network_names()]


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
    """A network's summary with its preprocessing and layers, and the card of the model of that name, where there are
    such.

    Raises:
        UsageError: neither a network, nor a model, nor a model file.
        MissingExtraError: it may be a network, and torch is not installed.
    """
    card = _card(name)
    described = {} if card is None else {**_summary_of_card(card), "preprocess": card.preprocess.to_dict()}
    described |= _network_described(name, needed=card is None)
    return described | {"card": json.loads(card.to_json()) if card else None}


def _card(name: str) -> "ModelCard | None":
    """The card of an embedded model or of a model file."""
    from mien.model.embedded import versioned_name
    from mien.model.onnx_model import Bundle

    return Bundle.load(name).card if versioned_name(name) or Path(name).is_file() else None


def _network_described(name: str, *, needed: bool) -> dict[str, Any]:
    """What is known of a network beside its card; nothing when there is none and it is not needed."""
    from mien.model.embedded import embedded_models, offered_names

    try:
        from mien.networks import network_entry, network_names
    except ModuleNotFoundError as error:
        if needed:
            raise MissingExtraError(f"{name} is no model; looking for a network of that name", "train") from error
        return {}
    if name not in network_names():
        if not needed:
            return {}
        known = list(dict.fromkeys((*offered_names(name), *embedded_models(), *network_names())))
        mend = f"expected a model file, or one of {', '.join(known)}"
        raise UsageError(f"unknown model or network {name!r}{nearest(name, known)}: {mend}")
    from mien.networks.profile import list_layers, memory_of, outline

    entry = network_entry(name)
    side = entry.preprocess.input_size
    layers = list_layers(outline(entry.build), side)
    costs: dict[str, Any] = {"macs_with_biases": sum(layer.macs + layer.bias_adds for layer in layers)}
    costs["memory"] = asdict(memory_of(layers, side))
    layers_as_json = [asdict(layer) for layer in layers]
    return {**_summary(name), **costs, "preprocess": entry.preprocess.to_dict(), "layers": layers_as_json}


def _table_of_models(cards: list[dict[str, Any]]) -> "Table":
    from rich.table import Table

    table = Table("name", "alias")
    for column in ("parameters", "M macs", "input", "accuracy", "ECE"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("licence")
    for card in cards:
        costs = f"{card['parameters']:,}", f"{card['macs'] / 1e6:,.1f}", _shape(card["input"])
        figures = card["public_test"]
        measured = (f"{figures['accuracy']:.2%}", f"{figures['ece']:.4f}") if figures else ("-", "-")
        table.add_row(card["name"], card["alias"] or "", *costs, *measured, card["licence"])
    return table


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


def _print_one(found: dict[str, Any]) -> None:
    origin = found.get("origin") or f"network {found['network']}"
    print_text(f"{found['name']}: input {_shape(found['input'])}, {origin}")
    if "layers" in found:
        print_table(_table_of_layers(found))
        print_text(_costs(found))
    else:
        print_text(f"{found['parameters']:,} parameters, {found['macs'] / 1e6:,.1f} million multiply-adds a face")
    if found["card"]:
        print_text(_figures(found["card"]))


def _table_of_layers(network: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table("layer", "type")
    for column in ("output", "parameters", "macs"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in network["layers"]:
        costs = (f"{layer[cost]:,}" if layer[cost] else "" for cost in ("parameters", "macs"))
        table.add_row(layer["name"], layer["kind"], _shape(layer["output"]), *costs)
    table.add_section()
    table.add_row("total", "", "", f"{network['parameters']:,}", f"{network['macs']:,}")
    return table


def _costs(network: dict[str, Any]) -> str:
    megabytes = {what: f"{size / 1e6:,.2f} MB" for what, size in network["memory"].items()}
    return (
        f"multiply-adds {network['macs']:,}, with biases counted {network['macs_with_biases']:,}\n"
        f"memory of one face in float32: parameters {megabytes['parameters']}, outputs of all layers "
        f"{megabytes['outputs']}, input {megabytes['input']}"
    )


def _figures(card: dict[str, Any]) -> str:
    figures = card["public_test"]
    terms = f"temperature {card['temperature']:.4g}; licence {card['licence']}"
    if not figures:
        return f"model {card['name']}: not evaluated; {terms}"
    return (
        f"model {card['name']}: accuracy {figures['accuracy']:.2%}, macro F1 {figures['macro_f1']:.4f}, "
        f"ECE {figures['ece']:.4f} on PublicTest ({figures['n']:,} faces, no augmentation); {terms}"
    )


def _shape(sizes: list[int]) -> str:
    return "x".join(map(str, sizes))

"""The models inside the package: ``weights/NAME-VERSION.onnx``, beside its card for people.

Beside a model that trainings may start from lies ``NAME-VERSION.safetensors``, its weights as `mien train` keeps them,
in half precision or whole; or ``NAME-VERSION.norms.safetensors``, what the ONNX file lacks of them
(`mien.networks.unfolded`).

A mean of models that are embedded as well lies there as ``NAME-VERSION.pieces``, which names what it shares with them
(`mien.model.pieces`).

A plain name means the newest version, so that a better model reaches everybody; a versioned name, which results and
cards state, means the same file for ever, so that a running study does not change.
"""

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mien.model.pieces import joined

NORMS_SUFFIX: Final = ".norms.safetensors"
"""Ends the name of a file with the tensors of batch normalisation, which an ONNX file has lost."""

PIECES_SUFFIX: Final = ".pieces"
"""Ends the name of the file of a model that shares weights with others."""

_FILE: Final = re.compile(r"(?P<name>\w+)-(?P<version>[1-9]\d*)(\.onnx|\.pieces)")


def embedded_models() -> tuple[str, ...]:
    """Plain names, sorted: what ``--model`` takes first."""
    return tuple(sorted(_versions()))


def embedded_versions() -> tuple[str, ...]:
    """Versioned names, by plain name and then from the newest to the oldest."""
    return tuple(f"{name}-{version}" for name in embedded_models() for version in reversed(_versions()[name]))


def versioned_name(model: str | Path) -> str | None:
    """The versioned name of an embedded model, "mien_s-1" for example; None when the package has none of that name."""
    name = str(model)
    if name in embedded_models():
        return f"{name}-{_versions()[name][-1]}"
    return name if name in embedded_versions() else None


def offered_names(model: str | Path) -> tuple[str, ...]:
    """What to offer for a name that the package has not: of a missing version of a model that there is the others, from
    the oldest, and their plain name; else all plain names.
    """
    plain = str(model).rpartition("-")[0]
    if plain not in embedded_models():
        return embedded_models()
    return (plain, *(f"{plain}-{version}" for version in _versions()[plain]))


def read_embedded(version: str) -> bytes:
    """The content of an embedded model file, by its versioned name.

    Raises:
        ModelFileError: it is stored in pieces, and one of them is damaged.
    """
    pieces = _weights() / f"{version}{PIECES_SUFFIX}"
    if pieces.is_file():
        return joined(pieces.read_bytes(), read_embedded, version)
    return bytes((_weights() / f"{version}.onnx").read_bytes())


def weights_file(version: str) -> Path | None:
    """The weights that a training may start from, by the versioned name of a model; None where there are none."""
    files = (Path(str(_weights() / f"{version}{suffix}")) for suffix in (".safetensors", NORMS_SUFFIX))
    return next((file for file in files if file.is_file()), None)


def trust_file(version: str) -> Any:
    """The trust file of an embedded model (`mien.model.trust`), by its versioned name."""
    return _weights() / f"{version}.trust.npz"


def trainable_models() -> tuple[str, ...]:
    """Versioned names of the models that a training may start from, as `embedded_versions` orders them."""
    return tuple(version for version in embedded_versions() if weights_file(version))


@cache
def _versions() -> dict[str, list[int]]:
    """Versions of each plain name, ascending."""
    found: dict[str, list[int]] = {}
    for entry in _weights().iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.setdefault(match["name"], []).append(int(match["version"]))
    return {name: sorted(versions) for name, versions in found.items()}


def _weights() -> Any:
    return resources.files("mien.model") / "weights"

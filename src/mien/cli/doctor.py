"""`mien doctor`: what mien runs on, for bug reports; nothing of it tells who or where somebody is."""

import json
from typing import Any

from mien.cli.options import AsJson
from mien.cli.tables import print_text


def doctor(as_json: AsJson = False) -> None:
    """Print versions, CPU features, GPUs, cameras, extras and clashes, for bug reports; no personal data."""
    from mien.cli.doctor_facts import facts

    found = facts()
    if as_json:
        print_text(json.dumps(found))
        return
    width = max(map(len, found))
    for name, value in found.items():
        first, *others = _lines(value)
        print_text(f"{name.replace('_', ' '):<{width}}  {first}")
        for line in others:
            print_text(f"{'':<{width}}  {line}")


def _lines(value: Any) -> list[str]:
    """A fact for people: a line, or one for each of several."""
    if isinstance(value, dict):
        return [f"{name}: {_short(part)}" for name, part in value.items()] or ["none"]
    if isinstance(value, list):
        return [_short(part) for part in value] or ["none"]
    return [_short(value)]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)

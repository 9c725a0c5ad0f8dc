"""What a training came to, for the tables of docs/claims.md.

    python docs/studies/keep.py NAME RUN [RUN ...] [--date 2026-11-26]

writes `claims/answers/NAME.json` and the tables. NAME is a run that `claims/claims.json` names; each RUN is the folder
of a training of its recipe, finished or not, one for each seed: the epochs it has done, its accuracy on PublicTest and
on the rows held out, which faces of PublicTest it classifies correctly (a bit for each row in the order of the csv,
hexadecimal), and on which machine. Settings that are not the recipe's are written beside the figure.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import HERE, read, write

from mien.choices import HELD_OUT
from mien.errors import MienError
from mien.networks.saved import load_network
from mien.runs import RunFiles, read_run_files
from mien.training.config import TrainConfig, config_from_dict
from mien.training.recipe import load_config

FREE = {"seed", "epochs", "precision", "licence"}
"""Settings that a run may choose: the table says them."""


def recipe_of(name: str) -> TrainConfig:
    """The recipe of a run of the claims, with its settings; a SystemExit names the runs where there is none."""
    entries = [entry for section in read("claims/claims.json").values() for entry in section if "run" in entry]
    found = {entry["run"]: entry["training"] for entry in entries}
    if name not in found:
        raise SystemExit(f"{name}: no run that claims/claims.json names; expected one of {', '.join(sorted(found))}")
    return load_config(found[name][0], found[name][1:])


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def differences(run: TrainConfig, recipe: TrainConfig) -> list[str]:
    """Settings in which a run is not its recipe's."""
    there, here = flat(asdict(run)), flat(asdict(recipe))
    return [f"{key} {there[key]}, not {here[key]}" for key in here if key not in FREE and there[key] != here[key]]


def minutes(files: RunFiles) -> float | None:
    """The median of what an epoch took, measuring included; None of a run whose log does not say it."""
    seconds = [entry["seconds"] + entry["measuring_seconds"] for entry in files.history if "seconds" in entry]
    return float(np.median(seconds)) / 60 if seconds else None


def machine_of(run: Path) -> str | None:
    """Where a run was trained, as its card says; None where it does not."""
    found = load_network(run)[1].training.get("machine")
    if found is None:
        return None
    threads = f"{found['threads']} thread{'s' if found['threads'] > 1 else ''}"
    return f"{found['processor']}, {found['device']}, {threads}, torch {found['torch']}"


def answer(recipe: TrainConfig, runs: Sequence[Path], date: str) -> dict[str, Any]:
    """What runs of one recipe came to; keys that not all of them know are left out."""
    all_files = [read_run_files(run) for run in runs]
    configs = [config_from_dict(files.config) for files in all_files]
    right = [correct(files, "PublicTest") for files in all_files]
    held_out = [correct(files, HELD_OUT) for files in all_files if HELD_OUT in files.answers]
    machines = {machine_of(run) for run in runs}
    took = [minutes(files) for files in all_files]
    values = {
        "accuracies": [float(faces.mean()) for faces in right],
        "held_out": [float(faces.mean()) for faces in held_out] if len(held_out) == len(runs) else None,
        "seeds": [config.seed for config in configs],
        "epochs": min(len(files.history) for files in all_files),
        "whole": recipe.epochs,
        "date": date,
        "precision": ", ".join(sorted({config.precision for config in configs})),
        "machine": "; ".join(sorted(filter(None, machines))) if None not in machines else None,
        "minutes": round(float(np.mean(took)), 2) if None not in took else None,
        "differs": sorted({words for config in configs for words in differences(config, recipe)}),
        "right": [np.packbits(faces).tobytes().hex() for faces in right],
    }
    return {key: value for key, value in values.items() if value is not None}


def correct(files: RunFiles, usage: str) -> NDArray[np.bool_]:
    """Which faces of a usage a run classifies correctly."""
    answers = files.answers[usage]
    return np.equal(answers["labels"], answers["predictions"])


def main() -> int:
    """Keep what runs came to, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat())
    options = parser.parse_args()
    try:
        kept = answer(recipe_of(options.name), options.runs, options.date)
    except MienError as error:
        raise SystemExit(str(error)) from None
    path = HERE / "claims" / "answers" / f"{options.name}.json"
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    write()
    print(f"{path.name}: {kept['epochs']} of {kept['whole']} epochs", *kept["differs"], sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

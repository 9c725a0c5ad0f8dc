"""Is precision "auto" ever slower than float32? Trainings on this processor, and on one that has AVX2 only.

The older processor is imitated by `ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2`, in a process of its own. The
engine trains two epochs of a few batches, and the second is timed; "auto" and float32 take turns. A batch is smaller
than the recipe's, so that all of it takes some two minutes on two idle cores: `benchmarks/training_rate.py` has whole
batches, and what bounds them.

python benchmarks/default_precision.py [RECIPE ...] [--turns N] [--batch N] [--threads N]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from training_rate import RECIPES, configured, engine_rates, epoch_faces, processor, random_faces

from mien.networks import network_entry
from mien.networks.profile import count_macs, outline
from mien.threads import thread_count
from mien.training.precision import best_precision

TARGET = 1.1
WORK = 4e10
"""Multiply-adds of an epoch, about."""
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
MACHINES = {"all": {}, "AVX2": AVX2}
"""Instructions that torch may use, and the variables that say so."""


def measured(recipe, options):
    """Faces a second of the wall in each precision, turn by turn."""
    config = replace(configured(recipe), batch_size=options.batch)
    work = 3 * count_macs(outline(network_entry(config.network).build), config.preprocess.input_size)
    asked = SimpleNamespace(device="cpu", threads=options.threads)
    found = {"auto": [], "fp32": []}
    with tempfile.TemporaryDirectory() as folder:
        store = random_faces(Path(folder) / "data", epoch_faces(config, work, WORK))
        for _ in range(options.turns):
            for precision, rates in found.items():
                rates.append(engine_rates(store, config, asked, precision)[0])
    return found


def row(machine, recipe, found, best):
    ratios = [exact / auto for auto, exact in zip(found["auto"], found["fp32"], strict=True)]
    auto, exact = (statistics.median(found[precision]) for precision in ("auto", "fp32"))
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
    return f"| {machine} | {recipe} | {best} | {auto:.0f} | {exact:.0f} | {spread} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", default=RECIPES)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=thread_count())
    parser.add_argument("--machine", choices=MACHINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.machine:
        for recipe in options.recipes:
            print(row(options.machine, recipe, measured(recipe, options), best_precision("cpu")), flush=True)
        return
    print(f"{processor('cpu')}, {options.threads} threads, batches of {options.batch}, {options.turns} turns; faces/s")
    print(f"| instructions | recipe | auto is | auto | float32 | time of auto over float32, at most {TARGET} |")
    print("|---|---|---|---|---|---|", flush=True)
    for machine, variables in MACHINES.items():
        command = [sys.executable, __file__, *options.recipes, "--machine", machine]
        for name in ("turns", "batch", "threads"):
            command += [f"--{name}", str(getattr(options, name))]
        subprocess.run(command, env={**os.environ, **variables}, check=True)


if __name__ == "__main__":
    main()

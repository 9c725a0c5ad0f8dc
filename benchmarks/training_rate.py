"""Training rate of the engine: precision "auto" against others, the arithmetic alone, and the loop most projects have.

For each recipe the precisions take turns, each beside a plain matrix product in its own precision, so that what else
the machine does falls on all alike. Every rate is given a second of the wall and a second of processor time: the first
means something on an idle machine, the second beside other programs too. The floor is three times the multiply-adds of
a face (forward, and twice that backward) at the rate of the matrix product.

The loop of most projects (--plain) is a torch Dataset that varies one Pillow image at a time, a DataLoader with a
worker per core, and float32 in the default memory order; on a GPU its network and batches are moved there.

python benchmarks/training_rate.py [RECIPE ...] [--against PRECISION ...] [--plain] [--device cpu|cuda] [--threads N]
    [--turns N]
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from mien.data.store import FaceStore, write_store
from mien.networks import network_entry
from mien.networks.profile import count_macs, outline
from mien.processor import processor_name
from mien.threads import thread_count
from mien.training.data import TrainingData
from mien.training.engine import train
from mien.training.optimizers import make_optimizer
from mien.training.precision import best_precision
from mien.training.recipe import load_config
from mien.training.reporter import SilentReporter

RECIPES = ("mien_s", "vggnet", "resnet18")
WORK = {"cpu": 1.5e11, "cuda": 1e14}
"""Multiply-adds of an epoch, about."""
FEWEST_BATCHES = 3
MOST_FACES = 28_672
SIDE = {"cpu": 2048, "cuda": 4096}
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class PillowFaces(Dataset):
    """The recipe's variations, one face at a time: mirror, turn, grow, shift, contrast, brightness, crop."""

    def __init__(self, store, config):
        self.store, self.augment, self.spec = store, config.augment, config.preprocess

    def __len__(self):
        return len(self.store)

    def __getitem__(self, row):
        draw, augment, spec = np.random.default_rng(), self.augment, self.spec
        face = Image.fromarray(self.store.faces[row]).resize((spec.frame_size, spec.frame_size))
        if draw.random() < augment.flip:
            face = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        angle = np.radians(draw.uniform(-augment.rotate, augment.rotate))
        zoom = 1 / (1 + draw.uniform(-augment.scale, augment.scale))
        shift = draw.uniform(-augment.shift, augment.shift, 2) * spec.input_size
        cos, sin, middle = zoom * np.cos(angle), zoom * np.sin(angle), spec.frame_size / 2
        across, down = middle + shift - np.array([[cos, -sin], [sin, cos]]) @ (middle, middle)
        face = face.transform(face.size, Image.Transform.AFFINE, (cos, -sin, across, sin, cos, down), Image.BILINEAR)
        face = ImageEnhance.Contrast(face).enhance(1 + draw.uniform(-augment.contrast, augment.contrast))
        face = ImageEnhance.Brightness(face).enhance(1 + draw.uniform(-augment.brightness, augment.brightness))
        edge = (spec.frame_size - spec.input_size) // 2
        face = face.crop((edge, edge, edge + spec.input_size, edge + spec.input_size))
        pixels = torch.from_numpy(np.asarray(face, np.float32) / 255)[None]
        return (pixels - spec.mean) / spec.std, int(self.store.labels[row])


def plain_rates(store, config, device):
    torch.manual_seed(0)
    network = network_entry(config.network).build().train().to(device)
    optimizer = make_optimizer(network, config.optimizer)
    workers = os.cpu_count() or 1
    loader = DataLoader(
        PillowFaces(store, config), config.batch_size, shuffle=True, drop_last=True, num_workers=workers
    )
    started = clocks()
    for batch, labels in loader:
        optimizer.zero_grad()
        logits = network(batch.to(device))
        cross_entropy(logits, labels.to(device), label_smoothing=config.loss.label_smoothing).backward()
        optimizer.step()
    return len(loader) * config.batch_size / (clocks() - started)


class SecondEpoch(SilentReporter):
    """Measures the second epoch from the end of its first step to that of its last: a GPU chooses its kernels, and a
    processor gets its memory, in the first.
    """

    def __init__(self):
        self.faces, self.marks = 0, []

    def advance(self, epoch, faces):
        if epoch == 2:
            self.faces = faces
            self.marks.append(clocks())

    def rates(self):
        return self.faces * (len(self.marks) - 1) / (self.marks[-1] - self.marks[0])


def clocks():
    """Seconds of the wall and of processor time."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return np.array([time.perf_counter(), time.process_time()])


def engine_rates(store, config, options, precision):
    reporter = SecondEpoch()
    with tempfile.TemporaryDirectory() as folder:
        data, config = TrainingData(store, store.rows_of("Training")), replace(config, precision=precision)
        run = Path(folder) / "run"
        train(config, data, run, device=options.device, threads=options.threads, reporter=reporter)
    return reporter.rates()


def product_rates(device, precision):
    """Multiply-adds a second of a matrix product."""
    side = SIDE[device]
    left, right = torch.randn(2, side, side, device=device, dtype=DTYPES[precision])
    left @ right
    started = clocks()
    for _ in range(3):
        left @ right
    return 3 * side**3 / (clocks() - started)


def configured(recipe):
    single = ["resolutions=[]", "split=official", "select_on=last", "schedule.name=constant"]
    return load_config(recipe, [*single, "epochs=2", "schedule.warmup_epochs=0", "early_stopping=0"])


def processor(device):
    if device == "cuda":
        return torch.cuda.get_device_name()
    return processor_name() or platform.machine()


def epoch_faces(config, work, multiply_adds):
    """Faces of as many whole batches as come to about so many multiply-adds, three batches at least."""
    batches = max(FEWEST_BATCHES, round(multiply_adds / (work * config.batch_size)))
    return min(MOST_FACES, batches * config.batch_size)


def random_faces(folder, count):
    random = np.random.default_rng(0)
    faces, labels = random.integers(0, 256, (count, 48, 48), np.uint8), random.integers(0, 7, count).astype(np.uint8)
    write_store(folder, faces, labels, np.zeros(count, np.uint8), source="-", source_sha256="0" * 64)
    return FaceStore.open(folder)


def taken_turns(store, config, options):
    """The rates of each contestant, and of the product in its precision, by turn: arrays (turns, 2)."""
    best = best_precision(options.device)
    found = {}
    for _ in range(options.turns):
        for precision in ("auto", *options.against):
            product = product_rates(options.device, best if precision == "auto" else precision)
            found.setdefault(precision, []).append(engine_rates(store, config, options, precision))
            found.setdefault((precision, "product"), []).append(product)
        if options.plain:
            found.setdefault("plain", []).append(plain_rates(store, config, options.device))
    return {name: np.array(rates) for name, rates in found.items()}


def shown(ratios):
    wall, processor_time = (
        f"{statistics.median(turns):.2f} ({min(turns):.2f}..{max(turns):.2f})" for turns in ratios.T
    )
    return f"{wall} by the wall, {processor_time} by processor time"


def report(found, work, options):
    for precision in ("auto", *options.against):
        rates, floors = found[precision], found[precision, "product"] / work
        wall, processor_time = np.median(rates, axis=0)
        print(f"  {precision}: {wall:.0f} faces/s; {processor_time:.0f} a second of processor time")
        print(f"    of the matrix product ({np.median(floors, axis=0)[1] * work / 1e9:.0f} G): {shown(rates / floors)}")
        if precision != "auto":
            print(f"    time of auto over {precision}: {shown(rates / found['auto'])}")
    if options.plain:
        print(f"  Dataset, DataLoader and Pillow, float32: {np.median(found['plain'], axis=0)[0]:.0f} faces/s")
        print(f"    auto over it (target 1.5 by the wall): {shown(found['auto'] / found['plain']).partition(' by')[0]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", default=RECIPES)
    parser.add_argument("--against", nargs="*", choices=sorted(DTYPES), default=["fp32"])
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=thread_count())
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    isa = os.environ.get("ONEDNN_MAX_CPU_ISA", "not limited")
    print(f"{processor(options.device)}, instructions {isa}, {options.threads} threads, {options.turns} turns")
    for recipe in options.recipes:
        config = configured(recipe)
        side = config.preprocess.input_size
        work = 3 * count_macs(outline(network_entry(config.network).build), side)
        with tempfile.TemporaryDirectory() as folder:
            store = random_faces(Path(folder) / "data", epoch_faces(config, work, WORK[options.device]))
            print(
                f"{recipe}, {side} px, batch {config.batch_size}; auto is {best_precision(options.device)}", flush=True
            )
            report(taken_turns(store, config, options), work, options)


if __name__ == "__main__":
    main()

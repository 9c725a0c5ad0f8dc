"""The audit of a data set: how its cost grows, and what it finds of faults that were planted.

usage: python benchmarks/audit.py STORE

Cost: the whole audit without faces and labels on a quarter, half and all of the rows, drawn by chance; the search for
near duplicates again beside its baseline: all pairs correlated by one matrix product, without shifts and mirroring.
Each in processes of its own, the least CPU time of three.

Planted, in a copy of the data, for three seeds: 200 shifted (1 to 3 pixels), re-encoded (JPEG, quality 50 to 95) or
mirrored copies and mixtures of these; 50 blanks, half of them with noise; 100 wrong labels of PublicTest faces that
mien_s recognises with a probability of at least 0.9.
"""

import io
import json
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from mien.data.audit.findings import MIN_DEVIATION, audit
from mien.data.audit.near_duplicates import near_duplicates
from mien.data.duplicates import first_identical, linked
from mien.data.store import FaceStore, StoreMeta
from mien.evaluation.out_of_sample import model_evidence
from mien.model.onnx_model import Bundle

PARTS = (4, 2, 1)
BASELINE_PARTS = (4, 2)
RUNS = 3
SEEDS = (0, 1, 2)
KINDS = ("shift", "jpeg", "mirror", "shift jpeg", "shift mirror", "jpeg mirror", "shift jpeg mirror")
MOVES = [(down, right) for down in range(-3, 4) for right in range(-3, 4) if down or right]
COPIES, BLANKS, WRONG = 200, 50, 100


def part_of(store: FaceStore, part: int) -> FaceStore:
    rows = np.sort(np.random.default_rng(0).permutation(len(store))[: len(store) // part])
    meta = StoreMeta(len(rows), store.meta.source, store.meta.source_sha256)
    return FaceStore(store.faces[rows], store.labels[rows], store.usages[rows], meta)


def distinct_faces(store: FaceStore) -> np.ndarray:
    faces = np.asarray(store.faces)[np.unique(first_identical(store.faces))]
    return faces[deviations(faces) >= MIN_DEVIATION]


def deviations(faces: np.ndarray) -> np.ndarray:
    return np.array([face.std(dtype=np.float32) for face in faces])


def all_pairs(faces: np.ndarray) -> int:
    """The baseline: pairs that correlate, found by comparing all of them."""
    flat = faces.reshape(len(faces), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    blocks = range(0, len(flat), 1024)
    return sum(int(np.triu(flat[at : at + 1024] @ flat[at:].T >= 0.92, 1).sum()) for at in blocks)


WAYS = {
    "audit": lambda store: audit(store).to_dict(),
    "near": near_duplicates,
    "all pairs": all_pairs,
}


def measure_here(way: str, path: Path, part: int) -> None:
    """Print rows, CPU seconds, seconds and peak resident megabytes."""
    store = part_of(FaceStore.open(path), part)
    given = store if way == "audit" else distinct_faces(store)
    cpu, wall = time.process_time(), time.perf_counter()
    WAYS[way](given)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps([len(store), cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def measure(way: str, path: Path, part: int) -> list[float]:
    command = [sys.executable, __file__, "--measure", way, str(path), str(part)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def cost(path: Path) -> None:
    seconds = {}
    for way, parts in [("audit", PARTS), ("near", PARTS), ("all pairs", BASELINE_PARTS)]:
        for part in parts:
            rows, cpu, wall, peak = min((measure(way, path, part) for _ in range(RUNS)), key=lambda run: run[1])
            seconds[way, part] = cpu
            print(f"{way:9} {rows:6} rows: {cpu:6.2f} s CPU, {wall:6.2f} s, peak {peak:4.0f} MB")
        times = [seconds[way, part] for part in parts]
        growth = ", ".join(f"{later / earlier:.2f}" for earlier, later in pairwise(times))
        print(f"{way:9} twice the rows cost {growth} times as much")
    for part in BASELINE_PARTS:
        ratio = seconds["all pairs", part] / seconds["near", part]
        print(f"1/{part} of the rows: comparing all pairs takes {ratio:.2f} times the CPU of the search")


def spoilt(face: np.ndarray, kind: str, random: np.random.Generator) -> np.ndarray:
    if "shift" in kind:
        down, right = MOVES[random.integers(len(MOVES))]
        face = np.pad(face, 3, mode="edge")[3 - down : 51 - down, 3 - right : 51 - right]
    if "mirror" in kind:
        face = face[:, ::-1]
    if "jpeg" in kind:
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(face)).save(buffer, "JPEG", quality=int(random.integers(50, 96)))
        face = np.asarray(Image.open(buffer))
    return face


def planted_faces(store: FaceStore, seed: int) -> None:
    random = np.random.default_rng(seed)
    varied = np.flatnonzero(deviations(store.faces) >= MIN_DEVIATION)
    sources = random.choice(varied, COPIES, replace=False)
    copies = [spoilt(store.faces[row], KINDS[number % len(KINDS)], random) for number, row in enumerate(sources)]
    noise = (
        random.normal(0, 1, (BLANKS, 48, 48)) * (random.uniform(0, 4, BLANKS) * (np.arange(BLANKS) % 2))[:, None, None]
    )
    blanks = np.clip(random.uniform(0, 255, (BLANKS, 1, 1)) + noise, 0, 255).astype(np.uint8)
    rows = len(store) + COPIES + BLANKS
    extra = np.zeros(COPIES + BLANKS, np.uint8)
    faces = np.concatenate([store.faces, copies, blanks])
    meta = StoreMeta(rows, "planted", "0" * 64)
    found = audit(FaceStore(faces, np.append(store.labels, extra), np.append(store.usages, extra), meta))

    ends = np.stack([found.near.rows, found.near.others], axis=1)
    new = ends[(ends[:, 1] >= len(store)) & (ends[:, 1] < len(store) + COPIES)]
    source_of = found.first[sources]
    hits = {int(copy) for row, copy in new if row == source_of[copy - len(store)]}
    before = ends[ends[:, 1] < len(store)]
    group = linked(rows, before[:, 0], before[:, 1])
    alien = sum(group[row] != group[source_of[copy - len(store)]] for row, copy in new if row < len(store))
    blank = np.union1d(found.constant, found.nearly_constant)
    caught = blank >= len(store) + COPIES
    print(
        f"seed {seed}: {len(hits)} of {COPIES} copies found; {alien} of {len(new)} pairs with a copy join it to a face "
        f"that is not linked to its source; {caught.sum()} of {BLANKS} blanks found, {(~caught).sum()} other rows named"
    )


def planted_labels(store: FaceStore, seed: int) -> None:
    random = np.random.default_rng(seed)
    evidence = model_evidence(Bundle.load("mien_s"), store)
    sure = evidence.probabilities.max(axis=1) >= 0.9
    right = np.flatnonzero(sure & (evidence.probabilities.argmax(axis=1) == store.labels))
    wrong, labels = random.choice(right, WRONG, replace=False), store.labels.copy()
    labels[wrong] = (labels[wrong] + random.integers(1, 7, WRONG)) % 7
    spoilt_store = FaceStore(store.faces, labels, store.usages, store.meta)
    found = audit(part_of_usage(spoilt_store), probabilities=(evidence.probabilities[store.usages > 0], ""))
    rows = store.rows_of("PublicTest")[found.mislabelled.rows]
    caught = np.isin(rows, wrong).sum()
    print(
        f"seed {seed}: {caught} of {WRONG} wrong labels found (of {len(right)} faces recognised so surely), "
        f"{caught / len(rows):.0%} of {len(rows)} rows named"
    )


def part_of_usage(store: FaceStore) -> FaceStore:
    rows = store.rows_of("PublicTest")
    meta = StoreMeta(len(rows), store.meta.source, store.meta.source_sha256)
    return FaceStore(store.faces[rows], store.labels[rows], store.usages[rows], meta)


def main() -> None:
    path = Path(sys.argv[1])
    cost(path)
    store = FaceStore.open(path)
    for seed in SEEDS:
        planted_faces(store, seed)
    for seed in SEEDS:
        planted_labels(store, seed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()

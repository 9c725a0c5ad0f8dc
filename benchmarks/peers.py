"""mien beside what people use today, on the same photos, end to end: pictures a second, faces found, right boxes.

python benchmarks/peers.py [--photos 12] [--folder FOLDER] [--turns 3] [--environments FOLDER]

The peers are `fer` with its own Haar cascade and network, and `@vladmandic/human` under node. Each is installed into an
environment of its own (kept in --environments; otherwise made anew and removed), and each run is one process. The
photos are made (see `peer_photos.py`) or the JPEG and PNG files of a folder, whose right boxes are then not known.
Each turn runs every peer once, so that they share what else the machine does; the time of a run over one small grey
picture, which finds nothing, is the start and is given apart. With MIEN_STORE, a data set by `mien data import`, each
network alone classifies PublicTest; without it, random faces. Then come `folder.py` on the
same photos, which compares numbers of workers, and `floors.py`. What is not at hand is named.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from peer_photos import right_boxes, write_photos
from PIL import Image
from processor_time import adopt_orphans, seconds_below

from mien.data.store import FaceStore
from mien.processor import processor_name

HERE = Path(__file__).parent
FER = "fer==25.10"
FER_NEEDS = (
    "tensorflow-cpu>=2.18",
    "keras>=3",
    "opencv-contrib-python>=4.14,<5",
    "setuptools<81",
    *("numpy", "pandas", "requests", "tqdm", "moviepy", "ffmpeg-python", "matplotlib", "pillow"),
)
"""fer's dependencies with a backend for Keras, but without facenet-pytorch: torch, for MTCNN, which is not measured.
setuptools brings the pkg_resources that fer imports and does not ask for.
"""

TENSORFLOW_JS = "4.22.0"
HUMAN_NEEDS = (
    "@vladmandic/human@3.3.6",
    *(f"@tensorflow/tfjs-{part}@{TENSORFLOW_JS}" for part in ("core", "converter", "backend-wasm")),
    "sharp@0.35.5",
)
SHOWN = ("fer", "keras", "tensorflow", "tensorflow_cpu", "opencv-contrib-python", "numpy")
RANDOM_FACES = 1024


@dataclass
class Peer:
    """Commands of one peer: over photos, over a file of faces; where it runs; how its rows name the boxes."""

    name: str
    photos: list[str]
    network: list[str]
    versions: str
    place: Path = HERE


@dataclass
class Run:
    """What one process took, in seconds, and the rows of JSON that it printed."""

    wall: float
    cpu: float
    rows: list[dict]


def run(command, place):
    """One process: wall seconds, processor seconds with all processes below it, its rows of JSON."""
    adopt_orphans()
    before, started = seconds_below(), time.perf_counter()
    done = subprocess.run(command, check=False, cwd=place, capture_output=True, text=True)
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
    cpu = seconds_below() - before
    return Run(wall, cpu, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])


def shell(*words, place=HERE):
    return subprocess.run([str(word) for word in words], cwd=place, check=True, capture_output=True, text=True).stdout


def mien(workers):
    words = [sys.executable, "-m", "mien", "predict", "--format", "jsonl", "--workers", str(workers)]
    words += ["--threads", "1"] if workers == 1 else []
    versions = shell(sys.executable, "-m", "mien", "--version").strip()
    one = f"mien, {workers} worker{'s' if workers > 1 else ''}"
    return Peer(one, words, [sys.executable, str(HERE / "peer_mien.py"), "faces"], versions)


def fer(folder):
    place = folder / "fer"
    python = place / "bin" / "python"
    complete = place / "complete"
    if not complete.exists():
        shell(sys.executable, "-m", "venv", place)
        shell(python, "-m", "pip", "install", "--quiet", "--no-deps", FER)
        shell(python, "-m", "pip", "install", "--quiet", *FER_NEEDS)
        complete.touch()
    listed = [line.split("==") for line in shell(python, "-m", "pip", "list", "--format=freeze").splitlines()]
    versions = ", ".join(" ".join(words) for words in listed if words[0] in SHOWN)
    program = [str(python), str(HERE / "peer_fer.py")]
    return Peer("fer", [*program, "photos"], [*program, "faces"], versions)


def human(folder):
    place = folder / "human"
    if not (place / "node_modules").exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text("{}")
        shell("npm", "install", "--no-audit", "--no-fund", *HUMAN_NEEDS, place=place)
    program = ["node", str(HERE / "peer_human.cjs")]
    versions = f"{', '.join(HUMAN_NEEDS)}, node {shell('node', '--version').strip()}"
    return Peer("@vladmandic/human", [*program, "photos"], [*program, "faces"], versions, place)


def at_hand(folder):
    """All that can be run; says what cannot."""
    peers = [mien(1), mien(2)]
    for make in (fer, human):
        try:
            peers.append(make(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            print(f"NOT MEASURED: {make.__name__}: {said.strip().splitlines()[-1]}", flush=True)
    return peers


def boxes(row):
    """Of one row of JSON: mien's or a peer program's."""
    return row["boxes"] if "boxes" in row else [face["box"] for face in row["faces"]]


def name(row):
    return Path(row.get("file") or row["source"]).name


def measure(peers, files, blank, turns):
    """For each peer the median start (wall, processor) and its median whole run, in turns."""
    runs = {peer.name: ([], []) for peer in peers}
    for turn in range(turns):
        for peer in peers:
            for kept, shown in zip(runs[peer.name], ([blank], files), strict=True):
                kept.append(run([*peer.photos, *map(str, shown)], peer.place))
            print(f"turn {turn + 1}: {peer.name}: {runs[peer.name][1][-1].wall:.1f} s", file=sys.stderr, flush=True)
    return runs


def median(runs, clock):
    return statistics.median(getattr(one, clock) for one in runs)


def say_photos(runs, truth, count):
    reference = {}
    for peer, (starts, wholes) in runs.items():
        rows = wholes[-1].rows
        wall, cpu = (median(wholes, clock) - median(starts, clock) for clock in ("wall", "cpu"))
        if min(wall, cpu) <= 0:
            print(f"NOT MEASURED: {peer}: so few photos take no longer than its start")
            continue
        reference[peer] = wall, cpu
        rate = f"{count / wall:.2f} photos/s, {1e3 * cpu / count:.0f} ms of CPU a photo"
        start = f"start {median(starts, 'wall'):.1f} s ({median(starts, 'cpu'):.1f} s of CPU)"
        right = (
            f"{sum(right_boxes(boxes(row), truth[name(row)]) for row in rows)} right" if truth else "right not known"
        )
        print(f"{peer}: {rate}, {start}, {sum(len(boxes(row)) for row in rows)} boxes, {right}", flush=True)
    if "fer" in reference:
        for peer in (name for name in reference if name != "fer"):
            ratios = [theirs / ours for ours, theirs in zip(reference[peer], reference["fer"], strict=True)]
            print(f"{peer} over fer: {ratios[0]:.1f} times the photos/s, {ratios[1]:.1f} times less CPU a photo")


def say_networks(peers, faces, labels, turns):
    for peer in peers:
        answers = [run([*peer.network, str(faces)], peer.place).rows[-1] for _ in range(turns)]
        spent, best = statistics.median(answer["cpu"] for answer in answers), answers[-1]["best"]
        right = "" if labels is None else f", PublicTest {100 * np.mean(np.array(best) == labels):.2f} % right"
        print(f"network alone, {peer.name}: {1e3 * spent / len(best):.2f} ms of CPU a face{right}", flush=True)


def write_faces(path):
    """PublicTest's faces and labels, or random faces and None."""
    store = os.environ.get("MIEN_STORE")
    if not store:
        print("NOT MEASURED: accuracy: MIEN_STORE names no data set; networks read random faces")
        np.save(path, np.random.default_rng(0).integers(0, 256, (RANDOM_FACES, 48, 48), np.uint8))
        return None
    opened = FaceStore.open(store)
    rows = opened.rows_of("PublicTest")
    np.save(path, opened.faces[rows])
    return opened.labels[rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--environments", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "photos"
        made.mkdir()
        truth = {} if options.folder else write_photos(made, options.photos)
        folder = options.folder or made
        files = sorted(path.resolve() for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        blank = Path(place) / "grey.png"
        Image.new("RGB", (64, 64), (90, 90, 90)).save(blank)
        peers = at_hand((options.environments or Path(place) / "environments").resolve())
        pixels = sum(np.prod(Image.open(file).size) for file in files) / 1e6
        planted = f"{sum(map(len, truth.values()))} faces" if truth else "faces not known"
        load, python = f"load {os.getloadavg()[0]:.1f}", f"python {platform.python_version()}"
        print(f"{processor_name()}, {os.cpu_count()} cores, {load}, {python}")
        for peer in peers:
            print(f"{peer.name}: {peer.versions}")
        print(f"{len(files)} photos, {pixels:.0f} megapixels, {planted}; medians, turns: {options.turns}")
        say_photos(measure(peers, files, blank, options.turns), truth, len(files))
        labels = write_faces(Path(place) / "faces.npy")
        alone = [peer for peer in peers if peer.name != "mien, 2 workers"]
        say_networks(alone, Path(place) / "faces.npy", labels, options.turns)
        print(shell(sys.executable, HERE / "folder.py", "--folder", folder), end="")
        jpegs = [str(file) for file in files if file.suffix.lower() != ".png"]
        floors = shell(sys.executable, HERE / "floors.py", *jpegs) if jpegs else "NOT MEASURED: floors: no JPEG\n"
        print(floors, end="")


if __name__ == "__main__":
    main()

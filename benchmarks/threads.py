"""What a second thread is worth beside another program's busy core, and on idle ones.

`mien train` and the classifier of `mien predict` run with one thread and with two, in turns, on two cores: alone, and
beside a process that never rests, bound to the second core. The baselines are one thread in the same surroundings, and
two threads that spin while they wait for each other, as OpenMP and onnxruntime have it by default.

python benchmarks/threads.py [RECIPE] [--precision PRECISION] [--turns N]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime as ort

from mien.data.store import write_store
from mien.defaults import DEFAULT_MODEL
from mien.model.onnx_model import Bundle
from mien.processor import processor_name

FACES = 1024
BATCHES = 8
BATCH = 64
SPIN_COUNT = "300000"  # of libgomp, where nothing is set
CASES = {"one thread": (1, False), "two": (2, False), "two that spin": (2, True)}


@contextmanager
def busy_core(core):
    program = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    neighbour = subprocess.Popen([sys.executable, "-c", program])
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.wait()


@contextmanager
def idle_core(_):
    yield


def training_rate(folder, options, threads, spins):
    """Faces a second in the second epoch of `mien train`."""
    with tempfile.TemporaryDirectory() as place:
        single = ["resolutions=[]", "split=official", "select_on=last", "early_stopping=0"]
        words = [f"--set={word}" for word in (*single, f"precision={options.precision}", "epochs=2")]
        command = ["mien", "train", "--recipe", options.recipe, "--data", folder, "--run", f"{place}/run"]
        command += ["--set=schedule.name=constant", "--set=schedule.warmup_epochs=0", *words]
        command += ["--device", "cpu", "--threads", str(threads)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
        waiting = {"GOMP_SPINCOUNT": SPIN_COUNT} if spins else {}
        program = [sys.executable, "-c", "from mien.cli.main import run; run()", *command[1:]]
        subprocess.run(program, env={**kept, **waiting}, check=True, capture_output=True)
        return json.loads((Path(place) / "run/log.jsonl").read_text().splitlines()[-1])["faces_per_second"]


def classifying_rate(session, inputs):
    """Faces a second of a session of onnxruntime."""
    name = session.get_inputs()[0].name
    session.run(None, {name: inputs})
    started = time.perf_counter()
    for _ in range(BATCHES):
        session.run(None, {name: inputs})
    return BATCHES * len(inputs) / (time.perf_counter() - started)


def session_of(model, threads, spins):
    if not spins:
        return Bundle(model.content, model.source, threads=threads)._session
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(model.content, options, providers=["CPUExecutionProvider"])


def measure(what, rate, turns):
    """A line for each surroundings: the medians of the cases, and their ratio to one thread, turn by turn."""
    for surroundings, core in (("alone", idle_core), ("beside a busy core", busy_core)):
        found = {case: [] for case in CASES}
        with core(max(os.sched_getaffinity(0))):
            for _ in range(turns):
                for case, (threads, spins) in CASES.items():
                    found[case].append(rate(threads, spins))
        rates = ", ".join(f"{case} {statistics.median(values):.0f}" for case, values in found.items())
        print(f"{what}, {surroundings}: {rates} faces/s")
        for case in list(CASES)[1:]:
            ratios = [more / one for more, one in zip(found[case], found["one thread"], strict=True)]
            spread = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"    {case}: {statistics.median(ratios):.2f} times one thread ({spread})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="mien_s")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("this needs two cores")
    os.sched_setaffinity(0, cores)

    random = np.random.default_rng(0)
    print(f"{processor_name()}, cores {cores}; medians of {options.turns} turns; target: two beside a busy core 0.9")
    with tempfile.TemporaryDirectory() as place:
        faces = random.integers(0, 256, (FACES, 48, 48), np.uint8)
        labels, usages = random.integers(0, 7, FACES).astype(np.uint8), np.zeros(FACES, np.uint8)
        write_store(Path(place) / "data", faces, labels, usages, source="-", source_sha256="0" * 64)
        rate = lambda threads, spins: training_rate(f"{place}/data", options, threads, spins)  # noqa: E731
        measure(f"mien train, {options.recipe}, {options.precision}", rate, options.turns)
    model = Bundle.load(DEFAULT_MODEL)
    inputs = model.card.preprocess.apply(random.integers(0, 256, (BATCH, 48, 48), np.uint8))
    sessions = {case: session_of(model, *case) for case in CASES.values()}
    rate = lambda *case: classifying_rate(sessions[case], inputs)  # noqa: E731
    measure(f"classifying, {DEFAULT_MODEL}, float32, batch {BATCH}", rate, options.turns)


if __name__ == "__main__":
    main()

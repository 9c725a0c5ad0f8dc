"""What several tests need: a tiny model file whose answers are known, and a small data set."""

import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

# One thread in every process: tests compare bits between processes, and small networks gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background job ignores Ctrl-C, and so would every process that a test starts in order to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, settings
from onnx import TensorProto, helper, numpy_helper

from mien.cli import main, messages
from mien.data.reading.importing import import_data
from mien.data.store import write_store
from mien.model.card import METADATA_KEY, ModelCard
from mien.preprocess import PreprocessSpec
from mien.worker import PROCESSES
from waiting import HANG

# A busy machine fails no property. Examples are the same in every run, so that a change that fails is the change's
# doing; nor do processes that run side by side then share a database of examples.
settings.register_profile(
    "mien", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mien")


@pytest.fixture(autouse=True)
def _messages_propagate(monkeypatch):
    """A command that runs inside a test keeps messages from the next tests' `caplog`."""
    monkeypatch.setattr(logging.getLogger("mien"), "propagate", True)


@pytest.fixture
def mien(monkeypatch, capsys):
    """Runs `mien` with some arguments in this process: the command's whole path, without a second's imports.

    It gives what a process would have given; signals, streams and ends of real processes are not seen here.
    """
    handled = (signal.SIGINT, signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mien", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(messages._HANDLER, "last", "")
        before = Path.cwd(), list(map(signal.getsignal, handled))
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main.run()
        assert (Path.cwd(), list(map(signal.getsignal, handled))) == before
        return subprocess.CompletedProcess(sys.argv, end.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def children():
    """The worker processes since the test began; one that a thread closes meanwhile may be among them."""

    def workers():
        with PROCESSES:  # to list them asks whether they have ended
            return [process for process in multiprocessing.active_children() if process.name == "mien-worker"]

    others = workers()
    return lambda: [process for process in workers() if process not in others]


@pytest.fixture
def linear_card():
    """A card for `write_linear_model`: 12 px of a 16 px frame."""
    spec = PreprocessSpec(frame_size=16, input_size=12, mean=0.5, std=0.25)
    return ModelCard(name="linear", network="linear", parameters=1015, macs=1008, preprocess=spec, temperature=1.7)


@pytest.fixture
def linear_weights(linear_card):
    """Weights float32 (pixels, 7) of `write_linear_model`."""
    pixels = linear_card.preprocess.input_size**2
    return np.random.default_rng(5).normal(0, 0.12, (pixels, 7)).astype(np.float32)


@pytest.fixture
def write_linear_model(linear_card, linear_weights):
    """Writes a model file that computes logits = flattened input @ linear_weights."""

    def write(path: Path, *, metadata: str | None = linear_card.to_json()) -> Path:
        side = linear_card.preprocess.input_size
        nodes = [
            helper.make_node("Flatten", ["faces"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ]
        graph = helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 1, side, side])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 7])],
            [numpy_helper.from_array(linear_weights, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        if metadata is not None:
            helper.set_model_props(model, {METADATA_KEY: metadata})
        onnx.save(model, path)
        return path

    return write


@pytest.fixture
def small_store(tmp_path):
    """Folder of a data set with 60 Training and 90 PublicTest rows, random faces and labels, no PrivateTest."""
    random = np.random.default_rng(11)
    faces = random.integers(0, 256, (150, 48, 48), np.uint8)
    labels = random.integers(0, 7, 150).astype(np.uint8)
    usages = np.repeat(np.array([0, 1], np.uint8), [60, 90])
    write_store(tmp_path / "store", faces, labels, usages, source="small.csv", source_sha256="ab" * 32)
    return tmp_path / "store"


@pytest.fixture(scope="session")
def _operators_once():
    """torch's exporter compiles its list of 500 operators anew for every network: here once, and nobody changes it."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


@pytest.fixture(scope="session")
def fer2013(tmp_path_factory):
    """The real data set where it is at hand, imported once; its source is what MIEN_FER2013 names."""
    if "MIEN_FER2013" not in os.environ:
        pytest.skip("MIEN_FER2013 names no fer2013.csv")
    return import_data(Path(os.environ["MIEN_FER2013"]), tmp_path_factory.mktemp("real") / "fer2013")


CODING = {"libx264": {"crf": "10"}, "libvpx": {"deadline": "realtime", "cpu-used": "8"}}
"""Options of codecs: libvpx takes as long as a video lasts, and a quarter less if it is told to hurry."""


@pytest.fixture(scope="session")
def write_clip():
    """Writes RGB images as a video; times in seconds, 25 a second by default."""
    import av

    def write(path, images, *, times=None, codec="libx264", audio=None, options=None, pixels="yuv420p"):
        times = [number / 25 for number in range(len(images))] if times is None else times
        with av.open(str(path), "w", options=options or {}) as file:
            video = file.add_stream(codec, rate=25, options=CODING.get(codec, {}))
            video.height, video.width = images[0].shape[:2]
            video.pix_fmt = pixels
            video.codec_context.time_base = Fraction(1, 25 if codec == "mjpeg" else 90_000)
            sound = file.add_stream(audio, rate=48_000, layout="mono") if audio else None
            for image, time in zip(images, times, strict=True):
                frame = av.VideoFrame.from_ndarray(image, "rgb24")
                frame.time_base = video.codec_context.time_base
                frame.pts = round(time / frame.time_base)
                file.mux(video.encode(frame))
            file.mux(video.encode())
            if sound:
                _write_tone(file, sound, times[-1])
        return path

    return write


def _write_tone(file, stream, seconds):
    import av

    for number in range(int(seconds * 48_000 / 960)):
        wave = np.sin(np.arange(number * 960, (number + 1) * 960) * 0.05)
        frame = av.AudioFrame.from_ndarray((wave * 9000).astype(np.int16)[None], "s16", "mono")
        frame.rate, frame.pts = 48_000, number * 960
        file.mux(stream.encode(frame))
    file.mux(stream.encode())


@pytest.fixture(scope="session")
def portraits():
    """Two public-domain portraits, RGB (120, 120, 3): Eileen Collins and Grace Hopper."""
    import cv2
    import matplotlib
    from PIL import Image
    from skimage import data

    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    whole = data.astronaut()[0:270, 90:360], np.asarray(Image.open(hopper).convert("RGB"))[40:440, 66:466]
    return tuple(cv2.resize(image, (120, 120), interpolation=cv2.INTER_AREA) for image in whole)


@pytest.fixture(scope="session")
def stage(portraits):
    """Makes a frame, RGB (240, 426, 3): portraits pasted with their left upper corners at places, last in front."""

    def show(*places):
        image = np.full((240, 426, 3), (70, 90, 110), np.uint8)
        for portrait, left, top in places:
            image[top : top + 120, left : left + 120] = portraits[portrait]
        return image

    return show


@pytest.fixture(scope="session")
def camera_clip(tmp_path_factory):
    """Eight seconds of a face that moves slowly, as Motion JPEG."""
    import av
    from skimage import data
    from skimage.transform import resize

    photo = (resize(data.astronaut(), (480, 480)) * 255).astype(np.uint8)
    path = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    with av.open(str(path), "w", format="mjpeg") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuvj420p"
        for number in range(100):
            image = np.full((480, 640, 3), 90, np.uint8)
            left = 80 + round(40 * np.sin(2 * np.pi * number / 100))
            image[:, left : left + 480] = photo
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        file.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def browser(camera_clip):
    """Chromium, with a camera that shows a clip of a public-domain face."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install '.[dev]'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium, or make browser")
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_clip}",
    ]
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=arguments, timeout=1000 * HANG)
        yield browser
        browser.close()

"""Worker processes that find faces: the same rows as one process, whatever dies."""

import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from attacks import _mp4_with_index
from PIL import Image
from skimage import data

from mien.errors import InputError, UsageError, WorkerError
from mien.faces.yunet import YuNetDetector
from mien.media.sources import sort_sources
from mien.recognition.everything import recognize_all
from mien.recognition.finder import MakeFinder
from mien.recognition.parallel import Parallel, prepare
from mien.recognition.pictures import failed_picture
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions
from waiting import wait_for

AT_ONCE = {"worth_seconds": 0.0, "worth_bytes": 0}


class Counting(YuNetDetector):
    """YuNet that notes in a folder each process that loads it, and finds faces when three have: this one and two."""

    def __init__(self, folder):
        super().__init__(min_score=0.4, threads=1)
        self.folder = folder
        (Path(folder) / f"{os.getpid()}.loaded").touch()

    def detect(self, image):
        wait_for(lambda: len(list(self.folder.glob("*.loaded"))) >= 3)
        return super().detect(image)

    def __reduce__(self):
        return Counting, (self.folder,)


class Deadly:
    """Ends the process that shows it a picture of one colour."""

    def detect(self, image):
        if image.min() == image.max():
            os.kill(os.getpid(), signal.SIGKILL)
        return []


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer(threads=1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """40 pictures of mixed sizes, four of which cannot be read."""
    folder = tmp_path_factory.mktemp("photos")
    astronaut, rng = data.astronaut(), np.random.default_rng(3)
    for number in range(36):
        side = int(rng.integers(60, 900))
        image = cv2.resize(astronaut, (side, side + int(rng.integers(0, 100))), interpolation=cv2.INTER_AREA)
        Image.fromarray(image).save(folder / f"{number:02d}.{('jpg', 'png')[number % 2]}")
    whole = (folder / "00.jpg").read_bytes()
    (folder / "05-cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "11-empty.jpg").write_bytes(b"")
    (folder / "17-text.jpg").write_text("no picture")
    Image.new("1", (10_000, 20_000)).save(folder / "23-huge.png")
    return folder


def results(recognizer, folder, workers, **options):
    found = sort_sources([str(folder)])
    parallel = Parallel(recognizer.finder(workers), workers, **{"keep_images": False} | AT_ONCE | options)
    return recognize_all(recognizer.pipeline, found, StreamOptions(), parallel)


def rows(frames):
    return [recognized.frame.to_json() for recognized in frames]


def test_two_workers_give_the_rows_of_one_process(recognizer, photos, children):
    alone = rows(results(recognizer, photos, 1))
    assert len(alone) == 40
    assert sum('"error": null' not in row for row in alone) == 4
    assert rows(results(recognizer, photos, 2)) == alone
    assert children() == []


def test_images_are_kept_where_they_are_asked_for(recognizer, photos):
    with_images = list(results(recognizer, photos, 2, keep_images=True))
    without = list(results(recognizer, photos, 2))
    assert rows(with_images) == rows(without)
    assert all(seen.image is None for seen in without)
    assert [seen.image is None for seen in with_images] == [seen.frame.error is not None for seen in without]
    assert with_images[0].image.shape[:2] == (with_images[0].frame.height, with_images[0].frame.width)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_workers_killed_lose_and_double_no_picture(recognizer, photos, tmp_path, children):
    for copy in range(4):
        for photo in photos.glob("*.[jp][pn]g"):
            os.link(photo, tmp_path / f"{copy}-{photo.name}")
    rng = np.random.default_rng(10)
    moments = np.sort(rng.choice(np.arange(5, 135), 10, replace=False)).tolist()
    frames, killed = [], 0
    for count, recognized in enumerate(results(recognizer, tmp_path, 2)):
        frames.append(recognized.frame)
        if killed < len(moments) and count >= moments[killed] and (running := children()):
            with suppress(ValueError):  # closed already: another one is killed at the next picture
                running[rng.integers(len(running))].kill()
                killed += 1
    assert killed > 0  # on a busy machine workers may be done before all moments have come
    assert [frame.source for frame in frames] == sorted(str(path) for path in tmp_path.iterdir())
    died = [frame for frame in frames if frame.error and "worker process" in frame.error]
    assert len(died) <= 10
    assert all(frame.error.startswith(f"{frame.source}: the worker process that read it died") for frame in died)
    alone = {Path(frame.source).name: frame for frame in (seen.frame for seen in results(recognizer, photos, 1))}
    for frame in frames:
        if frame not in died and frame.error is None:
            assert frame.faces == alone[Path(frame.source).name[2:]].faces


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_picture_that_kills_its_worker_is_named_and_stops_nothing(recognizer, tmp_path):
    for number in range(12):
        image = np.random.default_rng(number).integers(0, 256, (30, 30), np.uint8)
        Image.fromarray(image * (number % 4 != 2)).save(tmp_path / f"{number:02d}.png")
    make = MakeFinder(Deadly(), 0.6, 1)
    parallel = Parallel(make, 2, keep_images=False, **AT_ONCE)
    found = sort_sources([str(tmp_path)])
    frames = [seen.frame for seen in recognize_all(recognizer.pipeline, found, StreamOptions(), parallel)]
    assert [frame.error is not None for frame in frames] == [number % 4 == 2 for number in range(12)]
    assert frames[2].error.endswith("02.png: the worker process that read it died (signal 9)")


def test_each_worker_loads_the_network_once(recognizer, photos, tmp_path):
    make = MakeFinder(Counting(tmp_path), 0.6, 1)
    parallel = Parallel(make, 2, keep_images=False, **AT_ONCE)
    found = sort_sources([str(photos)])
    assert len(list(recognize_all(recognizer.pipeline, found, StreamOptions(), parallel))) == 40
    loaded = {int(path.stem) for path in tmp_path.glob("*.loaded")} - {os.getpid()}
    assert len(loaded) == 2
    assert len(list(tmp_path.iterdir())) == 3  # one of them this process, which made the first


def test_few_pictures_start_no_process(recognizer, photos, tmp_path, children):
    for name in ("00.jpg", "01.png", "03.png"):
        os.link(photos / name, tmp_path / name)
    seen = 0
    for _ in results(recognizer, tmp_path, 2, worth_seconds=60.0):
        assert children() == []
        seen += 1
    assert seen == 3


class Pool:
    """Stands for workers, and keeps what they are asked to read."""

    def __init__(self):
        self.asked = []

    def results(self, tasks):
        for task in tasks:
            self.asked.append(task[1])
            yield task, failed_picture(task[1], "read by a worker")


@pytest.mark.parametrize(("count", "workers", "pay"), [(64, 2, True), (63, 2, False), (64, 1, False)])
def test_workers_begin_to_start_early_exactly_where_many_pictures_are_left_to_them(
    recognizer, tmp_path, monkeypatch, count, workers, pay
):
    started, pool = [], Pool()
    monkeypatch.setattr("mien.recognition.parallel.start_server", lambda: started.append(True))
    prepare(count, workers)
    sources = [tmp_path / f"{number}.png" for number in range(count)]
    many = Parallel(recognizer.finder(), workers, keep_images=False, worth_seconds=inf)
    found = list(many.pictures(pool, recognizer.pipeline, sources))
    assert [Path(searched.frame.source) for searched in found] == sources
    assert started == [True] * pay
    assert pool.asked == sources * pay


def test_what_is_abandoned_leaves_no_process(recognizer, photos, children):
    frames = results(recognizer, photos, 2)
    for _ in range(20):
        next(frames)
    assert children()
    frames.close()
    assert children() == []


def test_videos_of_a_folder_give_the_rows_of_one_process(recognizer, tmp_path, write_clip, stage, photos):
    for number in range(3):
        write_clip(tmp_path / f"{number}.mp4", [stage((number % 2, 100 + 3 * step, 60)) for step in range(12)])
    cut = (tmp_path / "0.mp4").read_bytes()
    (tmp_path / "1-cut.mp4").write_bytes(cut[: len(cut) // 2])
    os.link(photos / "00.jpg", tmp_path / "a.jpg")
    alone = rows(results(recognizer, tmp_path, 1))
    assert Counter(row.count('"time": null') for row in alone)[0] >= 36
    assert rows(results(recognizer, tmp_path, 2)) == alone


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_video_that_kills_its_worker_is_named_and_stops_nothing(recognizer, tmp_path, write_clip, stage):
    flat = np.zeros((240, 426, 3), np.uint8)
    for number in range(3):
        images = [stage((0, 100, 60))] * 4 + [flat if number == 1 else stage((0, 100, 60))] * 4
        write_clip(tmp_path / f"{number}.mp4", images, options={"crf": "0"})
    parallel = Parallel(MakeFinder(Deadly(), 0.6, 1), 2, keep_images=False, **AT_ONCE)
    found = sort_sources([str(tmp_path)])
    options = StreamOptions(every=1, batch=2)
    frames = [seen.frame for seen in recognize_all(recognizer.pipeline, found, options, parallel)]
    failed = [frame for frame in frames if frame.error]
    assert [frame.error for frame in failed] == [
        f"{tmp_path / '1.mp4'}: the worker process that read it died (signal 9)"
    ]
    counts = Counter(Path(frame.source).name for frame in frames if not frame.error)
    assert (counts["0.mp4"], counts["2.mp4"]) == (8, 8)
    assert counts["1.mp4"] <= 4


def test_isolated_everything_is_read_by_workers(recognizer, tmp_path, write_clip, stage, photos, monkeypatch):
    os.link(photos / "00.jpg", tmp_path / "a.jpg")
    write_clip(tmp_path / "b.mp4", [stage((0, 100, 60))] * 3)
    Image.new("L", (8, 8)).save(tmp_path / "c.gif", save_all=True, append_images=[Image.new("L", (8, 8), 9)])
    usual = rows(results(recognizer, tmp_path, 1))
    found = sort_sources([str(tmp_path)])
    with monkeypatch.context() as here:  # Pillow and PyAV are of no use in this process
        here.setattr(Image, "open", None)
        here.setattr("av.open", None)
        parallel = Parallel(recognizer.finder(1), 1, keep_images=False, isolate=True)
        isolated = rows(recognize_all(recognizer.pipeline, sort_sources([str(tmp_path)]), StreamOptions(), parallel))
    assert isolated == usual
    assert (len(found.pictures), len(found.videos)) == (1, 2)


def test_isolated_a_video_whose_index_claims_too_much_is_named(recognizer, tmp_path):
    (tmp_path / "a.mp4").write_bytes(_mp4_with_index(Random(1), 1.0))
    parallel = Parallel(recognizer.finder(1), 1, isolate=True)
    (seen,) = recognize_all(recognizer.pipeline, sort_sources([str(tmp_path)]), StreamOptions(), parallel)
    assert "a.mp4: too costly to read (a track of more than 5,000,000 samples)" in seen.frame.error


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_isolated_one_picture_that_kills_its_worker_is_named(recognizer, tmp_path):
    Image.new("L", (30, 30), 9).save(tmp_path / "a.png")
    parallel = Parallel(MakeFinder(Deadly(), 0.6, 1), 1, isolate=True)
    found = sort_sources([str(tmp_path)])
    (seen,) = recognize_all(recognizer.pipeline, found, StreamOptions(), parallel)
    assert seen.frame.error == f"{tmp_path / 'a.png'}: the worker process that read it died (signal 9)"


def test_predict_batch_takes_workers(recognizer, photos, children):
    pictures = [photos / "00.jpg", (photos / "01.png").read_bytes(), data.astronaut(), photos / "02.jpg"]
    assert recognizer.predict_batch(pictures, workers=2) == recognizer.predict_batch(pictures)
    with pytest.raises(InputError, match=r"^images\[1\]: .*11-empty\.jpg: an empty file"):
        recognizer.predict_batch([pictures[0], photos / "11-empty.jpg"], workers=2)
    with pytest.raises(UsageError, match="workers is 0"):
        recognizer.predict_batch(pictures, workers=0)
    with pytest.raises(WorkerError, match="can be pickled"):
        Recognizer(recognizer.classifier, type("Own", (), {"detect": partial(list)})()).predict_batch(
            pictures, workers=2
        )
    assert children() == []

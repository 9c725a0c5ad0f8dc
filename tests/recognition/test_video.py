"""Clips with planted truth: who is where in every frame is known."""

import logging
import os
from collections import Counter
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from mien.errors import InputError, UsageError
from mien.faces.yunet import YuNetDetector
from mien.labels import EMOTIONS
from mien.media.video_source import VideoImage
from mien.recognition.recognizer import Recognizer
from mien.recognition.video import StreamOptions, recognize_video

MIDDLES = ((59, 55), (60, 56))
"""Where YuNet sees the middle of each portrait's face."""


class Greys:
    """Says an emotion by the mean grey of a face; counts its calls."""

    def __init__(self):
        self.calls = []

    def probabilities(self, faces):
        self.calls.append(len(faces))
        winners = (faces.reshape(len(faces), -1).mean(axis=1) * 7 / 256).astype(int)
        return 0.3 / 7 + 0.7 * np.eye(7)[winners]


class Played:
    """Images as a source."""

    name = "played"

    def __init__(self, images, *, live=False, step=0.04, error=None):
        self._images, self.live, self._step, self._error = images, live, step, error
        self.closed = 0

    def images(self):
        for number, image in enumerate(self._images):
            yield VideoImage(number, number * self._step, image)
        if self._error:
            raise self._error

    def close(self):
        self.closed += 1


@pytest.fixture(scope="module")
def detector():
    return YuNetDetector(min_score=0.4)


@pytest.fixture
def recognizer(detector):
    return Recognizer(Greys(), detector)


def owners(frames, truth):
    """For every person of the truth the tracks in order, one for each frame in which a face is where the person is.

    Args:
        frames: what came out.
        truth: for each frame the (portrait, left, top) of everybody in sight.
    """
    found = {}
    for frame, places in zip(frames, truth, strict=True):
        for portrait, left, top in places:
            middle = left + MIDDLES[portrait][0], top + MIDDLES[portrait][1]
            near = [face.track for face in frame.faces if np.hypot(*np.subtract(centre(face.box), middle)) < 22]
            found.setdefault(portrait, []).extend(near[:1])
    return found


def centre(box):
    return box.x + box.width / 2, box.y + box.height / 2


def switches(tracks):
    return sum(before != after for before, after in pairwise(tracks))


@pytest.mark.parametrize("every", [None, 1])
def test_two_people_who_cross_keep_their_numbers(recognizer, stage, every):
    truth = [[(1, 270 - 6 * number, 40), (0, 6 * number, 80)] for number in range(45)]
    frames = list(recognizer.stream(Played([stage(*places) for places in truth]), every=every))
    assert [frame.index for frame in frames] == list(range(45))
    found = owners(frames, truth)
    assert sum(switches(tracks) for tracks in found.values()) <= 1
    assert min(map(len, found.values())) > 25  # each is hidden for some frames, and found again within half a second
    assert found[0][0] != found[1][0]


def test_one_person_keeps_a_number_through_pan_zoom_turn_and_flicker(recognizer, stage):
    still = stage((0, 150, 60))
    images = []
    for number in range(50):
        turn = cv2.getRotationMatrix2D((213, 120), 20 * np.sin(number / 8), 1 + 0.3 * np.sin(number / 12))
        turn[:, 2] += 40 * np.sin(number / 10), 10 * np.cos(number / 7)
        moved = cv2.warpAffine(still, turn, (426, 240), borderMode=cv2.BORDER_REPLICATE)
        images.append(np.clip(moved * (1.0 if number % 3 else 0.7), 0, 255).astype(np.uint8))
    frames = list(recognizer.stream(Played(images)))
    assert Counter(face.track for frame in frames for face in frame.faces) == {1: 50}


def test_after_a_cut_and_an_empty_stretch_people_have_new_numbers_and_no_frame_is_missing(recognizer, stage):
    parts = [((0, 20, 20),)] * 12 + [((1, 280, 100),)] * 12 + [()] * 140 + [((0, 20, 20),)] * 26
    frames = list(recognizer.stream(Played([stage(*places) for places in parts])))
    assert len(frames) == 190
    tracks = [[face.track for face in frame.faces] for frame in frames]
    assert tracks[:24] == [[1]] * 12 + [[2]] * 12
    assert tracks[24:164] == [[]] * 140
    assert tracks[-12:] == [[3]] * 12
    seen = next(number for number, found in enumerate(tracks) if found == [3])
    assert seen - 164 <= 13  # half a second


def test_who_turns_away_or_leaves_shortly_is_the_same_person(recognizer, stage):
    away = [((0, 100, 60), (1, 280, 60))] * 20 + [((1, 280, 60),)] * 60 + [((0, 130, 70), (1, 280, 60))] * 20
    tracks = [{face.track for face in frame.faces} for frame in recognizer.stream(Played(map(stage_of(stage), away)))]
    assert tracks[19] == tracks[-1] == {1, 2}
    assert len(tracks[50]) == 1  # 2.4 s


def stage_of(stage):
    return lambda places: stage(*places)


def test_no_person_spans_a_planted_cut(recognizer, stage, portraits):
    """Cuts between scenes, between people at one place before one wall, and back again."""
    room, other = (cv2.resize(portraits[number], (426, 240)) for number in (0, 1))
    scenes = [
        stage((0, 150, 60)),
        stage((1, 150, 60)),
        stage((0, 20, 20)),
        placed(portraits[1], room),
        placed(portraits[1], other),
        stage((0, 150, 60)),
    ]
    frames = list(recognizer.stream(Played([np.roll(scene, n, 1) for scene in scenes for n in range(20)])))
    people = [{face.track for frame in frames[20 * n : 20 * n + 20] for face in frame.faces} for n in range(6)]
    assert [len(found) for found in people[:3]] == [1, 1, 1]
    assert all(frame.faces for frame in frames)
    for before, after in pairwise(people):
        assert not before & after


def placed(portrait, scene):
    image = scene.copy()
    image[60:180, 150:270] = portrait
    return image


def test_flashes_pans_zooms_and_flicker_are_no_cuts(recognizer, portraits):
    scene = placed(portraits[0], cv2.resize(data.coffee(), (426, 240)))
    images = []
    for number in range(75):
        turn = cv2.getRotationMatrix2D((213, 120), 0, 1 + 0.2 * np.sin(number / 8))
        turn[0, 2] += 60 * np.sin(number / 5)
        moved = cv2.warpAffine(scene, turn, (426, 240), borderMode=cv2.BORDER_REFLECT).astype(float)
        gain = 6.0 if number in (20, 21, 50) else 0.6 if number % 8 == 5 else 1.0
        images.append(np.full_like(scene, 255) if number == 35 else np.clip(moved * gain, 0, 255).astype(np.uint8))
    frames = list(recognizer.stream(Played(images)))
    assert {face.track for frame in frames for face in frame.faces} == {1}
    assert sum(bool(frame.faces) for frame in frames) >= 71


def test_frames_say_when_and_how_large(recognizer, stage, tmp_path, write_clip):
    path = write_clip(tmp_path / "a.mp4", [stage((0, 100, 60))] * 5, times=[0, 0.04, 0.1, 0.3, 0.32])
    frames = list(recognizer.stream(path))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.04, 0.1, 0.3, 0.32], abs=1e-3)
    assert {(frame.source, frame.width, frame.height, frame.error) for frame in frames} == {(str(path), 426, 240, None)}


@pytest.mark.parametrize("batch", [1, 3, 16, 100])
def test_faces_of_a_file_are_classified_together_and_the_batch_changes_nothing(recognizer, stage, batch):
    images = [stage((0, 100 + number, 60), (1, 280, 60)) for number in range(20)]
    frames = [image.frame for image in recognize_video(recognizer.pipeline, Played(images), StreamOptions(batch=batch))]
    assert frames == list(recognizer.stream(Played(images)))
    assert max(recognizer.classifier.calls[: -(-20 // batch)]) == 2 * min(batch, 20)


def test_faces_of_a_live_source_are_classified_at_once(recognizer, stage):
    frames = list(recognizer.stream(Played([stage((0, 100, 60))] * 30, live=True)))
    assert frames[-1].index == 29
    assert set(recognizer.classifier.calls) == {1}


def test_an_error_of_the_source_comes_after_all_of_its_frames(recognizer, stage):
    frames = []
    with pytest.raises(InputError, match="broken"):
        frames.extend(recognizer.stream(Played([stage((0, 100, 60))] * 20, error=InputError("broken"))))
    assert len(frames) == 20


def test_closing_early_releases_the_source(recognizer, stage, tmp_path, write_clip):
    source = Played([stage((0, 100, 60))] * 100)
    frames = recognizer.stream(source)
    next(frames)
    frames.close()
    assert source.closed == 1
    path = write_clip(tmp_path / "a.mp4", [stage()] * 60)
    frames = recognizer.stream(path)
    next(frames)
    assert os.path.realpath(path) in open_files()
    frames.close()
    assert os.path.realpath(path) not in open_files()


def open_files():
    return {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}  # noqa: PTH208


def test_a_mirrored_video_has_its_faces_on_the_other_side(recognizer, stage):
    (plain,), (mirrored,) = (
        next(recognizer.stream(Played([stage((0, 30, 60))]), mirror=mirror)).faces for mirror in (None, True)
    )
    assert centre(mirrored.box)[0] == pytest.approx(426 - centre(plain.box)[0], abs=6)


def test_mode_names_what_most_of_the_last_ten_frames_showed(recognizer, stage):
    light, dark = (np.clip(stage((0, 100, 60)) * factor, 0, 255).astype(np.uint8) for factor in (1.1, 0.6))
    images = [light] * 8 + [dark] * 12
    raw, steady = (
        [frame.faces[0].emotion for frame in recognizer.stream(Played(images), smooth=smooth)]
        for smooth in ("none", "mode")
    )
    assert raw[0] != raw[8]
    assert steady == [raw[0]] * 13 + [raw[8]] * 7
    assert set(raw) <= set(EMOTIONS)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"every": 0}, "every is 0"), ({"smooth": "median"}, "unknown smoothing"), ({"fps": -1.0}, "fps is -1")],
)
def test_options_out_of_range_are_refused(recognizer, options, words):
    with pytest.raises(UsageError, match=words):  # when it is called: no frame is asked for
        recognizer.stream("a.mp4", **options)
    with pytest.raises(UsageError, match="batch is 0"):
        StreamOptions(batch=0)


def test_a_list_of_paths_is_a_video(recognizer, stage, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), stage((0, 100 + number, 60))[:, :, ::-1])
    frames = list(recognizer.stream([str(path) for path in paths], fps=10))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2])
    assert frames == list(recognizer.stream(paths, fps=10))


def test_a_list_of_any_pictures_is_a_video(recognizer, stage, tmp_path):
    arrays = [stage((0, 90 + 4 * number, 60)) for number in range(4)]
    Image.fromarray(arrays[0]).save(tmp_path / "first.png")
    images = [tmp_path / "first.png", (tmp_path / "first.png").read_bytes(), *map(Image.fromarray, arrays[2:])]
    arrays[1] = arrays[0]
    frames = list(recognizer.stream(images, fps=10))
    assert [(frame.source, frame.time, len(frame.faces)) for frame in frames] == [
        ("pictures", number / 10, 1) for number in range(4)
    ]
    assert frames == list(recognizer.stream(arrays, fps=10))


def test_an_array_that_is_no_picture_is_refused_before_the_first_frame_is_asked_for(recognizer, stage):
    good = stage((0, 90, 60))
    with pytest.raises(UsageError, match="the image array is float64: expected uint8"):
        recognizer.stream([good, good / 255])
    with pytest.raises(UsageError, match=r"^the source is \[an array of shape \(240, .*\), 1\]: expected a path"):
        recognizer.stream([good, 1])


def test_watching_gives_the_frames_of_the_stream_with_their_images(recognizer, stage):
    images = [stage((0, 100 + number, 60)) for number in range(4)]
    watched = list(recognizer.watch(Played(images)))
    assert [recognized.frame for recognized in watched] == list(recognizer.stream(Played(images)))
    for recognized, image in zip(watched, images, strict=True):
        np.testing.assert_array_equal(recognized.image, image)


@pytest.fixture(scope="module")
def walk(stage, tmp_path_factory, write_clip):
    """A clip of 90 frames of a person who walks through the picture while another one sits there."""
    images = [stage((1, 280, 100), (0, 2 * number, 20)) for number in range(90)]
    return write_clip(tmp_path_factory.mktemp("walk") / "walk.mp4", images, options={"movflags": "faststart"})


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"start": 1.0, "end": "0:02.4"}, range(25, 60)),
        ({"step": 5}, range(0, 90, 5)),
        ({"start": "00:00:01.000", "fps_out": 5.0}, range(25, 90, 5)),
    ],
)
def test_the_rows_of_an_excerpt_are_those_of_the_whole_video(recognizer, walk, options, kept):
    """All frames are searched whole, so that those of the excerpt are detected in both."""
    whole, part = (list(recognizer.stream(walk, every=1, smooth="none", **chosen)) for chosen in ({}, options))
    assert part == [whole[number] for number in kept]


def test_frames_that_are_searched_whole_in_both_give_the_same_rows_at_the_default_pace(recognizer, walk):
    whole, part = (list(recognizer.stream(walk, smooth="none", **chosen)) for chosen in ({}, {"start": 0.8}))
    for searched in (25, 38, 50, 63, 75):  # the first frame of each half second
        assert part[searched - 20] == whole[searched]


def test_the_smoothed_onset_of_a_clip_is_that_of_the_raw_one_and_raw_readings_stand_beside(recognizer, stage):
    light, dark = (np.clip(stage((0, 100, 60)) * factor, 0, 255).astype(np.uint8) for factor in (1.1, 0.6))
    images = [light] * 30 + [dark] * 30 + [light] * 30
    raw, smooth, causal = (
        list(recognizer.stream(Played(images), every=1, smooth=name, raw=True)) for name in ("none", "auto", "ema")
    )
    onsets = [
        [n for n in range(1, 90) if frames[n].faces[0].emotion != frames[n - 1].faces[0].emotion]
        for frames in (raw, smooth, causal)
    ]
    assert [frames[0].header.options["smooth"] for frames in (raw, smooth, causal)] == ["none", "symmetric", "ema"]
    assert onsets[:2] == [[30, 60]] * 2
    assert min(np.subtract(onsets[2], onsets[0])) > 3  # what a causal mean costs
    for frame, other in zip(raw, smooth, strict=True):
        assert other.faces[0].raw == frame.faces[0].probabilities == frame.faces[0].raw
    assert smooth[30].faces[0].probabilities != raw[30].faces[0].probabilities


def test_of_live_sources_what_looks_ahead_is_refused(recognizer, stage):
    with pytest.raises(UsageError, match="symmetric looks ahead"):
        list(recognizer.stream(Played([stage()] * 3, live=True), smooth="symmetric"))


@pytest.mark.parametrize("source", [0, "0", "rtsp://camera/stream", Played([], live=True)])
def test_a_live_source_has_no_start_and_no_end(recognizer, source):
    for options in ({"start": 1}, {"end": 1}):
        with pytest.raises(UsageError, match="a live source has no start and no end"):
            recognizer.stream(source, **options)


def test_of_a_source_of_ones_own_the_frames_asked_for_are_recognized(recognizer, stage):
    frames = list(recognizer.stream(Played([stage((0, 100, 60))] * 30), start=0.4, step=3))
    assert [frame.index for frame in frames] == list(range(10, 30, 3))
    live = list(recognizer.stream(Played([stage((0, 100, 60))] * 30, live=True), step=3))
    assert {frame.index % 3 for frame in live} == {0}


def test_frames_that_were_dropped_are_told_to_the_logger(recognizer, stage, caplog):
    played = Played([stage((0, 100, 60))] * 30, live=True)
    frames = list(recognizer.stream(played))
    (message,) = [record.getMessage() for record in caplog.records if record.name == "mien"]
    assert message == f"played: {30 - len(frames)} of 30 frames dropped to keep up"


def test_the_logger_can_be_silenced(recognizer, stage, capfd):
    logging.getLogger("mien").setLevel(logging.CRITICAL)
    try:
        list(recognizer.stream(Played([stage((0, 100, 60))] * 30, live=True)))
    finally:
        logging.getLogger("mien").setLevel(logging.NOTSET)
    assert capfd.readouterr().err == ""

"""What files are, told by the first bytes of real ones."""

import io

import av
import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.media.signatures import kind_of

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000"])
def test_pictures(form):
    content = io.BytesIO()
    IMAGE.save(content, form)
    assert kind_of(content.getvalue()[:400]) == "picture"


def test_what_phones_store():
    content = io.BytesIO()
    pillow_heif.from_pillow(IMAGE).save(content)
    assert kind_of(content.getvalue()[:400]) == "heif"


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        *(("mp4", "libx264"), ("mov", "mpeg4"), ("matroska", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4")),
        *(("mpegts", "mpeg2video"), ("vob", "mpeg2video"), ("flv", "flv"), ("asf", "wmv2"), ("3gp", "mpeg4")),
        *(("ivf", "libvpx"), ("h264", "libx264"), ("mpeg2video", "mpeg2video"), ("hevc", "libx265")),
    ],
)
def test_videos(container, codec):
    content = io.BytesIO()
    content.name = f"clip.{container}"
    with av.open(content, "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frames = [av.VideoFrame.from_image(IMAGE)] * 5
        file.mux([packet for frame in [*frames, None] for packet in stream.encode(frame)])
    assert kind_of(content.getvalue()[:400]) == "video"


@pytest.mark.parametrize("container", ["ipod", "mp3", "wav", "ogg"])
def test_sound_is_neither(container):
    content = io.BytesIO()
    codec = {"ipod": "aac", "mp3": "mp3", "wav": "pcm_s16le", "ogg": "flac"}[container]
    with av.open(content, "w", format=container) as file:
        stream = file.add_stream(codec, rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), "s16", "mono")
        frame.rate = 44100
        file.mux([packet for part in (frame, None) for packet in stream.encode(part)])
    assert kind_of(content.getvalue()[:400]) is None


@given(st.text())
def test_words_are_neither(text):
    assert kind_of(f"export {text}".encode()[:400]) is None

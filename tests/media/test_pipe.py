"""Pictures through pipes, as a shell's <(cat photo.jpg) and mkfifo make them."""

import io
import os
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from mien.errors import InputError, TooLargeError
from mien.media.pipe import read_pipe
from mien.media.read_image import read_image, read_reduced
from waiting import HANG

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@contextmanager
def written(pipe, content):
    """Somebody writes into a pipe and closes it."""

    def write():
        with suppress(BrokenPipeError):  # nobody reads the rest
            pipe.write_bytes(content)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield
    thread.join(HANG)
    assert not thread.is_alive()


def encoded(image, form):
    file = io.BytesIO()
    Image.fromarray(image).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("read", [read_image, lambda path: read_reduced(path, lambda _: 4).pixels])
def test_a_picture_is_read_once_and_whole(pipe, form, read):
    content = encoded(np.tile(data.astronaut(), (2, 2, 1)), form)
    with written(pipe, content):
        found = read(pipe)
    assert np.array_equal(found, read_image(content))


def test_a_descriptor_of_a_shell_is_read():
    if not Path("/dev/fd").exists():
        pytest.skip("no /dev/fd here")
    content = encoded(np.zeros((20, 30, 3), np.uint8), "PNG")
    reader, writer = os.pipe()
    try:
        os.write(writer, content)
        os.close(writer)
        assert read_image(f"/dev/fd/{reader}").shape == (20, 30, 3)
    finally:
        os.close(reader)
    with pytest.raises(InputError, match="no such file in a worker process; give one picture without --isolate"):
        read_image(f"/dev/fd/{reader}")


def test_a_pipe_that_brings_nothing_is_not_waited_for_without_end(pipe):
    with pytest.raises(InputError, match=r"pipe: nothing came through this pipe for 0\.1 s; write a picture into it"):
        read_pipe(pipe, 10, silence=0.1)
    writer = os.open(pipe, os.O_RDWR)
    try:
        os.write(writer, b"a")
        with pytest.raises(InputError, match="nothing came"):
            read_pipe(pipe, 10, silence=0.1)
    finally:
        os.close(writer)


def test_more_than_a_picture_is_refused(pipe):
    with written(pipe, bytes(2**21)), pytest.raises(TooLargeError, match="more than 1 MB came through the pipe"):
        read_pipe(pipe, 2**20)


def test_an_empty_pipe_and_a_video_are_called_so(pipe):
    with written(pipe, b""), pytest.raises(InputError, match="empty"):
        read_image(pipe)
    with written(pipe, b"\x1a\x45\xdf\xa3" + bytes(100)), pytest.raises(InputError, match=r"mien predict - < .*pipe"):
        read_image(pipe)

"""What the page repeats by hand (colours, names, columns) and what the OpenAPI document repeats are Python's own."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mien.labels import EMOTIONS, FERPLUS_EMOTIONS
from mien.output.colours import COLOURS
from mien.output.table_rows import table_columns
from mien.results import Box, Face, Frame
from mien.service.limits import MEGABYTE, Limits
from mien.service.openapi import EXAMPLE
from mien.service.schemas import FaceResult, FrameResult

STATIC = files("mien.service") / "static"


def block(file, pattern):
    """What stands between the brackets that follow a pattern in a file of the page, one group for each."""
    found = re.findall(pattern, (STATIC / file).read_text(encoding="utf-8"))
    assert found, f"{file} has no {pattern}"
    return found


def test_colours_are_those_of_drawings():
    (text,) = block("classes.js", r"COLOURS = \{([^}]*)\}")
    colours = dict(re.findall(r'(\w+): "#(\w{6})"', text))
    assert {name: tuple(bytes.fromhex(colour)) for name, colour in colours.items()} == COLOURS
    assert tuple(COLOURS) == FERPLUS_EMOTIONS


def test_every_language_names_every_emotion_in_the_order_of_the_classes():
    languages = block("i18n.js", r"emotions: \{([^}]*)\}")
    assert len(languages) > 1
    for text in languages:
        assert tuple(re.findall(r"(\w+):", text)) == FERPLUS_EMOTIONS


def test_columns_are_those_of_the_command_line():
    before, after = (
        re.findall(r'"(\w+)"', *block("results.js", rf"{name} = \[([^\]]*)\]")) for name in ("BEFORE", "AFTER")
    )
    assert (*before, *EMOTIONS, *after) == table_columns(EMOTIONS)


def test_limits_are_the_defaults_of_the_service():
    ((picture, video),) = block("files.js", r"MOST = \{ picture: (\d+), video: (\d+) \}")
    assert (int(picture) * MEGABYTE, int(video) * MEGABYTE) == (Limits().body, Limits().video_body)


@pytest.fixture
def frame():
    face = Face(Box(1, 2, 30, 40), 0.9, tuple(np.full(7, 1 / 7)), landmarks=((3.0, 4.0),) * 5, track=3)
    return Frame("clip.mp4", 7, 0.25, 64, 48, (face,))


def test_the_openapi_document_has_the_keys_of_results(frame):
    found = frame.to_dict()
    assert {field.alias or name for name, field in FrameResult.model_fields.items()} == found.keys() == EXAMPLE.keys()
    assert FaceResult.model_fields.keys() == found["faces"][0].keys() == EXAMPLE["faces"][0].keys()
    FrameResult.model_validate(found)


def test_uvicorn_whose_undocumented_attributes_are_used_is_bounded():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (uvicorn,) = [line for line in project["optional-dependencies"]["serve"] if line.startswith("uvicorn")]
    assert re.search(r"<\d", uvicorn)

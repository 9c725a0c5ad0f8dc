import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from mien.data.audit.findings import audit
from mien.data.audit.page import audit_page
from mien.data.store import FaceStore, StoreMeta

PICTURES = np.kron(np.random.default_rng(3).integers(0, 256, (70, 12, 12)), np.ones((4, 4))).astype(np.uint8)


def store_of(faces, labels, usages, source="planted.csv"):
    return FaceStore(
        np.stack(faces),
        np.array(labels, np.uint8),
        np.array(usages, np.uint8),
        StoreMeta(len(faces), source, "ab" * 32),
    )


LEAKY = store_of([*PICTURES[:3], PICTURES[0], PICTURES[1][:, ::-1]], [0, 1, 2, 3, 1], [0, 0, 0, 1, 1])


class Page(HTMLParser):
    """Tags that were opened and not closed, and all attributes by tag."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_is_whole_html_that_needs_nothing_else():
    text = audit_page(audit(LEAKY))
    page = Page(text)
    assert page.open == []
    tags = {tag for tag, _ in page.attributes}
    assert not tags & {"script", "link", "iframe"}
    assert "http" not in text
    assert all(values["src"].startswith("data:image/png;base64,") for tag, values in page.attributes if tag == "img")


def test_shows_the_faces_themselves_under_their_row_numbers():
    page = Page(audit_page(audit(LEAKY)))
    images = [values for tag, values in page.attributes if tag == "img"]
    assert images
    for values in images:
        row = int(re.fullmatch(r"row (\d+), \w+", values["alt"])[1])
        picture = Image.open(io.BytesIO(base64.b64decode(values["src"].partition(",")[2])))
        assert np.array_equal(np.asarray(picture), LEAKY.faces[row])


def test_says_what_was_found_and_what_must_not_be_done_with_it():
    text = audit_page(audit(LEAKY))
    assert "1 of 2 PublicTest rows stand in Training, 1 more nearly so" in text
    assert "Do not publish" in text
    assert "mirrored, shift 0 px" in text


def test_leaves_out_sections_without_findings():
    text = audit_page(audit(store_of(PICTURES[:2], [0, 1], [0, 1])))
    assert "Identical faces" not in text
    assert "<img" not in text


def test_shows_some_of_many():
    faces = np.concatenate([PICTURES, PICTURES])
    text = audit_page(audit(store_of(faces, [0] * 140, [0] * 140)))
    assert "48 of 70 shown" in text


def test_names_are_escaped():
    meta = StoreMeta(2, "<script>.csv", "ab" * 32, 2, ("<img src=x>", "calm"))
    arrays = PICTURES[:2], np.array([0, 1], np.uint8), np.array([0, 1], np.uint8)
    text = audit_page(audit(FaceStore(*arrays, meta)))
    assert "<script>" not in text
    assert "<img src=x>" not in text
    assert "&lt;script&gt;.csv" in text

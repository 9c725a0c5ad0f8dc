"""Tables of the documents are what their commands write today."""

import json
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

STUDIES = Path(__file__).parents[1] / "docs" / "studies"


@pytest.fixture
def study(monkeypatch):
    """Imports a program of the studies, which import each other by name."""
    monkeypatch.syspath_prepend(str(STUDIES))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        if str(STUDIES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_tables_are_those_of_the_figures_beside_them(study):
    tables = study("tables")
    for path, text in tables.pages().items():
        assert path.read_text(encoding="utf-8") == text, path


def test_kept_answers_come_to_the_accuracy_that_is_printed(study):
    tables = study("tables")
    for entry in json.loads(tables.ANSWERS.read_text(encoding="utf-8")).values():
        for accuracy, right in zip(entry["accuracies"], entry.get("right", ()), strict=False):
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(right), np.uint8), count=3589)
            assert bits.mean() == pytest.approx(accuracy)


def test_every_row_of_parity_works_or_differs_for_a_stated_reason(tmp_path, monkeypatch, study):
    parity = study("parity")
    monkeypatch.setattr(parity, "work", cache(lambda: tmp_path))
    written, missing = parity.table()
    assert missing == 0, written
    text = parity.CLAIMS.read_text(encoding="utf-8")
    assert text.split(parity.BEGIN)[1].split(parity.END)[0].strip() == written

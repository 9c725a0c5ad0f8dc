"""Tables of the documents are what their commands write today."""

import sys
from functools import cache
from importlib import import_module
from pathlib import Path

STUDIES = Path(__file__).parents[1] / "docs" / "studies"


def test_every_row_of_parity_works_or_differs_for_a_stated_reason(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    parity = import_module("parity")
    monkeypatch.setattr(parity, "work", cache(lambda: tmp_path))
    written, missing = parity.table()
    assert missing == 0, written
    text = parity.CLAIMS.read_text(encoding="utf-8")
    assert text.split(parity.BEGIN)[1].split(parity.END)[0].strip() == written
    for name in ("parity", "parity_networks"):
        sys.modules.pop(name, None)

"""The Python of the README and the guides runs as it is printed."""

import re
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/guide/predict.md", "docs/guide/video.md")


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def workplace(tmp_path, monkeypatch, write_clip, stage):
    """A folder with the files that the examples name; the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("party.jpg", "a.jpg", "b.jpg"):
        Image.fromarray(data.astronaut()).save(name)
    write_clip(tmp_path / "clip.mp4", [stage((0, 100 + number, 60)) for number in range(8)])
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(page, workplace, capsys):
    for block in blocks(page):
        values = {}
        exec(compile(block, page, "exec"), values)
        assert "mien" in values
        assert "from mien" not in block  # guides use the public names alone
        list(values.get("frames", ()))
    assert capsys.readouterr().err == ""


def test_the_examples_do_what_they_say(workplace, capsys):
    exec(blocks("README.md")[0], {})
    assert re.search(r"Face\(happy \d+ %, box=\(178, 63, 90, 113\), detector 0\.\d\d\)", capsys.readouterr().out)
    assert (workplace / "party.mien.png").exists()

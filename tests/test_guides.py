"""The README and the guides are true: their Python runs, and the names, files and headings they mention exist."""

import re
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

import mien

ROOT = Path(__file__).parents[1]
GUIDES = ("README.md", *sorted(f"docs/guide/{path.name}" for path in (ROOT / "docs/guide").glob("*.md")))
PAGES = ("README.md", "docs/guide/predict.md", "docs/guide/video.md", "docs/guide/jobs.md")


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


def test_calls_of_other_packages_run(workplace):
    for block in blocks("docs/guide/coming_from.md"):
        exec(compile(block, "coming_from.md", "exec"), {})


def test_the_examples_do_what_they_say(workplace, capsys):
    exec(blocks("README.md")[0], {})
    assert re.search(r"Face\(happy \d+ %, box=\(178, 63, 90, 113\), detector 0\.\d\d\)", capsys.readouterr().out)
    assert (workplace / "party.mien.png").exists()


@pytest.mark.parametrize("page", GUIDES)
def test_guides_use_public_names_alone(page):
    """Beside `mien.__all__`: what needs torch (`mien.networks.register`, and `FaceDataset` of `mien.training` with the
    store that it takes), and other packages' calls, `mien.compat`.
    """
    names = set(re.findall(r"(?<![.\w/-])mien\.([A-Za-z_]\w*)", (ROOT / page).read_text(encoding="utf-8")))
    assert names - set(mien.__all__) - {"__all__", "networks", "training", "data", "compat", "jobs"} == set()


def anchors(page):
    """GitHub's anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


OTHERS = ("CONTRIBUTING.md", "SECURITY.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
"""The site's own pages are checked by `make docs`, which treats a broken link as an error."""


@pytest.mark.parametrize("page", [*GUIDES, *OTHERS])
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\((?!http|/)([^)]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_readme_names_every_folder_of_the_package():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = set(re.findall(r"^  (\w+)/  ", readme[readme.index("src/mien/\n") :], re.MULTILINE))
    assert tree == {path.parent.name for path in (ROOT / "src/mien").glob("*/__init__.py")}


def test_the_files_that_contributing_names_exist():
    rules, _, _ = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The training queue")
    paths = set(re.findall(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|sha256))?)`", rules))
    assert len(paths) > 20
    assert [path for path in paths if not any((place / path).exists() for place in (ROOT, ROOT / "src/mien"))] == []

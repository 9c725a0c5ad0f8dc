"""What stands around the package is true: workflows, issue forms, hooks and citation name what there is."""

import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import mien

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def steps(workflow):
    return [step for job in read(workflow)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_what_there_is(workflow):
    commands = "\n".join(step.get("run", "") for step in steps(workflow))
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"^make ([\w-]+)", commands, re.MULTILINE)) <= set(targets)
    extras = {name for names in re.findall(r"\.\[([\w,]+)\]", commands) for name in names.split(",")}
    assert extras <= set(PROJECT["optional-dependencies"])
    assert read(workflow)["permissions"] == {"contents": "read"}
    assert all(re.fullmatch(r"[\w/.-]+@[\w./-]+", step["uses"]) for step in steps(workflow) if "uses" in step)


def test_the_matrix_has_three_systems_and_the_oldest_python():
    matrix = read(".github/workflows/tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert {name.partition("-")[0] for name in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert f">={matrix['python'][0]}" == PROJECT["requires-python"]
    named = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith("Programming Language")}
    assert set(matrix["python"]) <= named


def test_publishing_needs_no_token():
    publish = read(".github/workflows/release.yml")["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["bug", "wish"])
def test_issue_forms_have_what_github_asks_for(form):
    found = read(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert found["name"]
    assert found["description"]
    fields = [field for field in found["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)


def test_the_hooks_use_the_ruff_of_the_constraints():
    pinned = re.search(r"^ruff==.*$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[0]
    hooks = [hook for repo in read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert len(hooks) == 2
    assert all(hook["additional_dependencies"] == [pinned] for hook in hooks)


def test_the_lowest_versions_are_those_that_the_package_allows():
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "constraints-lowest.txt").read_text(), re.MULTILINE))
    allowed = dict(
        re.findall(r"([\w-]+)(?:>=|==)([\d.]+?)(?:\.\*)?(?:,|$)", "\n".join(PROJECT["dependencies"]), re.MULTILINE)
    )
    assert pinned.keys() == allowed.keys()
    assert all(
        f"{version}.0.0".startswith(f"{allowed[name]}.") or version.startswith(allowed[name])
        for name, version in pinned.items()
    )


def test_every_extra_is_pinned_and_named_where_it_is_installed():
    """Those that only developers install, and Ray, of which there is not a wheel for each system, are not asked for."""
    extras = PROJECT["optional-dependencies"]
    named = runpy.run_path(str(ROOT / "container/resolve.py"))["EXTRAS"]
    assert set(named) == {"core", *extras} - {"docs", "dev", "cluster"}
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    shown = {extra for group in re.findall(r"'\.\[([\w,]+)\]'", page) for extra in group.split(",")}
    assert shown == set(extras) - {"docs", "dev"}
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {re.match(r"[\w-]+", line)[0] for extra in extras.values() for line in extra} - {"mien"}
    assert wanted <= pinned


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] == mien.__version__
    assert citation["license"] == PROJECT["license"]


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [Path(name) for name in listed.stdout.split("\0") if name]


def test_no_package_of_others_is_part_of_this_repository():
    """`pip download` writes into the folder it is run in, and `git add` takes what lies there."""
    assert [name for name in tracked() if re.search(r"\.(whl|egg|tar\.gz|tgz|zip)$", name.name)] == []


def test_no_merge_was_left_halfway():
    texts = [ROOT / name for name in tracked() if name.suffix in {"", ".md", ".toml", ".txt", ".yml"}]
    halves = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)
    assert [path for path in texts if path.is_file() and halves.search(path.read_text(errors="replace"))] == []


def test_the_reference_names_everything_public():
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE)
    assert sorted([*shown, "__version__"]) == sorted(mien.__all__)


def test_the_sample_picture_is_small_and_says_where_it_comes_from():
    samples = Path(mien.__file__).parent / "samples"
    pictures = [path for path in samples.iterdir() if path.suffix == ".jpg"]
    words = (samples / "README.md").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in pictures) < 100_000
    assert all(path.name in words for path in pictures)
    assert "public domain" in words

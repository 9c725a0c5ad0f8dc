import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_queue.embed import PACKAGE, in_pieces

from mien.errors import ModelFileError
from mien.model.embedded import PIECES_SUFFIX, embedded_versions, read_embedded
from mien.model.pieces import cut, joined

STORED = sorted(path.name.removesuffix(PIECES_SUFFIX) for path in PACKAGE.glob(f"*{PIECES_SUFFIX}"))


@given(
    parts=st.lists(st.binary(max_size=12), max_size=8),
    between=st.binary(max_size=5),
    others=st.dictionaries(st.sampled_from("abc"), st.binary(max_size=40)),
)
def test_what_is_cut_is_joined_again_whoever_has_which_part(parts, between, others):
    whole = between + b"".join(part + between for part in parts)
    others |= {"all": b"".join(parts[::2])}
    content = cut(whole, parts, others)
    assert joined(content, others.__getitem__, "m") == whole


def test_what_others_have_is_not_stored():
    weights = bytes(range(256)) * 100
    content = cut(b"graph" + weights + b"end", [weights], {"member": b"their" + weights})
    assert len(content) < 200  # the hash alone is 64
    assert joined(content, {"member": b"their" + weights}.__getitem__, "m") == b"graph" + weights + b"end"
    assert joined(cut(weights, [weights], {}), {}.__getitem__, "m") == weights


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:30],
        lambda content: content[:-1],
        lambda content: content.replace(b"member", b"nobody"),
        lambda content: content.replace(b"[", b"{", 1),
        lambda content: b"[]" + content,
    ],
)
def test_a_damaged_file_of_pieces_is_named(damage):
    weights = bytes(range(256)) * 8
    content = damage(cut(b"graph" + weights + b"end", [weights], {"member": weights}))
    with pytest.raises(ModelFileError, match="mien_x-1: damaged in the package"):
        joined(content, {"member": weights}.__getitem__, "mien_x-1")


def test_pieces_of_themselves_and_of_damaged_members_are_refused():
    content = cut(b"weights" * 300, [b"weights" * 300], {"mien_x-1": b"weights" * 300})
    read = lambda name: joined(content, read, name)  # noqa: E731
    with pytest.raises(ModelFileError, match="mien_x-1: damaged in the package"):
        read("mien_x-1")
    with pytest.raises(ModelFileError, match="mien_x-1: damaged in the package"):
        joined(content, {"mien_x-1": b"veights" * 300}.__getitem__, "mien_x-1")


@pytest.mark.parametrize("version", STORED)
def test_an_embedded_mean_is_the_file_that_its_card_names_and_is_cut_as_it_was(version):
    whole = read_embedded(version)
    (stated,) = re.findall(r"SHA-256 `([0-9a-f]{64})`", (PACKAGE / f"{version}.md").read_text(encoding="utf-8"))
    assert hashlib.sha256(whole).hexdigest() == stated
    assert in_pieces(whole) == (PACKAGE / f"{version}{PIECES_SUFFIX}").read_bytes()


def test_every_embedded_model_is_one_file_whole_or_in_pieces():
    files = [path for path in Path(PACKAGE).iterdir() if path.suffix in (".onnx", PIECES_SUFFIX)]
    assert sorted(path.stem for path in files) == sorted(embedded_versions())

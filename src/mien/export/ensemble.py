"""Ensembles: several models as one file, the mean of their calibrated probabilities (Hansen and Salamon, 1990)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import add_prefix_graph

from mien.data.store import FaceStore
from mien.errors import ExportError, ModelFileError
from mien.export.calibrated import calibrated_as_it_answers
from mien.export.onnx import (
    HALF_TOLERANCE,
    TOLERANCE,
    converted,
    halved,
    probe_faces,
    require_close,
    with_card,
    write_model,
)
from mien.model.card import ModelCard
from mien.model.embedded import offered_names, versioned_name
from mien.model.onnx_model import Bundle, softmax
from mien.networks.saved import load_network, provenance
from mien.preprocess import PreprocessSpec
from mien.runs import BEST_FILE

_INPUT: Final = "face"
_OUTPUT: Final = "logits"

RESIZED_TOLERANCE: Final = 5e-2
"""As `mien.export.onnx.TOLERANCE`, for members that see frames of another side than the ensemble: OpenCV's arithmetic
in whole numbers makes every eighth pixel of an enlarged face one grey level darker or lighter than ONNX does.
"""

_Step = tuple[str, dict[str, Any], dict[str, Any]]
"""An operator of ONNX, its further inputs by name (None: left out), and its attributes."""
_LEAST_OPERATORS: Final = 18
"""Version of ONNX's operators from which the axes of a sum are an input."""


@dataclass(frozen=True, slots=True)
class Member:
    """A model that others may be averaged with.

    Args:
        source: how the user named it.
        bundle: its file, loaded.
        provenance: what the card of an ensemble tells of it: architecture, hash of the file, and training.
    """

    source: str
    bundle: Bundle
    provenance: dict[str, Any]


def is_model_file(source: str | Path) -> bool:
    """Whether a name is that of a model file, or of an embedded model; a run that is called like one is meant."""
    path = Path(source)
    if versioned_name(source):
        return not (path / BEST_FILE).is_file()
    return path.suffix == ".onnx" and path.is_file()


def require_there(path: Path) -> None:
    """Refuse a name that is neither that of a file or run nor that of an embedded model.

    Raises:
        ModelFileError: as said.
    """
    if not path.exists() and not versioned_name(path):
        known = ", ".join(offered_names(path))
        raise ModelFileError(f"{path}: no such file or run, nor the name of an embedded model ({known})")


def load_member(source: str | Path) -> Member:
    """An embedded model by its name, a model file (``.onnx``), or a run folder or safetensors file of `mien train`.

    Raises:
        ModelFileError: missing, damaged, or an ONNX file that mien did not write.
        ExportError: a run's network, exported, does not compute what it computes in torch.
    """
    path = Path(source)
    if not is_model_file(source):
        require_there(path)
        network, card = load_network(path)
        content, _ = converted(network, card, str(path))
        return Member(str(source), Bundle(content, str(path)), provenance(path, card))
    bundle = Bundle.load(source) if versioned_name(source) else Bundle(path.read_bytes(), str(path))
    card = bundle.card
    return Member(str(source), bundle, {"network": card.network, "sha256": bundle.sha256, **card.training})


def ensemble_card(members: Sequence[Member], name: str) -> ModelCard:
    """The members' common card, neither calibrated together nor measured yet.

    Its ``training`` holds what is true of all members, and under ``members`` each one's own. Members may see a face at
    sides, crops and scales of grey levels of their own: the ensemble then sees the whole frame that is nearest to the
    faces.

    Raises:
        ExportError: members have other faces, channels, filters or classes.
    """
    cards = [member.bundle.card for member in members]
    for member, card in zip(members, cards, strict=True):
        if _faces_of(card.preprocess) != _faces_of(cards[0].preprocess):
            raise ExportError(
                f"{member.source}: was trained with {card.preprocess}: "
                f"expected the faces, channels and filters of {members[0].source}, {cards[0].preprocess}"
            )
        if card.labels != cards[0].labels:
            raise ExportError(
                f"{member.source}: has the classes {', '.join(card.labels)}: "
                f"expected those of {members[0].source}, {', '.join(cards[0].labels)}"
            )
    return ModelCard(
        name=name,
        network=" + ".join(card.network for card in cards),
        parameters=sum(card.parameters for card in cards),
        macs=sum(card.macs for card in cards),
        preprocess=_common_preprocess([card.preprocess for card in cards]),
        labels=cards[0].labels,
        training={
            **_common([card.training for card in cards]),
            "members": [member.provenance for member in members],
        },
        licence=" and ".join(sorted({card.licence for card in cards})),
    )


def _faces_of(spec: PreprocessSpec) -> tuple[Any, ...]:
    """What members must have in common: all but sides, and how grey levels are scaled."""
    return spec.face_size, spec.channels, spec.equalize, spec.blur


def _common_preprocess(specs: Sequence[PreprocessSpec]) -> PreprocessSpec:
    """How an ensemble sees faces: as its members do, or where these differ the whole of a frame, cut by each inside."""
    nearest = min(specs, key=lambda spec: abs(spec.frame_size - spec.face_size))
    alike = {(spec.frame_size, spec.input_size) for spec in specs} == {(nearest.frame_size, nearest.input_size)}
    return nearest if alike else replace(nearest, input_size=nearest.frame_size)


def _common(trainings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The entries on which all agree."""
    return {
        key: value
        for key, value in trainings[0].items()
        if all(key in other and other[key] == value for other in trainings)
    }


def export_ensemble(members: Sequence[Member], name: str, store: FaceStore, out: Path, *, half: bool = False) -> float:
    """Write one file that answers as the mean of its members, calibrated and measured on a data set's PublicTest.

    Args:
        members: at least two.
        name: what the ensemble is called.
        store: the data set whose PublicTest rows fit the common temperature.
        out: the file to write; replaced only when its answers are the members' mean.
        half: store weights in half precision, see `mien.export.onnx.halved`.

    Returns:
        The largest difference between a probability and the mean of the members', over generated faces.

    Raises:
        ExportError: the members do not fit together, the data set has no PublicTest rows, the answers differ by more
            than `mien.export.onnx.TOLERANCE`, `HALF_TOLERANCE` with half precision or `RESIZED_TOLERANCE` with frames
            of several sides, or the file cannot be written.
    """
    card = ensemble_card(members, name)
    model = _averaged(members, card.preprocess)
    if half:
        model = halved(model)
    together = Bundle(with_card(model, card), str(out))
    difference = _difference(together, members)
    resized = any(member.bundle.card.preprocess.frame_size != card.preprocess.frame_size for member in members)
    allowed = RESIZED_TOLERANCE if resized else HALF_TOLERANCE if half else TOLERANCE
    require_close(difference, f"{out}: probabilities", "the members' mean", allowed=allowed)
    write_model(with_card(model, calibrated_as_it_answers(together, store)), out)
    return difference


def _averaged(members: Sequence[Member], spec: PreprocessSpec) -> onnx.ModelProto:
    """The members' graphs side by side, and the logarithm of their mean probability: logits whose softmax that is.

    Args:
        members: the members.
        spec: how their common input is made.
    """
    bundles = [member.bundle for member in members]
    models = [onnx.load_from_string(bundle.content) for bundle in bundles]
    for member, model in zip(members, models, strict=True):
        if (found := _operators(model)) != _operators(models[0]) or found.get("", 0) < _LEAST_OPERATORS:
            raise ExportError(
                f"{member.source}: is written in version {found.get('', 0)} of ONNX's operators: expected that of the "
                f"others, and at least {_LEAST_OPERATORS}; export it again"
            )
    nodes, weights = [], []
    for number, (bundle, model) in enumerate(zip(bundles, models, strict=True)):
        graph = add_prefix_graph(model.graph, f"member{number}/")
        entering, constants = _entering(number, spec, bundle.card.preprocess, graph.input[0].name)
        nodes += [*entering, *graph.node]
        temperature = np.array(bundle.card.temperature, np.float32)
        weights += [*constants, *graph.initializer, numpy_helper.from_array(temperature, f"temperature{number}")]
        nodes += [
            helper.make_node("Div", [graph.output[0].name, f"temperature{number}"], [f"scaled{number}"]),
            helper.make_node("LogSoftmax", [f"scaled{number}"], [f"log_probabilities{number}"], axis=-1),
            helper.make_node("Unsqueeze", [f"log_probabilities{number}", "member"], [f"answer{number}"]),
        ]
    weights += [
        numpy_helper.from_array(np.array([0]), "member"),
        numpy_helper.from_array(np.array(math.log(len(bundles)), np.float32), "log_of_their_number"),
    ]
    answers = [f"answer{number}" for number in range(len(bundles))]
    nodes += [
        helper.make_node("Concat", answers, ["answers"], axis=0),
        helper.make_node("ReduceLogSumExp", ["answers", "member"], ["log_of_sum"], keepdims=0),
        helper.make_node("Sub", ["log_of_sum", "log_of_their_number"], [_OUTPUT]),
    ]
    first = models[0]
    sides = [spec.channels, spec.input_size, spec.input_size]
    graph = helper.make_graph(
        nodes,
        "ensemble",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["faces", *sides])],
        [helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["faces", len(bundles[0].card.labels)])],
        weights,
    )
    return helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)


def _entering(
    number: int, ours: PreprocessSpec, theirs: PreprocessSpec, name: str
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes and constants that make a member's input, of a name, from the common one: what they need of scaling grey
    levels, resizing the frame, in whole grey levels as `PreprocessSpec` does, and cutting its middle out.
    """
    steps: list[_Step] = []
    if (ours.frame_size, ours.mean, ours.std) != (theirs.frame_size, theirs.mean, theirs.std):
        steps += [
            ("Mul", {"levels": np.float32(255 * ours.std)}, {}),
            ("Add", {"mean": np.float32(255 * ours.mean)}, {}),
        ]
        if ours.frame_size != theirs.frame_size:
            sides = {"roi": None, "scales": None, "sides": np.full(2, theirs.frame_size)}
            steps += [("Resize", sides, {"mode": "linear", "antialias": 1, "axes": [2, 3]}), ("Round", {}, {})]
        steps += [
            ("Sub", {"mean": np.float32(255 * theirs.mean)}, {}),
            ("Div", {"levels": np.float32(255 * theirs.std)}, {}),
        ]
    if ours.input_size != theirs.input_size:
        first = theirs.margin // 2
        ends = {"first": np.full(2, first), "end": np.full(2, first + theirs.input_size), "axes": np.array([2, 3])}
        steps.append(("Slice", ends, {}))
    nodes, constants, last = [], [], _INPUT
    for kind, inputs, attributes in steps:
        names = ["" if value is None else f"{kind}{number}/{key}" for key, value in inputs.items()]
        given = zip(inputs.values(), names, strict=True)
        constants += [numpy_helper.from_array(np.asarray(value), key) for value, key in given if key]
        nodes.append(helper.make_node(kind, [last, *names], [f"{kind}{number}/out"], **attributes))
        last = f"{kind}{number}/out"
    return [*nodes, helper.make_node("Identity", [last], [name])], constants


def _operators(model: onnx.ModelProto) -> dict[str, int]:
    """Versions of the sets of operators that a file is written in, by domain."""
    return {entry.domain: entry.version for entry in model.opset_import}


def _difference(together: Bundle, members: Sequence[Member]) -> float:
    faces = probe_faces(33, together.card.preprocess)
    mean = np.mean([member.bundle.probabilities(faces) for member in members], axis=0)
    return float(np.abs(softmax(together.logits(faces)) - mean).max())
